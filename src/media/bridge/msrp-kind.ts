import type { MediaDescription } from '../../protocols/sdp/session-description.ts'
import type { SessionKind } from '../msrp/index.ts'

/** What a party speaks MSRP over, as its signalling shows: a browser has WebSockets, and nobody else has. */
export type Speaks = 'ws' | 'tcp'

/** Which way a session of that m= line is reached (RFC 4975 §8.1, RFC 7977 §5.2). */
export function kindOf({ protocol }: MediaDescription): SessionKind {
  return { secure: /TLS|WSS/i.test(protocol), transport: /\bWSS?\b/i.test(protocol) ? 'ws' : 'tcp' }
}

/** What the m= line of such a session has for a protocol. */
export function protocolOf({ secure, transport }: SessionKind): string {
  if (transport === 'ws') return secure ? 'TCP/WSS/MSRP' : 'TCP/WS/MSRP'
  return secure ? 'TCP/TLS/MSRP' : 'TCP/MSRP'
}

/**
 * What a party is offered in place of a line of `kind`: the same, unless it speaks over something else; then that, as
 * secure if it may be.
 */
export function kindFor(kind: SessionKind, speaks: Speaks | undefined, isOffered: (kind: SessionKind) => boolean) {
  if (speaks === undefined || speaks === kind.transport) return kind
  const { secure } = kind
  return [secure, !secure].map((one) => ({ transport: speaks, secure: one })).find(isOffered) ?? kind
}
