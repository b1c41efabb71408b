import { XMLParser } from 'fast-xml-parser'
import { create } from 'xmlbuilder2'
import { MalformedResourceList } from './malformed-resource-list.ts'

/** RFC 5364 §4: how a recipient is addressed. */
export type CopyControl = 'to' | 'cc' | 'bcc'

/** An `entry` of a list (RFC 4826 §3.1), with the attributes of RFC 5364. */
export interface Recipient {
  readonly uri: string
  readonly copyControl?: CopyControl
  /** Asks that others do not see this URI. */
  readonly anonymize: boolean
}

export interface ResourceListLimits {
  readonly bytes: number
  /** Nesting of `list` elements. */
  readonly depth: number
  readonly entries: number
}

export const resourceListLimits: ResourceListLimits = { bytes: 65_536, depth: 8, entries: 1_000 }

const namespace = 'urn:ietf:params:xml:ns:resource-lists'
const copyControlNamespace = 'urn:ietf:params:xml:ns:copycontrol'

const parserFor = (depth: number): XMLParser =>
  new XMLParser({
    preserveOrder: true,
    removeNSPrefix: true,
    ignoreAttributes: false,
    attributeNamePrefix: '',
    parseTagValue: false,
    parseAttributeValue: false,
    processEntities: true,
    // resource-lists, the lists, entry, display-name
    maxNestedTags: depth + 3,
  })

/**
 * All entries of a resource-lists document, those of nested lists in their place (RFC 5365 §7.2 asks for flat lists; RFC
 * 4826 allows hierarchical ones). `external` and `entry-ref` name documents elsewhere and are refused. A DOCTYPE is
 * refused. Throws MalformedResourceList.
 */
export function readResourceLists(bytes: Buffer, limits: ResourceListLimits = resourceListLimits): Recipient[] {
  if (bytes.length > limits.bytes) throw new MalformedResourceList('too large')
  const root = parsed(bytes.toString('utf8'), limits.depth).find((node) => nameOf(node) === 'resource-lists')
  if (root === undefined) throw new MalformedResourceList('no resource-lists element')
  const found: Recipient[] = []
  for (const node of childrenOf(root)) if (nameOf(node) === 'list') addEntries(found, node, 1, limits)
  return found
}

/** A node as the parser gives it in document order: one key names the element, `:@` holds the attributes. */
type Node = Readonly<Record<string, unknown>>

function parsed(xml: string, depth: number): Node[] {
  if (/<!DOCTYPE/i.test(xml)) throw new MalformedResourceList('DOCTYPE')
  try {
    const nodes: unknown = parserFor(depth).parse(xml, true)
    return Array.isArray(nodes) ? nodes : []
  } catch {
    throw new MalformedResourceList('not well-formed')
  }
}

function addEntries(found: Recipient[], list: Node, depth: number, limits: ResourceListLimits): void {
  if (depth > limits.depth) throw new MalformedResourceList('nested too deep')
  for (const node of childrenOf(list)) {
    const name = nameOf(node)
    if (name === 'list') addEntries(found, node, depth + 1, limits)
    if (name === 'entry') found.push(readEntry(node))
    if (name === 'external' || name === 'entry-ref') throw new MalformedResourceList(`${name} is not followed`)
    if (found.length > limits.entries) throw new MalformedResourceList('too many entries')
  }
}

function readEntry(node: Node): Recipient {
  const uri = attribute(node, 'uri')?.trim()
  if (uri === undefined || uri === '') throw new MalformedResourceList('entry without uri')
  const copyControl = attribute(node, 'copyControl')?.toLowerCase()
  const anonymize = attribute(node, 'anonymize') === 'true'
  return isCopyControl(copyControl) ? { uri, copyControl, anonymize } : { uri, anonymize }
}

const isCopyControl = (value: string | undefined): value is CopyControl =>
  value === 'to' || value === 'cc' || value === 'bcc'

const nameOf = (node: Node): string | undefined => Object.keys(node).find((key) => key !== ':@')

function childrenOf(node: Node): Node[] {
  const name = nameOf(node)
  const children = name === undefined ? undefined : node[name]
  return Array.isArray(children) ? children : []
}

function attribute(node: Node, name: string): string | undefined {
  const attributes = node[':@']
  if (typeof attributes !== 'object' || attributes === null || !Object.hasOwn(attributes, name)) return undefined
  const value = (attributes as Record<string, unknown>)[name]
  return typeof value === 'string' ? value : undefined
}

/** The bytes of a flat resource-lists document. */
export function writeResourceLists(recipients: readonly Recipient[]): Buffer {
  const root = create({ version: '1.0', encoding: 'UTF-8' }).ele(namespace, 'resource-lists')
  root.att('http://www.w3.org/2000/xmlns/', 'xmlns:cp', copyControlNamespace)
  const list = root.ele(namespace, 'list')
  for (const { uri, copyControl, anonymize } of recipients) {
    const entry = list.ele(namespace, 'entry', { uri })
    if (copyControl !== undefined) entry.att(copyControlNamespace, 'cp:copyControl', copyControl)
    if (anonymize) entry.att(copyControlNamespace, 'cp:anonymize', 'true')
  }
  return Buffer.from(root.end({ prettyPrint: true, newline: '\r\n' }), 'utf8')
}
