import { escapeAttribute } from '../xml/references.ts'
import { type FieldSpec, fieldsOf, isStructure } from './check-structure.ts'
import {
  channelNamespace,
  commonNamespace,
  nmsNamespace,
  otherNamespaces,
  type RootName,
  type RootValue,
  roots,
} from './structures.ts'

export type NmsFormat = 'json' | 'xml'

/** The body with that root, in either format. */
export function writeNms<Root extends RootName>(format: NmsFormat, root: Root, value: RootValue<Root>): string {
  return format === 'json' ? writeJson(root, value) : writeXml(root, value)
}

/** What has nothing in it is null (NMS Appendix D.15). */
function writeJson(root: RootName, value: unknown): string {
  return JSON.stringify({ [root]: jsonOf(roots[root], value) })
}

function jsonOf(type: string, value: unknown): unknown {
  if (!isStructure(type)) return value
  const fields = entriesOf(type)
  if (fields.length === 0) return null
  const members: Record<string, unknown> = {}
  for (const [name, [, fieldType]] of fields) {
    const field = (value as Readonly<Record<string, unknown>>)[name]
    if (field === undefined) continue
    members[name] = Array.isArray(field) ? field.map((item) => jsonOf(fieldType, item)) : jsonOf(fieldType, field)
  }
  return members
}

type Entries = readonly (readonly [string, FieldSpec])[]

const entries = new Map<string, Entries>()

/** Looked up once for each of the structures. */
function entriesOf(type: string): Entries {
  const known = entries.get(type) ?? Object.entries(fieldsOf(type))
  entries.set(type, known)
  return known
}

const prefixes: Readonly<Record<string, string>> = { [commonNamespace]: 'common', [channelNamespace]: 'nc' }

function writeXml(root: RootName, value: unknown): string {
  const namespace = otherNamespaces[root]
  const [prefix, uri] = namespace === undefined ? ['nms', nmsNamespace] : [prefixes[namespace] ?? 'ns', namespace]
  const name = `${prefix}:${root}`
  return `<?xml version="1.0" encoding="UTF-8"?>\n${elementOf(name, roots[root], value, ` xmlns:${prefix}="${uri}"`)}`
}

function elementOf(name: string, type: string, value: unknown, attributes = ''): string {
  if (!isStructure(type)) return `<${name}${attributes}>${escapeText(String(value))}</${name}>`
  const given = value as Readonly<Record<string, unknown>>
  let start = `<${name}${attributes}`
  let content = ''
  for (const [field, [occurs, fieldType]] of entriesOf(type)) {
    const one = given[field]
    if (one === undefined) continue
    if (occurs === '@') start += ` ${field}="${escapeAttribute(characters(String(one)))}"`
    else for (const item of Array.isArray(one) ? one : [one]) content += elementOf(field, fieldType, item)
  }
  return content === '' ? `${start}/>` : `${start}>${content}</${name}>`
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' }
const escapeText = (text: string): string => characters(text).replace(/[&<>\r]/g, (one) => escapes[one] as string)

/** What XML cannot hold (XML 1.0 §2.2) stands there as what it is: not readable. */
const noCharacter = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\p{Surrogate}]/gu
const characters = (text: string): string => text.replace(noCharacter, '\ufffd')
