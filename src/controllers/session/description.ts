import { Failure } from '../../failure.ts'
import { readContentType } from '../../protocols/mime/content-type.ts'
import { MalformedMime } from '../../protocols/mime/malformed-mime.ts'
import { type Part, readMultipart, writeMultipart } from '../../protocols/mime/multipart.ts'
import type { Headers } from '../../protocols/sip/headers.ts'

/** The session description of a message, alone or a part of its body (RFC 5621 §3). */
export interface Description {
  readonly sdp: Buffer
  /** The body of the message with another one in its place. */
  body(sdp: Buffer): Buffer
}

interface Message {
  readonly headers: Headers
  readonly body: Buffer
}

/** Undefined where there is no body. Throws Failure when there is one without a session description. */
export function descriptionIn({ headers, body }: Message): Description | undefined {
  if (body.length === 0) return undefined
  try {
    const contentType = headers.get('content-type') ?? 'application/sdp'
    const { type } = readContentType(contentType)
    if (type === 'application/sdp') return { sdp: body, body: (sdp) => sdp }
    if (type.startsWith('multipart/')) return partOf(body, contentType)
  } catch (err) {
    if (err instanceof MalformedMime) throw new Failure('malformed', err.message, { cause: err })
    throw err
  }
  throw new Failure('unsupported-content', 'no session description')
}

function partOf(body: Buffer, contentType: string): Description {
  const parts = readMultipart(body, contentType)
  const at = parts.findIndex(({ headers }) => /^application\/sdp\s*(?:;|$)/i.test(headers.get('content-type') ?? ''))
  const part = parts[at]
  if (part === undefined) throw new Failure('unsupported-content', 'no session description')
  const boundary = readContentType(contentType).params.get('boundary') ?? ''
  const put = (sdp: Buffer): Part[] => parts.with(at, { headers: part.headers, body: sdp })
  return { sdp: part.body, body: (sdp) => (sdp === part.body ? body : writeMultipart(put(sdp), boundary)) }
}

/** What is wrong with the description of one party is no fault of the other, who is told all the same (RFC 3261 §21.4.26). */
export function asRefusal(err: unknown): unknown {
  if (!(err instanceof Failure) || (err.condition !== 'malformed' && err.condition !== 'unsupported-content'))
    return err
  return new Failure('not-acceptable', err.message, { cause: err, warnings: err.warnings })
}
