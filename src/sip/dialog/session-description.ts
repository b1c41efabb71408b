import type { Headers } from '../../protocols/sip/headers.ts'
import type { Content } from './dialog-user.ts'

interface WithBody {
  readonly headers: Headers
  readonly body: Buffer
}

const plain = /^[ \t]*application\/sdp[ \t]*(?:;|$)/i
const multipart = /^[ \t]*multipart\//i

/** Whether a message holds a session description, alone or as a part, and so an offer or an answer (RFC 3264, RFC 5621). */
export function hasDescription({ headers, body }: WithBody): boolean {
  if (body.length === 0) return false
  const type = headers.get('content-type')
  if (type === undefined || plain.test(type)) return type !== undefined
  return multipart.test(type) && holdsPart(body)
}

/** The same for what is to be sent. */
export function describes({ headers = [], body }: Content): boolean {
  if (body === undefined || body.length === 0) return false
  const type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1]
  return type !== undefined && (plain.test(type) || (multipart.test(type) && holdsPart(body)))
}

const part = /^content-type[ \t]*:[ \t]*application\/sdp/im

const holdsPart = (body: Buffer) => part.test(body.toString('latin1'))
