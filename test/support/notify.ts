import { deflateSync } from 'node:zlib'
import {
  type Disposition,
  messageIdOf,
  type NotificationOptions,
  uriOf,
  writeCpimNotification,
  writeImdn,
} from './cpim-text.ts'
import type { Phone } from './phone.ts'
import type { SipText } from './sip-text.ts'

/** Tells the sender of `message` that it was delivered or displayed; resolves to the final response. */
export function notify(
  phone: Phone,
  message: SipText,
  disposition: Disposition,
  options: NotificationOptions = {},
): Promise<SipText> {
  const to = options.to ?? uriOf(message.header('From'))
  const xml = writeImdn(options.messageId ?? messageIdOf(message), disposition, phone.aor)
  const { to: _, ...rest } = options
  if (options.bare === undefined) {
    return phone.message(to, writeCpimNotification(phone.aor, to, xml), { contentType: 'message/cpim', ...rest })
  }
  const deflated = options.bare === 'deflated'
  return phone.message(to, deflated ? deflateSync(xml) : xml, {
    contentType: 'message/imdn+xml',
    ...rest,
    headers: deflated ? { 'Content-Encoding': 'deflate', ...options.headers } : (options.headers ?? {}),
  })
}

export const delivered = (phone: Phone, message: SipText, options?: NotificationOptions): Promise<SipText> =>
  notify(phone, message, 'delivered', options)
export const displayed = (phone: Phone, message: SipText, options?: NotificationOptions): Promise<SipText> =>
  notify(phone, message, 'displayed', options)
