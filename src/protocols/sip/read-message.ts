import type { MalformedSip } from './malformed-sip.ts'
import { noBody, type SipMessage } from './message.ts'
import { type ReadLimits, readHead } from './read-head.ts'

export type { ReadLimits } from './read-head.ts'

const endOfHead = Buffer.from('\r\n\r\n')
const endOfLine = Buffer.from('\r\n')

/**
 * Reads a message that came whole: a datagram, a WebSocket frame (RFC 3261 §7, §18.3). Empty lines before it are passed
 * over, bytes after its Content-Length are not looked at. Throws MalformedSip.
 */
export function readMessage(bytes: Buffer, limits: ReadLimits): SipMessage {
  const start = skipEmptyLines(bytes, 0)
  const found = bytes.indexOf(endOfHead, start)
  if (found === -1) throw withoutEnd(bytes.subarray(start), limits)
  const head = readHead(bytes, start, found + 2, limits)
  const bodyFrom = found + 4
  const available = bytes.length - bodyFrom
  const length = head.contentLength ?? available
  if (length > available) head.blame('the body is shorter than Content-Length')
  if (limits.maxBytes !== 0 && bytes.length - start > limits.maxBytes) head.blame('too large', 513)
  const body = bytes.subarray(bodyFrom, bodyFrom + Math.min(length, available))
  if (head.fault !== undefined) throw head.asMalformed(head.fault, body)
  return head.withBody(body)
}

/** What was cut off is read as far as it goes, so that the fault can be answered. */
function withoutEnd(bytes: Buffer, limits: ReadLimits): MalformedSip {
  const closed = bytes.subarray(-2).equals(endOfLine) ? bytes : Buffer.concat([bytes, endOfLine])
  const head = readHead(closed, 0, closed.length, limits)
  return head.asMalformed(head.fault ?? { note: 'the head has no end', status: 400 }, noBody)
}

/** The index after the CRLFs that may come before a message (RFC 3261 §7.5). */
function skipEmptyLines(bytes: Buffer, from: number): number {
  let at = from
  while (bytes[at] === 13 && bytes[at + 1] === 10) at += 2
  return at
}
