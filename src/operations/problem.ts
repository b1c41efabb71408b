import { type Condition, Failure } from '../failure.ts'

/** An error over HTTP (RFC 9457). */
export interface Problem {
  readonly status: number
  readonly title: string
  readonly detail?: string
}

export const problemType = 'application/problem+json'

/** An HTTP status on purpose, where no failure of the domain says as much. */
export class HttpProblem extends Error {
  readonly status: number
  readonly title: string
  readonly headers: Readonly<Record<string, string>>
  constructor(status: number, title: string, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail)
    this.status = status
    this.title = title
    this.headers = headers
  }
}

/** Each failure of the domain in HTTP. */
const titles = {
  malformed: [400, 'Malformed'],
  'unsupported-content': [415, 'Unsupported content'],
  unauthenticated: [401, 'Not authenticated'],
  forbidden: [403, 'Forbidden'],
  'recipient-unknown': [404, 'No such user'],
  'message-too-large': [413, 'Too large'],
  'too-many-recipients': [422, 'Too many recipients'],
  absent: [409, 'Nobody there'],
  'too-many-contacts': [409, 'Too many contacts'],
  'interval-too-brief': [422, 'Interval too brief'],
  'out-of-order': [409, 'Out of order'],
  'method-not-allowed': [405, 'Method not allowed'],
  'method-unknown': [501, 'Not implemented'],
  'event-unknown': [422, 'Event unknown'],
  'extension-required': [422, 'Extension required'],
  'too-many-attempts': [429, 'Too many attempts'],
  overloaded: [503, 'Overloaded'],
  'database-unavailable': [503, 'Database unavailable'],
  unreachable: [502, 'Unreachable'],
  conflict: [409, 'Conflict'],
  'not-found': [404, 'Not found'],
  'not-acceptable': [422, 'Not acceptable'],
  'size-exceeded': [413, 'Too large'],
  'object-unknown': [404, 'No such object'],
  'folder-unknown': [404, 'No such folder'],
  'mailbox-full': [507, 'Mailbox full'],
  'not-permitted': [403, 'Not permitted'],
  'cursor-gone': [410, 'Too old'],
} as const satisfies Record<Condition, readonly [number, string]>

/** What an answer says of `err`: its problem and header fields. Undefined: a bug, of which the client learns nothing. */
export function problemOf(err: unknown): { problem: Problem; headers: Readonly<Record<string, string>> } | undefined {
  if (err instanceof HttpProblem) return { problem: problem(err.status, err.title, err.message), headers: err.headers }
  if (err instanceof Failure) {
    const headers: Record<string, string> =
      err.retryAfter === undefined ? {} : { 'retry-after': String(err.retryAfter) }
    const [status, title] = titles[err.condition]
    return { problem: problem(status, title, noteOf(err)), headers }
  }
  return isRefusal(err) ? { problem: problem(err.statusCode, 'Bad request', err.message), headers: {} } : undefined
}

/** What fastify refuses by itself: a body that is too long, not JSON, or not as the schema says. */
function isRefusal(err: unknown): err is Error & { statusCode: number } {
  if (!(err instanceof Error) || !('statusCode' in err)) return false
  return typeof err.statusCode === 'number' && err.statusCode >= 400 && err.statusCode < 500
}

function problem(status: number, title: string, detail: string): Problem {
  return detail === '' ? { status, title } : { status, title, detail }
}

function noteOf({ message, condition }: Failure): string {
  return message === condition ? '' : message.slice(condition.length + 2)
}
