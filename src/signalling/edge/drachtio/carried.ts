import { isUtf8 } from 'node:buffer'
import type { Headers } from '../../../protocols/sip/headers.ts'
import type { SipMessage } from '../../../protocols/sip/message.ts'
import { readMessage } from '../../../protocols/sip/read-message.ts'
import type { SrfContent, SrfHeaders } from './srf.ts'

/** A body travels to and from the daemon as text, which not every body is. */
export type Objection = 415 | 513

/** The daemon's buffer has 12228 bytes; a longer frame blocks the connection for good. The rest is for what frames a message. */
export const mostFrameBytes = 12_228 - 228
/** So that what came in can go out, with the header fields that the server adds. */
export const mostBodyBytes = 11 * 1024

const noLimits = { maxBytes: 0, maxHeaders: 0, maxHeaderLength: 0 }

/** A message as the daemon wrote it. Throws MalformedSip. */
export const readCarried = (raw: string): SipMessage => readMessage(Buffer.from(raw, 'utf8'), noLimits)

/** Why a message from the network must be refused. What was no UTF-8 has the replacement character now. */
export function objectionToRaw(raw: string): Objection | undefined {
  const from = raw.indexOf('\r\n\r\n')
  const body = from === -1 ? '' : raw.slice(from + 4)
  if (body.includes('\ufffd') || body.includes('\0')) return 415
  return Buffer.byteLength(body) > mostBodyBytes ? 513 : undefined
}

/** Why a message cannot go out. */
export function objectionTo({ headers, body }: SipMessage): Objection | undefined {
  if (body.length > 0 && (!isUtf8(body) || body.includes(0))) return 415
  let bytes = body.length
  for (const [, written, value] of headers.entries()) bytes += written.length + value.length + 4
  return body.length > mostBodyBytes || bytes > mostFrameBytes ? 513 : undefined
}

/** What drachtio-srf is to send, without the fields in `left`. The daemon sends no body that does not say what it is. */
export function contentOf({ headers, body }: SipMessage, left: ReadonlySet<string>): SrfContent {
  const made = headersFor(headers, left)
  if (body.length === 0) return { headers: made }
  const text = body.toString('utf8')
  if (!headers.has('content-type') && !text.startsWith('v=0')) made['Content-Type'] = 'text/plain;charset=UTF-8'
  return { headers: made, body: text }
}

/** The header fields for drachtio-srf, which has one line for each name; characters are characters there, not bytes. */
function headersFor(headers: Headers, left: ReadonlySet<string>): SrfHeaders {
  const made: SrfHeaders = {}
  const names = new Map<string, string>()
  for (const [name, written, value] of headers.entries()) {
    const known = names.get(name)
    if (left.has(name) || (known !== undefined && inOneLine.has(name))) continue
    const text = Buffer.from(value, 'latin1')
      .toString('utf8')
      .replace(/\r\n\s*/g, ' ')
    if (known === undefined) names.set(name, written)
    made[known ?? written] = known === undefined ? text : `${made[known]}, ${text}`
  }
  return made
}

/** Lists of these cannot be told from their own parameters: the first is kept. */
const inOneLine: ReadonlySet<string> = new Set(['www-authenticate', 'proxy-authenticate'])

/** What the daemon writes, whatever is said (Route it does not even take). */
export const ofTheDaemon: ReadonlySet<string> = new Set(['via', 'route', 'record-route', 'content-length', 'rseq'])
