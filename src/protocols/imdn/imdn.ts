import { XMLParser } from 'fast-xml-parser'
import { create } from 'xmlbuilder2'
import { MalformedImdn } from './malformed-imdn.ts'

/** The namespace of the CPIM header fields Message-ID, Disposition-Notification, … (RFC 5438 §6). */
export const imdnHeaders = 'urn:ietf:params:imdn'
const imdnDocument = 'urn:ietf:params:xml:ns:imdn'

export type DeliveryStatus = 'delivered' | 'failed' | 'forbidden' | 'error'
export type DisplayStatus = 'displayed' | 'forbidden' | 'error'
export type ProcessingStatus = 'processed' | 'stored' | 'forbidden' | 'error'

/** What a notification tells of its message (RFC 5438 §9). */
export type Disposition =
  | { readonly kind: 'delivery'; readonly status: DeliveryStatus }
  | { readonly kind: 'display'; readonly status: DisplayStatus }
  | { readonly kind: 'processing'; readonly status: ProcessingStatus }

/** A message/imdn+xml document. Text is as XML gives it: decoded, trimmed. */
export interface Imdn {
  readonly messageId: string
  readonly datetime: string
  readonly recipientUri?: string
  readonly originalRecipientUri?: string
  readonly subject?: string
  readonly disposition: Disposition
}

export interface ImdnLimits {
  readonly bytes: number
}

export const imdnLimits: ImdnLimits = { bytes: 16_384 }

const statuses = {
  delivery: ['delivered', 'failed', 'forbidden', 'error'],
  display: ['displayed', 'forbidden', 'error'],
  processing: ['processed', 'stored', 'forbidden', 'error'],
} as const satisfies { [kind in Disposition['kind']]: readonly string[] }

const parser = new XMLParser({
  removeNSPrefix: true,
  ignoreAttributes: true,
  parseTagValue: false,
  processEntities: true,
  maxNestedTags: 8,
})

/** Reads a message/imdn+xml document. A DOCTYPE is refused, so that no entity is ever declared. Throws MalformedImdn. */
export function readImdn(bytes: Buffer, limits: ImdnLimits = imdnLimits): Imdn {
  if (bytes.length > limits.bytes) throw new MalformedImdn('too large')
  const imdn = child(parsed(bytes.toString('utf8')), 'imdn')
  if (imdn === undefined) throw new MalformedImdn('no imdn element')
  return {
    messageId: required(imdn, 'message-id'),
    datetime: text(imdn, 'datetime') ?? '',
    ...optional('recipientUri', text(imdn, 'recipient-uri')),
    ...optional('originalRecipientUri', text(imdn, 'original-recipient-uri')),
    ...optional('subject', text(imdn, 'subject')),
    disposition: readDisposition(imdn),
  }
}

type Element = Readonly<Record<string, unknown>>

function parsed(xml: string): Element {
  if (/<!DOCTYPE/i.test(xml)) throw new MalformedImdn('DOCTYPE')
  try {
    return asElement(parser.parse(xml, true)) ?? {}
  } catch {
    throw new MalformedImdn('not well-formed')
  }
}

function readDisposition(imdn: Element): Disposition {
  for (const kind of ['display', 'delivery', 'processing'] as const) {
    const status = child(child(imdn, `${kind}-notification`), 'status')
    if (status === undefined) continue
    const found = statuses[kind].find((name) => name in status)
    if (found === undefined) throw new MalformedImdn(`unknown ${kind} status`)
    return { kind, status: found } as Disposition
  }
  throw new MalformedImdn('no notification element')
}

function required(of: Element, name: string): string {
  const value = text(of, name)
  if (value === undefined || value === '') throw new MalformedImdn(`no ${name}`)
  return value
}

const asElement = (value: unknown): Element | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Element) : undefined

const child = (of: Element | undefined, name: string): Element | undefined =>
  of !== undefined && Object.hasOwn(of, name) ? asElement(of[name]) : undefined

function text(of: Element, name: string): string | undefined {
  const value = Object.hasOwn(of, name) ? of[name] : undefined
  return typeof value === 'string' ? value.trim() : undefined
}

const optional = <Name extends string>(name: Name, value: string | undefined): { [key in Name]?: string } =>
  value === undefined ? {} : ({ [name]: value } as { [key in Name]?: string })

/** The bytes of a message/imdn+xml document, elements in the order of its schema (RFC 5438 §11.1). */
export function writeImdn(imdn: Imdn): Buffer {
  const root = create({ version: '1.0', encoding: 'UTF-8' }).ele(imdnDocument, 'imdn')
  root.ele('message-id').txt(imdn.messageId)
  root.ele('datetime').txt(imdn.datetime)
  if (imdn.recipientUri !== undefined) root.ele('recipient-uri').txt(imdn.recipientUri)
  if (imdn.originalRecipientUri !== undefined) root.ele('original-recipient-uri').txt(imdn.originalRecipientUri)
  if (imdn.subject !== undefined) root.ele('subject').txt(imdn.subject)
  root.ele(`${imdn.disposition.kind}-notification`).ele('status').ele(imdn.disposition.status)
  return Buffer.from(root.end({ prettyPrint: true, newline: '\r\n' }), 'utf8')
}
