import { randomUUID } from 'node:crypto'
import { type Cpim, cpimHeader, readCpim, writeCpim } from '../protocols/cpim/cpim.ts'
import { MalformedCpim } from '../protocols/cpim/malformed-cpim.ts'
import { imdnHeaders, readImdn, writeImdn } from '../protocols/imdn/imdn.ts'
import { MalformedImdn } from '../protocols/imdn/malformed-imdn.ts'
import { decodeContent } from '../protocols/mime/content-encoding.ts'
import { mediaType } from '../protocols/mime/content-type.ts'
import { MalformedMime } from '../protocols/mime/malformed-mime.ts'
import type { SipRequest } from '../protocols/sip/message.ts'
import { readNameAddr } from '../protocols/sip/name-addr.ts'

export interface ReceivedMessage {
  /** The URI of the sender, as the server asserts it. */
  readonly from: string
  readonly text: string
  readonly messageId: string
  readonly contentType: string
  /** When it was sent, if the sender says so. */
  readonly date: string | undefined
}

/** What has become of a message that was sent (RFC 5438). */
export interface ReceivedNotification {
  readonly from: string
  readonly messageId: string
  /** `delivered`, `displayed`, `failed` … */
  readonly status: string
}

/** What a MESSAGE holds, taken out of its wrapping. */
export type Content =
  | { readonly kind: 'message'; readonly message: ReceivedMessage; readonly wantsDelivery: boolean }
  | { readonly kind: 'notification'; readonly notification: ReceivedNotification }

/** Bodies are inflated up to this. */
const mostBytes = 1024 * 1024

/** Between two people both ends are in the SIP header fields, and none in CPIM (features 1.2). */
const anonymous = '<sip:anonymous@anonymous.invalid>'
const prefixes: ReadonlyMap<string, string> = new Map([[imdnHeaders, 'imdn']])

/** The body of a text message that asks to hear of its delivery (RFC 3862, RFC 5438 §6). */
export function writeText(text: string, messageId: string, now: Date): Buffer {
  return writeCpim(
    {
      headers: [
        ...addressing(messageId, now),
        { namespace: imdnHeaders, name: 'Disposition-Notification', value: 'positive-delivery, negative-delivery' },
      ],
      content: new Map([['content-type', 'text/plain;charset=UTF-8']]),
      body: Buffer.from(text, 'utf8'),
    },
    prefixes,
  )
}

/** The body of a notification that a message has been delivered (RFC 5438 §7.2.1, §9). */
export function writeDelivered(message: ReceivedMessage, recipient: string, now: Date): Buffer {
  const datetime = message.date ?? now.toISOString()
  const { messageId } = message
  const disposition = { kind: 'delivery', status: 'delivered' } as const
  return writeCpim(
    {
      headers: addressing(randomUUID(), now),
      content: new Map([
        ['content-type', 'message/imdn+xml'],
        ['content-disposition', 'notification'],
      ]),
      body: writeImdn({ messageId, datetime, recipientUri: recipient, disposition }),
    },
    prefixes,
  )
}

const addressing = (messageId: string, now: Date): Cpim['headers'] => [
  { namespace: '', name: 'From', value: anonymous },
  { namespace: '', name: 'To', value: anonymous },
  { namespace: '', name: 'DateTime', value: now.toISOString() },
  { namespace: imdnHeaders, name: 'Message-ID', value: messageId },
]

/** Takes a MESSAGE apart. Undefined when its body cannot be read. */
export function readContent(request: SipRequest): Content | undefined {
  try {
    const { headers } = request
    const body = decodeContent(request.body, headers.get('content-encoding'), mostBytes)
    const contentType = headers.get('content-type') ?? 'text/plain'
    if (mediaType(contentType) === 'message/cpim') return fromCpim(request, readCpim(body))
    return contentOf(request, undefined, contentType, body)
  } catch (err) {
    if (err instanceof MalformedCpim || err instanceof MalformedImdn || err instanceof MalformedMime) return undefined
    throw err
  }
}

function fromCpim(request: SipRequest, cpim: Cpim): Content {
  const contentType = cpim.content.get('content-type') ?? 'text/plain'
  return contentOf(request, cpim, contentType, cpim.body)
}

function contentOf(request: SipRequest, cpim: Cpim | undefined, contentType: string, body: Buffer): Content {
  const from = senderOf(request)
  if (mediaType(contentType) === 'message/imdn+xml') {
    const { messageId, disposition } = readImdn(body)
    return { kind: 'notification', notification: { from, messageId, status: disposition.status } }
  }
  // A plain client sends no message id; its Call-ID stands for it.
  const messageId = (cpim && cpimHeader(cpim, 'Message-ID', imdnHeaders)) ?? request.headers.get('call-id') ?? ''
  const wanted = (cpim && cpimHeader(cpim, 'Disposition-Notification', imdnHeaders)) ?? ''
  const date = (cpim && cpimHeader(cpim, 'DateTime')) ?? request.headers.get('date')
  const message = { from, text: body.toString('utf8'), messageId, contentType, date }
  return { kind: 'message', message, wantsDelivery: wanted.includes('positive-delivery') }
}

/** Who the server says that it is from, else who says so itself (RFC 3325 §9.1). */
const senderOf = ({ headers }: SipRequest) =>
  readNameAddr(headers.get('p-asserted-identity') ?? headers.get('from') ?? '').uri
