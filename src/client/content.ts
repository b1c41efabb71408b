import { randomUUID } from 'node:crypto'
import { type Cpim, cpimHeader, readCpim, writeCpim } from '../protocols/cpim/cpim.ts'
import { MalformedCpim } from '../protocols/cpim/malformed-cpim.ts'
import { type Disposition, imdnHeaders, readImdn, writeImdn } from '../protocols/imdn/imdn.ts'
import { MalformedImdn } from '../protocols/imdn/malformed-imdn.ts'
import { type IsComposing, isComposingType, readIsComposing } from '../protocols/is-composing/is-composing.ts'
import { MalformedIsComposing } from '../protocols/is-composing/malformed-is-composing.ts'
import { mediaType } from '../protocols/mime/content-type.ts'
import { MalformedMime } from '../protocols/mime/malformed-mime.ts'

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

/** Which notifications the sender of a message wants (RFC 5438 §6.3). */
export interface Wanted {
  readonly delivery: boolean
  readonly display: boolean
}

/** What came, taken out of its wrapping. */
export type Content =
  | { readonly kind: 'message'; readonly message: ReceivedMessage; readonly wanted: Wanted }
  | { readonly kind: 'notification'; readonly notification: ReceivedNotification }
  | { readonly kind: 'composing'; readonly composing: IsComposing }

/** A body, and what is known of it besides. */
export interface Received {
  readonly from: string
  readonly contentType: string
  readonly body: Buffer
  /** Stands for the message id of a client that gives none. */
  readonly id: string
  readonly date?: string | undefined
}

/** Between two people both ends are in the SIP header fields, and none in CPIM (features 1.2). */
const anonymous = '<sip:anonymous@anonymous.invalid>'
const prefixes: ReadonlyMap<string, string> = new Map([[imdnHeaders, 'imdn']])

/** The body of a text message that asks what becomes of it, such as `positive-delivery, display` (RFC 3862, RFC 5438 §6). */
export function writeText(text: string, messageId: string, wanted: string, now: Date): Buffer {
  return writeCpim(
    {
      headers: [
        ...addressing(messageId, now),
        { namespace: imdnHeaders, name: 'Disposition-Notification', value: wanted },
      ],
      content: new Map([['content-type', 'text/plain;charset=UTF-8']]),
      body: Buffer.from(text, 'utf8'),
    },
    prefixes,
  )
}

/** The body of a notification that a message has been delivered, or displayed (RFC 5438 §7.2.1, §9). */
export function writeNotification(
  { messageId, date }: ReceivedMessage,
  disposition: Disposition,
  recipientUri: string,
  now: Date,
): Buffer {
  return writeCpim(
    {
      headers: addressing(randomUUID(), now),
      content: new Map([
        ['content-type', 'message/imdn+xml'],
        ['content-disposition', 'notification'],
      ]),
      body: writeImdn({ messageId, datetime: date ?? now.toISOString(), recipientUri, disposition }),
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

/** Undefined when it cannot be read. */
export function readContent(received: Received): Content | undefined {
  try {
    if (mediaType(received.contentType) !== 'message/cpim') return contentOf(received, undefined)
    const cpim = readCpim(received.body)
    const contentType = cpim.content.get('content-type') ?? 'text/plain'
    return contentOf({ ...received, contentType, body: cpim.body }, cpim)
  } catch (err) {
    if (malformed.some((kind) => err instanceof kind)) return undefined
    throw err
  }
}

const malformed = [MalformedCpim, MalformedImdn, MalformedIsComposing, MalformedMime]

function contentOf({ from, contentType, body, id, date }: Received, cpim: Cpim | undefined): Content {
  const type = mediaType(contentType)
  if (type === isComposingType) return { kind: 'composing', composing: readIsComposing(body) }
  if (type === 'message/imdn+xml') {
    const { messageId, disposition } = readImdn(body)
    return { kind: 'notification', notification: { from, messageId, status: disposition.status } }
  }
  const messageId = (cpim && cpimHeader(cpim, 'Message-ID', imdnHeaders)) ?? id
  const wanted = (cpim && cpimHeader(cpim, 'Disposition-Notification', imdnHeaders)) ?? ''
  const sent = (cpim && cpimHeader(cpim, 'DateTime')) ?? date
  return {
    kind: 'message',
    message: { from, text: body.toString('utf8'), messageId, contentType, date: sent },
    wanted: { delivery: wanted.includes('positive-delivery'), display: /\bdisplay\b/.test(wanted) },
  }
}
