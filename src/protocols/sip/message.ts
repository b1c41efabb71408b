import type { Headers } from './headers.ts'

export const noBody: Buffer = Buffer.alloc(0)

/** A request (RFC 3261 §7.1). The body is bytes from socket to socket. */
export class SipRequest {
  readonly method: string
  /** The request-URI as written. */
  readonly uri: string
  readonly headers: Headers
  readonly body: Buffer
  constructor(method: string, uri: string, headers: Headers, body: Buffer = noBody) {
    this.method = method
    this.uri = uri
    this.headers = headers
    this.body = body
  }
}

/** A response (RFC 3261 §7.2). */
export class SipResponse {
  readonly status: number
  readonly reason: string
  readonly headers: Headers
  readonly body: Buffer
  constructor(status: number, reason: string, headers: Headers, body: Buffer = noBody) {
    this.status = status
    this.reason = reason
    this.headers = headers
    this.body = body
  }
}

export type SipMessage = SipRequest | SipResponse

/** The bytes of a message. Content-Length is written here, whatever the header fields say of it. */
export function writeMessage(message: SipMessage): Buffer {
  const start =
    message instanceof SipRequest
      ? `${message.method} ${message.uri} SIP/2.0\r\n`
      : `SIP/2.0 ${message.status} ${message.reason}\r\n`
  const head = `${start}${message.headers.toText('content-length')}Content-Length: ${message.body.length}\r\n\r\n`
  if (message.body.length === 0) return Buffer.from(head, 'latin1')
  const bytes = Buffer.allocUnsafe(head.length + message.body.length)
  bytes.write(head, 0, 'latin1')
  message.body.copy(bytes, head.length)
  return bytes
}
