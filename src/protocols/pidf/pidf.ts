import { checkWellFormed } from '../xml/check-well-formed.ts'
import { MalformedXml } from '../xml/malformed-xml.ts'
import { readElements } from '../xml/read-elements.ts'
import { escapeAttribute } from '../xml/references.ts'
import { standalone } from '../xml/standalone.ts'
import type { XmlElement } from '../xml/xml-element.ts'
import { MalformedPidf } from './malformed-pidf.ts'

export const pidfType = 'application/pidf+xml'
const pidf = 'urn:ietf:params:xml:ns:pidf'
const dataModel = 'urn:ietf:params:xml:ns:pidf:data-model'

/** A piece of presence: a service (`tuple`), a `person` or a `device` (RFC 4479 §3), or a note about all. */
export interface PresencePart {
  readonly kind: 'tuple' | 'person' | 'device' | 'note'
  /** '' for a note. */
  readonly id: string
  /** An element that stands for itself: it declares the namespaces that it uses. */
  readonly xml: string
}

/** A presence document (RFC 3863, RFC 4479). */
export interface Pidf {
  readonly entity: string
  readonly parts: readonly PresencePart[]
}

const limits = { depth: 20, elements: 2_000 }

/** Extensions stay as they are. Throws MalformedPidf. */
export function readPidf(content: Buffer): Pidf {
  const text = content.toString('utf8').replace(/^\uFEFF/, '')
  const root = parsed(text)
  if (root.name !== 'presence' || root.namespace !== pidf) throw new MalformedPidf('no presence document')
  const entity = attributeOf(root, 'entity')
  if (entity === undefined) throw new MalformedPidf('entity is missing')
  return { entity, parts: root.children.flatMap((child) => readPart(text, child)) }
}

function parsed(text: string): XmlElement {
  try {
    const root = readElements(text, limits)
    checkWellFormed(text)
    return root
  } catch (err) {
    if (err instanceof MalformedXml) throw new MalformedPidf(err.message, { cause: err })
    throw err
  }
}

function readPart(text: string, element: XmlElement): PresencePart[] {
  const kind = kindOf(element)
  if (kind === undefined) return []
  const id = kind === 'note' ? '' : attributeOf(element, 'id')
  if (id === undefined) throw new MalformedPidf(`a ${kind} without id`)
  if (kind === 'tuple' && !element.children.some(({ name, namespace }) => name === 'status' && namespace === pidf))
    throw new MalformedPidf('a tuple without status')
  return [{ kind, id, xml: standalone(text, element) }]
}

function kindOf({ name, namespace }: XmlElement): PresencePart['kind'] | undefined {
  if (namespace === pidf) return name === 'tuple' || name === 'note' ? name : undefined
  return namespace === dataModel && (name === 'person' || name === 'device') ? name : undefined
}

const order = ['tuple', 'note', 'person', 'device'] as const

export function writePidf({ entity, parts }: Pidf): Buffer {
  const sorted = order.flatMap((kind) => parts.filter((part) => part.kind === kind).map(({ xml }) => xml))
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<presence xmlns="${pidf}" entity="${escapeAttribute(entity)}">${sorted.join('')}</presence>\n`,
  )
}

const attributeOf = ({ attributes }: XmlElement, name: string): string | undefined =>
  attributes.find((one) => one.name === name && one.namespace === '')?.value
