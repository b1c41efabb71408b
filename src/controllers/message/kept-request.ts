import { SipRequest } from '../../protocols/sip/message.ts'
import { readHead } from '../../protocols/sip/read-head.ts'
import { readMessage } from '../../protocols/sip/read-message.ts'

/** It was read before, and written by this server: no limit applies. */
const unlimited = { maxBytes: 0, maxHeaders: 0, maxHeaderLength: 0 }

/** A request as it was kept. */
export function readKept(bytes: Buffer): SipRequest {
  const message = readMessage(bytes, unlimited)
  if (!(message instanceof SipRequest)) throw new Error('a response was kept as a message')
  return message
}

/** The same of the first bytes of one: its body ends where they do. */
export function readKeptHead(bytes: Buffer): SipRequest {
  const end = bytes.indexOf('\r\n\r\n')
  const head = readHead(bytes, 0, end === -1 ? bytes.length : end + 2, unlimited)
  return new SipRequest(head.method, head.uri, head.headers, bytes.subarray(end === -1 ? bytes.length : end + 4))
}
