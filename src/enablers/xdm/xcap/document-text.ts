import { ParseOption, XmlDocument, XmlParseError } from 'libxml2-wasm'
import { MalformedXml } from '../../../protocols/xml/malformed-xml.ts'
import { readElements } from '../../../protocols/xml/read-elements.ts'
import { escapeAttribute } from '../../../protocols/xml/references.ts'
import { namespacesInScope, type XmlElement } from '../../../protocols/xml/xml-element.ts'
import { XcapConflict } from './xcap-conflict.ts'

/** A document: its text, and where its elements stand in it. */
export interface DocumentText {
  readonly text: string
  readonly root: XmlElement
}

const limits = { depth: 100, elements: 50_000 }
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

/**
 * Reads bytes that are to be a document. Throws XcapConflict for what is not UTF-8, and where it finds that it is not
 * well-formed; a parser that looks for it comes later (Schemas).
 */
export function readDocument(content: Buffer): DocumentText {
  const text = readUtf8(content)
  const [, encoding = 'utf-8'] = /^<\?xml\s[^>]*?encoding\s*=\s*["']([^"']*)["']/.exec(text) ?? []
  if (!/^(utf-?8|us-ascii)$/i.test(encoding)) throw new XcapConflict({ kind: 'not-utf-8', phrase: encoding })
  return readText(text)
}

/** Reads a text that was put together from a document and something new. Throws XcapConflict('not-well-formed'). */
export function readText(text: string): DocumentText {
  try {
    // The bounds, and a document type, are looked at before a parser does any work.
    return { text, root: readElements(text, limits) }
  } catch (err) {
    throw conflictOf(err, 'not-well-formed')
  }
}

/** Bytes of a text, without a byte order mark. */
export function readUtf8(content: Buffer): string {
  try {
    return utf8.decode(content)
  } catch {
    throw new XcapConflict({ kind: 'not-utf-8' })
  }
}

/** A parsed document of libxml2; the caller disposes of it. Throws XcapConflict('not-well-formed'). */
export function parse(content: Buffer): XmlDocument {
  try {
    return XmlDocument.fromBuffer(content, { encoding: 'utf-8', option })
  } catch (err) {
    throw conflictOf(err, 'not-well-formed')
  }
}

const option = ParseOption.XML_PARSE_NONET | ParseOption.XML_PARSE_NO_XXE

/**
 * The element that a body holds, without what surrounds it; its prefixes may be bound where it goes. Throws
 * XcapConflict('not-xml-frag') for anything but one element (RFC 4825 §8.2.1).
 */
export function readFragment(content: Buffer, context: XmlElement | undefined): string {
  const fragment = readUtf8(content).trim()
  const open = `<context${declarations(context)}>`
  try {
    const { children } = readElements(`${open}${fragment}</context>`, limits)
    XmlDocument.fromString(`${open}${fragment}</context>`, { option }).dispose()
    const [only] = children
    const alone = children.length === 1 && only?.start === open.length && only.end === open.length + fragment.length
    if (!alone) throw new MalformedXml('not one element')
    return fragment
  } catch (err) {
    throw conflictOf(err, 'not-xml-frag')
  }
}

function declarations(context: XmlElement | undefined): string {
  if (context === undefined) return ''
  return [...namespacesInScope(context)]
    .map(([prefix, uri]) => ` xmlns${prefix === '' ? '' : `:${prefix}`}="${escapeAttribute(uri)}"`)
    .join('')
}

function conflictOf(err: unknown, kind: 'not-well-formed' | 'not-xml-frag'): unknown {
  if (err instanceof MalformedXml) return new XcapConflict({ kind, phrase: err.message })
  if (err instanceof XmlParseError) return new XcapConflict({ kind, phrase: err.details[0]?.message.trim() ?? kind })
  return err
}
