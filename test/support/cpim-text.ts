import { randomUUID } from 'node:crypto'
import { inflateSync } from 'node:zlib'
import type { Phone, RequestOptions } from './phone.ts'
import type { SipText } from './sip-text.ts'

export const icsiMessage = 'urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg'
/** The ICSI as it stands in a feature tag of Contact or Accept-Contact. */
export const icsiTag = '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"'

export interface CpmOptions extends RequestOptions {
  readonly id?: string
  /** Such as `positive-delivery, display`. */
  readonly want?: string
}

/** Sends text as a CPM client does: message/cpim, marked with the ICSI. Resolves to the final response. */
export function sendCpm(phone: Phone, to: string, text: string, options: CpmOptions = {}): Promise<SipText> {
  const body = writeCpim(phone.aor, to, options.id ?? randomUUID(), text, options.want)
  return phone.message(to, body, {
    contentType: 'message/cpim',
    ...options,
    headers: {
      'P-Preferred-Service': icsiMessage,
      'Accept-Contact': `*;${icsiTag};require;explicit`,
      'Conversation-ID': randomUUID(),
      'Contribution-ID': randomUUID(),
      ...options.headers,
    },
  })
}

/** A message/cpim body (RFC 3862) with the header fields of RFC 5438. */
export function writeCpim(from: string, to: string, id: string, text: string, want?: string): string {
  const asked = want === undefined ? '' : `imdn.Disposition-Notification: ${want}\r\n`
  return (
    `From: <${from}>\r\nTo: <${to}>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: ${id}\r\n` +
    `DateTime: ${new Date().toISOString()}\r\n${asked}\r\n` +
    `Content-Type: text/plain;charset=UTF-8\r\n\r\n${text}`
  )
}

/** imdn.Message-ID of a message, else its Call-ID, which is what plain clients use. */
export function messageIdOf(message: SipText): string {
  return /^imdn\.Message-ID:\s*(\S+)/im.exec(message.body.toString('latin1'))?.[1] ?? message.header('Call-ID') ?? ''
}

/** The text inside a message/cpim body. */
export const cpimText = (message: SipText): string => message.text.split('\r\n\r\n').slice(2).join('\r\n\r\n')

export type Disposition = 'delivered' | 'displayed' | 'failed'

export interface NotificationOptions extends RequestOptions {
  /** As Linphone does: message/imdn+xml without CPIM around it, deflated. */
  readonly bare?: 'plain' | 'deflated'
  readonly messageId?: string
  readonly to?: string
}

/** The XML of a notification (RFC 5438 §7.2). */
export function writeImdn(messageId: string, disposition: Disposition, recipient: string): string {
  const kind = disposition === 'displayed' ? 'display' : 'delivery'
  return (
    `<?xml version="1.0" encoding="UTF-8"?><imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>${messageId}</message-id>` +
    `<datetime>${new Date().toISOString()}</datetime><recipient-uri>${recipient}</recipient-uri>` +
    `<original-recipient-uri>${recipient}</original-recipient-uri>` +
    `<${kind}-notification><status><${disposition}/></status></${kind}-notification></imdn>`
  )
}

/** A notification inside message/cpim, as CPM clients send it. */
export function writeCpimNotification(from: string, to: string, xml: string): string {
  return (
    `From: <${from}>\r\nTo: <${to}>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: ${randomUUID()}\r\n` +
    `DateTime: ${new Date().toISOString()}\r\n\r\n` +
    `Content-Type: message/imdn+xml\r\nContent-Disposition: notification\r\nContent-Length: ${Buffer.byteLength(xml)}\r\n\r\n${xml}`
  )
}

export interface Notification {
  readonly messageId: string
  readonly disposition: string
}

/** What a received notification says, whether bare, inside CPIM, or deflated; `undefined` when it is none. */
export function notificationOf(message: SipText): Notification | undefined {
  const text = message.header('Content-Encoding') === 'deflate' ? inflateSync(message.body).toString() : message.text
  const messageId = /<message-id>\s*(\S+?)\s*<\/message-id>/.exec(text)?.[1]
  const disposition = /<status>\s*<(\w+)/.exec(text)?.[1]
  return messageId === undefined || disposition === undefined ? undefined : { messageId, disposition }
}

export const isNotification = (message: SipText): boolean => notificationOf(message) !== undefined
export const isNoNotification = (message: SipText): boolean => !isNotification(message)
/** The URI in a From or To value. */
export const uriOf = (value: string | undefined): string => /<([^>]+)>/.exec(value ?? '')?.[1] ?? value ?? ''
