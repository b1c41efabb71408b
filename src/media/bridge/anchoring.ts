import { isIP } from 'node:net'
import { hasAttribute } from '../../protocols/sdp/attributes.ts'
import { isMsrp } from '../../protocols/sdp/msrp-media.ts'
import { isRtp } from '../../protocols/sdp/rtp-media.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import { isTalkBurstControl } from '../../protocols/sdp/talk-burst-media.ts'
import type { MediaPolicy } from '../capability/index.ts'
import type { Side } from '../rtp/index.ts'

/** How the signalling of a party comes to the server. */
export interface Place {
  readonly transport: string
  /** Where its packets come from. */
  readonly address: string
  /** Where it says that it is: the host of its Contact. */
  readonly contact: string
}

export interface Circumstances {
  /** Undefined: one that comes through a proxy or another server, which tell nothing of it. */
  readonly places: Readonly<Record<Side, Place | undefined>>
  readonly policy: MediaPolicy
}

/** Why the media of a session have to go through the server. */
export type AnchorReason = 'floor' | 'size' | 'transport' | 'nat'

/**
 * What asks for media to be anchored, as the first offer shows it (`session.mediaAnchor: when-needed`); undefined: nothing
 * does, and they may go from client to client.
 */
export function reasonToAnchor(
  offer: SessionDescription,
  from: Side,
  { places, policy }: Circumstances,
): AnchorReason | undefined {
  const lines = offer.media.filter(({ port }) => port !== 0)
  if (lines.some(isTalkBurstControl)) return 'floor'
  if (lines.some((line) => isSizeLimited(line, policy))) return 'size'
  const { caller, callee } = places
  if (caller !== undefined && callee !== undefined && kindOf(caller) !== kindOf(callee)) return 'transport'
  // ICE finds its own way through (RFC 8839); MSRP has none.
  if (lines.every((line) => isRtp(line) && hasAttribute(line, 'candidate'))) return undefined
  if ([caller, callee].some((place) => place !== undefined && isElsewhere(place.contact, place.address))) return 'nat'
  const address = places[from]?.address
  return address !== undefined && lines.some((line) => isElsewhere(hostOf(line, offer), address)) ? 'nat' : undefined
}

/** A limit that has to be watched as the bytes go by: what a client says of a size is no more than that. */
const isSizeLimited = (line: MediaDescription, { maxFileSize, maxMessageSize }: MediaPolicy): boolean =>
  isMsrp(line) && (hasAttribute(line, 'file-selector') ? maxFileSize : maxMessageSize) !== undefined

/** Browsers, clients that want TLS, and the others do not reach each other; nor do two families of addresses. */
function kindOf({ transport, address }: Place): string {
  const kind = transport.startsWith('ws') ? 'ws' : transport === 'tls' ? 'tls' : 'plain'
  return `${kind} ${isIP(address)}`
}

const hostOf = (line: MediaDescription, offer: SessionDescription) =>
  (line.connection ?? offer.connection)?.address ?? ''

/** An address that its packets do not come from; a name may be any. */
const isElsewhere = (host: string, address: string): boolean =>
  isIP(host) !== 0 && host !== address && host !== '0.0.0.0' && host !== '::'
