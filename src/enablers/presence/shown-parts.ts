import type { PresencePart } from '../../protocols/pidf/pidf.ts'
import { readElements } from '../../protocols/xml/read-elements.ts'
import { resolveReferences } from '../../protocols/xml/references.ts'
import type { XmlElement } from '../../protocols/xml/xml-element.ts'
import type { PartTest, Selector, Shown } from './presence-rules.ts'

const limits = { depth: 30, elements: 2_000 }
const pidf = 'urn:ietf:params:xml:ns:pidf'
const dataModel = 'urn:ietf:params:xml:ns:pidf:data-model'
const rpid = 'urn:ietf:params:xml:ns:pidf:rpid'
const oma = 'urn:oma:xml:prs:pidf:oma-pres'
const geopriv = 'urn:ietf:params:xml:ns:pidf:geopriv10'
/** What every watcher of a part sees (RFC 5025 §3.3.2). */
const alwaysShown = new Set([
  ...['status', 'basic', 'contact', 'timestamp'].map((name) => `{${pidf}}${name}`),
  `{${dataModel}}timestamp`,
  `{${oma}}service-description`,
])
/** Elements of these are provided by their name alone. */
const known = new Set([pidf, dataModel, rpid, oma, geopriv])

/** What of somebody's presence a watcher gets to see (RFC 5025 §3.3). */
export function shownParts(parts: readonly PresencePart[], shows: Shown): readonly PresencePart[] {
  if (isEverything(shows)) return parts
  return parts.flatMap((part) => {
    const element = readElements(part.xml, limits)
    return isShown(part, element, shows) ? [withAttributes(part, element, shows)] : []
  })
}

const isEverything = ({ services, persons, devices, attributes }: Shown): boolean =>
  services === 'all' && persons === 'all' && devices === 'all' && attributes === 'all'

function isShown(part: PresencePart, element: XmlElement, shows: Shown): boolean {
  switch (part.kind) {
    case 'tuple':
      return selects(shows.services, part, element)
    case 'person':
      return selects(shows.persons, part, element)
    case 'device':
      return selects(shows.devices, part, element)
    case 'note':
      return shows.attributes === 'all' || shows.attributes.has('note')
  }
}

const selects = (selector: Selector, part: PresencePart, element: XmlElement): boolean =>
  selector === 'all' || selector.some((test) => isTrueOf(test, part, element))

function isTrueOf({ by, value }: PartTest, { id, xml }: PresencePart, { children }: XmlElement): boolean {
  if (by === 'occurrence-id') return id === value
  const texts = children
    .filter(({ name }) => name === elementOf[by])
    .map(({ contentStart, contentEnd }) => resolveReferences(xml.slice(contentStart, contentEnd)).trim())
  if (by === 'service-uri-scheme') return texts.some((text) => text.toLowerCase().startsWith(`${value.toLowerCase()}:`))
  return texts.includes(value)
}

const elementOf = {
  'service-uri': 'contact',
  'service-uri-scheme': 'contact',
  deviceID: 'deviceID',
  class: 'class',
} as const

/** Without the elements that are not provided, and what `user-input` tells too much. */
function withAttributes(part: PresencePart, element: XmlElement, { attributes }: Shown): PresencePart {
  if (attributes === 'all') return part
  const status = element.children.filter(({ name, namespace }) => name === 'status' && namespace === pidf)
  const hidden = [...element.children, ...status.flatMap(({ children }) => children)].filter(
    (child) => !isProvided(child, part, attributes),
  )
  const tooMuch = element.children.flatMap((child) => (hidden.includes(child) ? [] : excess(child, attributes)))
  return { ...part, xml: without(part.xml, [...hidden, ...tooMuch]) }
}

function isProvided({ name, namespace }: XmlElement, { kind }: PresencePart, attributes: ReadonlySet<string>): boolean {
  const qualified = `{${namespace}}${name}`
  if (alwaysShown.has(qualified) || attributes.has(qualified)) return true
  // Without it nothing would say which device it is.
  if (kind === 'device' && name === 'deviceID' && namespace === dataModel) return true
  return known.has(namespace) && attributes.has(name)
}

const excess = ({ name, namespace, attributes: its }: XmlElement, attributes: ReadonlySet<string>) =>
  name === 'user-input' && namespace === rpid
    ? its.filter((one) => ['idle-threshold', 'last-input'].includes(one.name) && !attributes.has(`${name}@${one.name}`))
    : []

interface Range {
  readonly start: number
  readonly end: number
}

const without = (text: string, ranges: readonly Range[]): string =>
  [...ranges]
    .sort((one, other) => other.start - one.start)
    .reduce((left, { start, end }) => left.slice(0, start) + left.slice(end), text)
