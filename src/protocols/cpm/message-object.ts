import { type Cpim, cpimHeader, readCpim } from '../cpim/cpim.ts'
import { MalformedCpim } from '../cpim/malformed-cpim.ts'
import { imdnHeaders } from '../imdn/imdn.ts'
import { decodeContent } from '../mime/content-encoding.ts'
import { mediaType, readContentType } from '../mime/content-type.ts'
import { MalformedMime } from '../mime/malformed-mime.ts'
import { readMultipart } from '../mime/multipart.ts'
import type { SipRequest } from '../sip/message.ts'
import { readNameAddr } from '../sip/name-addr.ts'
import { fileAttributes, fileInfoType } from './file-attributes.ts'

/** A message as an object of the message store (CPM object model, features 1.8). */
export interface MessageObject {
  readonly kind: 'message' | 'file'
  /** imdn.Message-ID; of a message that has none, its Call-ID. */
  readonly correlationId: string
  readonly conversationId: string | undefined
  readonly contributionId: string | undefined
  /** Without Direction, which is each owner's own. */
  readonly attributes: Readonly<Record<string, readonly string[]>>
  readonly contentType: string | undefined
  readonly parts: readonly ObjectPart[]
  /** What is in its text/plain parts. */
  readonly text: string | undefined
}

export interface ObjectPart {
  readonly number: number
  readonly contentType: string
  readonly contentId?: string
  readonly contentLocation?: string
  readonly disposition?: string
  readonly fileName?: string
  readonly size: number
}

/** An entity inside of a message's payload, with its bytes. */
export interface Entity {
  readonly part: ObjectPart
  readonly body: Buffer
}

const mostDecoded = 1_048_576
const mostText = 65_536
/** As far as an index takes it. */
const longestId = 255
const anonymous = 'sip:anonymous@anonymous.invalid'

/** `kept`: the request with the identities that its receiver may see. `date`: milliseconds since 1970. */
export function readMessageObject(kept: SipRequest, date: number): MessageObject {
  const payload = readPayload(kept)
  const entities = payload === undefined ? [] : entitiesOf(payload)
  const file = entities.find(({ part }) => mediaType(part.contentType) === fileInfoType)
  const messageId = payload?.cpim && cpimHeader(payload.cpim, 'Message-ID', imdnHeaders)
  const correlationId = clean(messageId ?? kept.headers.get('call-id') ?? '').slice(0, longestId)
  const contentType = headerText(kept, 'content-type')
  return {
    kind: file === undefined ? 'message' : 'file',
    correlationId,
    conversationId: headerText(kept, 'conversation-id'),
    contributionId: headerText(kept, 'contribution-id'),
    attributes: { ...attributesOf(kept, date, correlationId), ...(file && fileAttributes(file.body)) },
    contentType,
    parts: payload?.cpim === undefined ? [] : entities.map(({ part }) => part),
    text: textOf(entities),
  }
}

/** What is inside of the payload of a message; empty where it is no message/cpim, or cannot be read. */
export function entitiesIn(kept: SipRequest): readonly Entity[] {
  const payload = readPayload(kept)
  return payload?.cpim === undefined ? [] : entitiesOf(payload)
}

/** What is in the text/plain parts of a payload. */
export function textIn(kept: SipRequest): string | undefined {
  const payload = readPayload(kept)
  return payload && textOf(entitiesOf(payload))
}

/** Who a message is from, as far as its receiver may know. */
export function originOf({ headers }: SipRequest): string {
  try {
    return readNameAddr(headers.get('p-asserted-identity') ?? headers.get('from') ?? '').uri
  } catch {
    return anonymous
  }
}

function attributesOf(kept: SipRequest, date: number, correlationId: string): Record<string, readonly string[]> {
  const attributes: Record<string, readonly string[]> = {
    Date: [new Date(date).toISOString().replace(/\.\d+/, '')],
    From: [clean(originOf(kept))],
    To: [clean(recipientOf(kept))],
    'Message-Context': ['pager-message'],
    'IMDN-Message-ID': [correlationId],
  }
  for (const [field, name] of carried) {
    const value = headerText(kept, field)
    if (value !== undefined) attributes[name] = [value]
  }
  return attributes
}

const carried = [
  ['subject', 'Subject'],
  ['content-type', 'Content-Type'],
  ['conversation-id', 'Conversation-ID'],
  ['contribution-id', 'Contribution-ID'],
  ['inreplyto-contribution-id', 'InReplyTo-Contribution-ID'],
  ['p-asserted-service', 'P-Asserted-Service'],
] as const

function recipientOf({ headers, uri }: SipRequest): string {
  try {
    return readNameAddr(headers.get('to') ?? '').uri
  } catch {
    return uri
  }
}

interface Payload {
  readonly cpim: Cpim | undefined
  readonly contentType: string
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

const noHeaders: ReadonlyMap<string, string> = new Map()

/** Undefined for what cannot be read: it is kept as it came. */
function readPayload({ headers, body }: SipRequest): Payload | undefined {
  const written = headers.get('content-type') ?? 'text/plain'
  try {
    const decoded = decodeContent(body, headers.get('content-encoding'), mostDecoded)
    if (mediaType(written) !== 'message/cpim') {
      return { cpim: undefined, contentType: written, headers: noHeaders, body: decoded }
    }
    const cpim = readCpim(decoded)
    const contentType = cpim.content.get('content-type') ?? 'text/plain'
    return { cpim, contentType, headers: cpim.content, body: cpim.body }
  } catch (err) {
    if (err instanceof MalformedCpim || err instanceof MalformedMime) return undefined
    throw err
  }
}

function entitiesOf({ contentType, headers, body }: Payload): Entity[] {
  if (!mediaType(contentType).startsWith('multipart/')) return [entityOf(1, contentType, headers, body)]
  try {
    return readMultipart(body, contentType).map((one, index) =>
      entityOf(index + 1, one.headers.get('content-type') ?? 'text/plain', one.headers, one.body),
    )
  } catch (err) {
    if (err instanceof MalformedMime) return [entityOf(1, contentType, headers, body)]
    throw err
  }
}

function entityOf(number: number, contentType: string, headers: ReadonlyMap<string, string>, body: Buffer): Entity {
  const disposition = headers.get('content-disposition')
  const said = disposition === undefined ? undefined : readContentType(disposition)
  const fileName = said?.params.get('filename')
  const contentId = headers.get('content-id')
  const contentLocation = headers.get('content-location')
  const part = {
    number,
    contentType: clean(contentType),
    ...(contentId !== undefined && { contentId: clean(contentId) }),
    ...(contentLocation !== undefined && { contentLocation: clean(contentLocation) }),
    ...(said !== undefined && { disposition: clean(said.type) }),
    ...(fileName !== undefined && { fileName: clean(fileName) }),
    size: body.length,
  }
  return { part, body }
}

function textOf(entities: readonly Entity[]): string | undefined {
  const texts = entities.filter(({ part }) => mediaType(part.contentType) === 'text/plain').map(plainText)
  return texts.length === 0 ? undefined : texts.join('\n').slice(0, mostText)
}

/** A character is of four bytes at most. */
function plainText({ part, body }: Entity): string {
  const charset = part.contentType.includes('=') ? readContentType(part.contentType).params.get('charset') : undefined
  const encoding = charset !== undefined && /^(iso-8859-1|latin1)$/i.test(charset) ? 'latin1' : 'utf8'
  return clean(body.toString(encoding, 0, Math.min(body.length, 4 * mostText)))
}

/** Header text has a character for each byte. */
function headerText({ headers }: SipRequest, name: string): string | undefined {
  const value = headers.get(name)
  return value === undefined ? undefined : clean(Buffer.from(value, 'latin1').toString())
}

/** No database takes a character of value zero in a text. */
const clean = (text: string): string => (text.includes('\0') ? text.replaceAll('\0', '') : text)
