import { icsi, serviceTag } from '../../../protocols/cpm/services.ts'
import { writeSipDate } from '../../../protocols/sip/date.ts'
import { Headers } from '../../../protocols/sip/headers.ts'
import { SipRequest } from '../../../protocols/sip/message.ts'
import type { Device } from './device.ts'

export interface SystemMessage {
  readonly device: Device
  readonly from: string
  readonly to: string
  readonly asserted: string
  readonly id: string
  readonly host: string
  readonly now: number
  readonly fields?: readonly (readonly [name: string, value: string])[]
  readonly contentType: string
  readonly body: Buffer
}

/** A MESSAGE of the server's own about the store (features 1.8), which no user is to be shown as one. */
export function systemMessage(message: SystemMessage): SipRequest {
  const { device, from, to, asserted, id, host, now, fields = [], contentType, body } = message
  const headers = new Headers([
    ['From', from.includes(';tag=') ? from : `${from};tag=${id.slice(0, 16)}`],
    ['To', to],
    ['Call-ID', `${id}@${host}`],
    ['CSeq', '1 MESSAGE'],
    ['Max-Forwards', '70'],
    ['Date', writeSipDate(now)],
    ['P-Asserted-Identity', `<${asserted}>`],
    ['P-Asserted-Service', icsi.systemMessage],
    ['Accept-Contact', `*;${serviceTag(icsi.systemMessage)}`],
    ...fields,
    ...device.path.map((hop) => ['Route', hop] as const),
    ['Content-Type', contentType],
  ])
  return new SipRequest('MESSAGE', device.contact, headers, body)
}
