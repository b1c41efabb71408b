import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import { hasToken } from '../../protocols/sip/option-tags.ts'
import {
  type Refresher,
  readMinSE,
  readSessionExpires,
  type SessionExpires,
  writeSessionExpires,
} from '../../protocols/sip/session-expires.ts'

/** RFC 4028, in seconds. */
export interface SessionPolicy {
  /** How long a session goes on unrefreshed. 0: for ever, unless the peer wants otherwise. */
  readonly sessionExpires: number
  /** The shortest interval that is accepted. */
  readonly minSE: number
}

export const defaultSessionPolicy: SessionPolicy = { sessionExpires: 1800, minSE: 90 }

/** What an absent Min-SE means (RFC 4028 §5). */
const smallestMinSE = 90

/** What was agreed on; the roles are those in the transaction that agreed on it. */
export interface SessionTerms {
  readonly interval: number
  readonly refresher: Refresher
  /** Both ends know of it. */
  readonly agreed: boolean
}

type HeaderLines = readonly (readonly [name: string, value: string])[]

/** Whether the interval asked for is too brief: 422 (RFC 4028 §9). Only who knows the extension can be told so. */
export function isTooBrief(request: SipRequest, policy: SessionPolicy): boolean {
  const asked = askedFor(request)
  return asked !== undefined && asked.interval < policy.minSE && supportsTimer(request)
}

/** What a server answers to INVITE or UPDATE (RFC 4028 §9, table 2). The server refreshes where the client does not say that it will. */
export function termsFor(request: SipRequest, policy: SessionPolicy): SessionTerms | undefined {
  const asked = askedFor(request)
  const own = policy.sessionExpires
  if (asked === undefined && own === 0) return undefined
  const least = Math.max(leastOf(request), policy.minSE)
  const wanted = asked === undefined || (own !== 0 && own < asked.interval) ? Math.max(own, least) : asked.interval
  const interval = asked === undefined ? wanted : Math.min(wanted, Math.max(asked.interval, policy.minSE))
  const agreed = supportsTimer(request)
  return { interval, refresher: (agreed ? asked?.refresher : undefined) ?? 'uas', agreed }
}

/** The header fields that tell of the terms in the 2xx. */
export function termsHeaders(terms: SessionTerms | undefined): HeaderLines {
  if (terms === undefined) return []
  const expires = ['Session-Expires', writeSessionExpires(terms)] as const
  return terms.refresher === 'uac' ? [['Require', 'timer'], expires] : [expires]
}

/** The header fields with which a client asks for an interval. */
export function askingHeaders(interval: number, refresher: Refresher, minSE: number): HeaderLines {
  if (interval === 0) return []
  const expires = ['Session-Expires', writeSessionExpires({ interval, refresher })] as const
  return [expires, ['Min-SE', String(minSE)]]
}

/**
 * What a 2xx to a client that asked for `interval` leaves it with. A server that knows nothing of session timers is
 * refreshed by the client alone (RFC 4028 §7.2).
 */
export function termsIn(response: SipResponse, interval: number): SessionTerms | undefined {
  const expires = readOr(response.headers.get('session-expires'), readSessionExpires)
  if (expires !== undefined && expires.interval > 0) {
    return { interval: expires.interval, refresher: expires.refresher ?? 'uac', agreed: true }
  }
  return interval === 0 ? undefined : { interval, refresher: 'uac', agreed: false }
}

/** The interval to try again with after a 422 (RFC 4028 §7.4). */
export function intervalAfter422(response: SipResponse, tried: number): number | undefined {
  const minSE = readOr(response.headers.get('min-se'), readMinSE)
  return minSE !== undefined && minSE > tried ? minSE : undefined
}

const supportsTimer = ({ headers }: SipRequest) =>
  hasToken(headers, 'supported', 'timer') || hasToken(headers, 'require', 'timer')

function askedFor({ headers }: SipRequest): SessionExpires | undefined {
  const expires = readOr(headers.get('session-expires'), readSessionExpires)
  return expires !== undefined && expires.interval > 0 ? expires : undefined
}

const leastOf = ({ headers }: SipRequest) => readOr(headers.get('min-se'), readMinSE) ?? smallestMinSE

/** A value that cannot be read is as none. */
function readOr<Value>(text: string | undefined, read: (text: string) => Value): Value | undefined {
  try {
    return text === undefined ? undefined : read(text)
  } catch (err) {
    if (err instanceof MalformedSip) return undefined
    throw err
  }
}
