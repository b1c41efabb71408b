import { type Condition, Failure, type Warning } from '../../failure.ts'
import type { SipReply } from './sip-port.ts'

/** Each failure of the domain in SIP. */
const status = {
  malformed: [400, 'Bad Request'],
  'unsupported-content': [415, 'Unsupported Media Type'],
  unauthenticated: [401, 'Unauthorized'],
  forbidden: [403, 'Forbidden'],
  'recipient-unknown': [404, 'Not Found'],
  'message-too-large': [513, 'Message Too Large'],
  'too-many-recipients': [403, 'Too Many Recipients'],
  absent: [480, 'Temporarily Unavailable'],
  'too-many-contacts': [403, 'Too Many Contacts'],
  'interval-too-brief': [423, 'Interval Too Brief'],
  'out-of-order': [500, 'Request Out Of Order'],
  'method-not-allowed': [405, 'Method Not Allowed'],
  'method-unknown': [501, 'Not Implemented'],
  'event-unknown': [489, 'Bad Event'],
  'extension-required': [421, 'Extension Required'],
  'too-many-attempts': [503, 'Too Many Attempts'],
  overloaded: [503, 'Service Unavailable'],
  'database-unavailable': [503, 'Service Unavailable'],
  unreachable: [503, 'Service Unavailable'],
  conflict: [500, 'Conflict'],
  'not-found': [404, 'Not Found'],
  'not-acceptable': [488, 'Not Acceptable Here'],
  'size-exceeded': [403, 'Size Exceeded'],
  'object-unknown': [404, 'Not Found'],
  'folder-unknown': [404, 'Not Found'],
  'mailbox-full': [403, 'Mailbox Full'],
  'not-permitted': [403, 'Forbidden'],
  'cursor-gone': [410, 'Gone'],
} as const satisfies Record<Condition, readonly [number, string]>

const bug: SipReply = { status: 500, reason: 'Server Internal Error' }

/**
 * The reply that tells a sender of `err`. What is no Failure is a bug: 500, and the caller logs it. `agent` is who
 * warns: a host, or a name that stands for it (RFC 3261 §20.43).
 */
export function replyOf(err: unknown, agent = 'parley'): SipReply {
  if (!(err instanceof Failure)) return bug
  const [code, reason] = status[err.condition]
  if (err.retryAfter === undefined && err.warnings.length === 0) return { status: code, reason }
  const headers: [string, string][] = err.warnings.map((warning) => ['Warning', warningValue(warning, agent)])
  if (err.retryAfter !== undefined) headers.push(['Retry-After', String(err.retryAfter)])
  return { status: code, reason, headers }
}

/** `code agent "text"`; what no quoted string may hold, or what a log should not, becomes a question mark. */
export function warningValue({ code, text }: Warning, agent: string): string {
  const quoted = text
    .slice(0, 200)
    .replace(/[^ -~]/g, '?')
    .replace(/["\\]/g, '\\$&')
  return `${code} ${agent} "${quoted}"`
}
