import { XMLParser } from 'fast-xml-parser'
import { create } from 'xmlbuilder2'
import { MalformedIsComposing } from './malformed-is-composing.ts'

export const isComposingType = 'application/im-iscomposing+xml'
const namespace = 'urn:ietf:params:xml:ns:im-iscomposing'

/** A status message (RFC 3994 §4). */
export interface IsComposing {
  readonly state: 'active' | 'idle'
  /** The media type that is composed. */
  readonly contentType?: string
  /** Seconds for which `active` holds. */
  readonly refresh?: number
}

const mostBytes = 4096

const parser = new XMLParser({
  removeNSPrefix: true,
  ignoreAttributes: true,
  parseTagValue: false,
  processEntities: true,
  maxNestedTags: 8,
})

/** Reads a status message. A state that nobody knows is `idle` (RFC 3994 §3.1). Throws MalformedIsComposing. */
export function readIsComposing(bytes: Buffer): IsComposing {
  if (bytes.length > mostBytes) throw new MalformedIsComposing('too large')
  const { state, contenttype, refresh } = children(bytes.toString('utf8'))
  if (state === undefined) throw new MalformedIsComposing('no state')
  return {
    state: state === 'active' ? 'active' : 'idle',
    ...(contenttype !== undefined && { contentType: contenttype }),
    ...(refresh !== undefined && /^[1-9]\d{0,6}$/.test(refresh) && { refresh: Number(refresh) }),
  }
}

/** The text of the elements below the root. A DOCTYPE is refused, so that no entity is ever declared. */
function children(xml: string): Readonly<Record<string, string | undefined>> {
  if (/<!DOCTYPE/i.test(xml)) throw new MalformedIsComposing('DOCTYPE')
  const root = asElement(asElement(parsed(xml))?.isComposing)
  if (root === undefined) throw new MalformedIsComposing('no isComposing element')
  const texts = Object.entries(root).filter((one): one is [string, string] => typeof one[1] === 'string')
  return Object.fromEntries(texts.map(([name, text]) => [name, text.trim()]))
}

function parsed(xml: string): unknown {
  try {
    return parser.parse(xml, true)
  } catch {
    throw new MalformedIsComposing('not well-formed')
  }
}

const asElement = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined

/** The bytes of a status message, elements in the order of its schema (RFC 3994 §6). */
export function writeIsComposing({ state, contentType, refresh }: IsComposing): Buffer {
  const root = create({ version: '1.0', encoding: 'UTF-8' }).ele(namespace, 'isComposing')
  root.ele('state').txt(state)
  if (contentType !== undefined) root.ele('contenttype').txt(contentType)
  if (refresh !== undefined) root.ele('refresh').txt(String(refresh))
  return Buffer.from(root.end(), 'utf8')
}
