import {
  type Asker,
  type Circumstances,
  type Condition,
  listsNamedIn,
  readConditions,
} from '../../protocols/common-policy/conditions.ts'
import { readElements } from '../../protocols/xml/read-elements.ts'
import { resolveReferences } from '../../protocols/xml/references.ts'
import type { XmlElement } from '../../protocols/xml/xml-element.ts'

/** What becomes of a subscription (RFC 5025 §3.2.1), the least first: the highest of the rules that match counts. */
export const handlings = ['block', 'confirm', 'polite-block', 'allow'] as const
export type Handling = (typeof handlings)[number]

/** What a watcher may do and see: rules only add to it (RFC 4745 §10). */
export interface Decision {
  readonly handling: Handling
  readonly shows: Shown
}

/** Parts and elements that are shown (RFC 5025 §3.3). */
export interface Shown {
  readonly services: Selector
  readonly persons: Selector
  readonly devices: Selector
  /** Local names of elements, `{namespace}name` for those that no rule knows by name, `element@attribute`; or `all`. */
  readonly attributes: ReadonlySet<string> | 'all'
}

/** Which tuples, persons or devices: all, or those that one of the tests is true of. */
export type Selector = 'all' | readonly PartTest[]

export interface PartTest {
  readonly by: 'service-uri' | 'service-uri-scheme' | 'deviceID' | 'occurrence-id' | 'class'
  readonly value: string
}

const namespaces = {
  common: 'urn:ietf:params:xml:ns:common-policy',
  rules: 'urn:ietf:params:xml:ns:pres-rules',
  omaRules: 'urn:oma:xml:prs:pres-rules',
  oma: 'urn:oma:xml:xdm:common-policy',
} as const

const limits = { depth: 20, elements: 20_000 }

/** What RFC 5025 §3.3.2, and OMA's presence authorisation, name `provide-…`, by the element that is provided. */
const attributeNames: Readonly<Record<string, string>> = {
  'provide-activities': 'activities',
  'provide-class': 'class',
  'provide-deviceID': 'deviceID',
  'provide-mood': 'mood',
  'provide-place-is': 'place-is',
  'provide-place-type': 'place-type',
  'provide-privacy': 'privacy',
  'provide-relationship': 'relationship',
  'provide-sphere': 'sphere',
  'provide-status-icon': 'status-icon',
  'provide-time-offset': 'time-offset',
  'provide-note': 'note',
  'provide-barring-state': 'barring-state',
  'provide-network-availability': 'network-availability',
  'provide-registration-state': 'registration-state',
  'provide-session-participation': 'session-participation',
  'provide-willingness': 'willingness',
}

/** How much of `user-input` is provided (RFC 5025 §3.3.2.14). */
const userInput: Readonly<Record<string, readonly string[]>> = {
  bare: ['user-input'],
  thresholds: ['user-input', 'user-input@idle-threshold'],
  full: ['user-input', 'user-input@idle-threshold', 'user-input@last-input'],
}

interface Rule {
  readonly matches: Condition
  readonly handling: Handling
  readonly shows: Shown
}

const nothing: Shown = { services: [], persons: [], devices: [], attributes: new Set() }
export const everything: Shown = { services: 'all', persons: 'all', devices: 'all', attributes: 'all' }

/** A pres-rules document (RFC 5025 on RFC 4745, with the conditions of OMA). What cannot be read grants nothing. */
export class PresenceRules {
  readonly #rules: readonly Rule[]
  /** URIs of the lists that conditions name. */
  readonly lists: readonly string[]

  constructor(content: Buffer, addressOf: (uri: string) => string | undefined) {
    const text = content.toString('utf8')
    const root = readElements(text, limits)
    const reader = new RuleReader(text, addressOf)
    this.#rules = root.children
      .filter((child) => isElement(child, namespaces.common, 'rule'))
      .map((rule) => reader.read(rule))
    this.lists = reader.lists
  }

  /** No rule for somebody: nothing is granted (RFC 4745 §5). */
  decide(asker: Asker, circumstances: Omit<Circumstances, 'other'>): Decision {
    const matching = this.#rules.filter((rule) => rule.matches(asker, { ...circumstances, other: false }))
    const chosen =
      matching.length > 0
        ? matching
        : this.#rules.filter((rule) => rule.matches(asker, { ...circumstances, other: true }))
    const level = Math.max(0, ...chosen.map(({ handling }) => handlings.indexOf(handling)))
    return { handling: handlings[level] ?? 'block', shows: chosen.map(({ shows }) => shows).reduce(union, nothing) }
  }
}

class RuleReader {
  readonly lists: string[] = []
  readonly #text: string
  readonly #addressOf: (uri: string) => string | undefined

  constructor(text: string, addressOf: (uri: string) => string | undefined) {
    this.#text = text
    this.#addressOf = addressOf
  }

  read(rule: XmlElement): Rule {
    this.lists.push(...listsNamedIn(rule))
    const actions = childrenOf(rule, namespaces.common, 'actions')
    const [handling] = actions.flatMap((one) => childrenOf(one, namespaces.rules, 'sub-handling'))
    const word = handling && this.#content(handling)
    return {
      matches: readConditions(this.#text, rule, this.#addressOf),
      handling: handlings.find((one) => one === word) ?? 'block',
      shows: this.#shown(childrenOf(rule, namespaces.common, 'transformations')),
    }
  }

  #shown(transformations: readonly XmlElement[]): Shown {
    const all = transformations.flatMap(({ children }) =>
      children.filter(({ namespace }) => namespace === namespaces.rules || namespace === namespaces.omaRules),
    )
    const of = (name: string) => all.filter((one) => one.name === name)
    const named = all.flatMap((one) => this.#provided(one))
    return {
      services: this.#selector(of('provide-services'), 'all-services'),
      persons: this.#selector(of('provide-persons'), 'all-persons'),
      devices: this.#selector(of('provide-devices'), 'all-devices'),
      attributes: of('provide-all-attributes').length > 0 ? 'all' : new Set(named),
    }
  }

  /** RFC 5025 §3.3.2. */
  #provided(element: XmlElement): readonly string[] {
    const content = this.#content(element)
    if (element.name === 'provide-user-input') return userInput[content] ?? []
    if (element.name === 'provide-geopriv') return content === 'full' ? ['geopriv'] : []
    if (!isTrue(content)) return []
    if (element.name === 'provide-unknown-attribute')
      return [`{${attributeOf(element, 'ns') ?? ''}}${attributeOf(element, 'name') ?? ''}`]
    const name = attributeNames[element.name]
    return name === undefined ? [] : [name]
  }

  #selector(elements: readonly XmlElement[], all: string): Selector {
    const children = elements.flatMap((one) => one.children)
    if (children.some(({ name }) => name === all)) return 'all'
    return children.flatMap((child) =>
      partTests.includes(child.name as PartTest['by'])
        ? [{ by: child.name as PartTest['by'], value: this.#content(child) }]
        : [],
    )
  }

  #content({ contentStart, contentEnd }: XmlElement): string {
    return resolveReferences(this.#text.slice(contentStart, contentEnd)).trim()
  }
}

const partTests: readonly PartTest['by'][] = ['service-uri', 'service-uri-scheme', 'deviceID', 'occurrence-id', 'class']

function union(one: Shown, other: Shown): Shown {
  const both = (a: Selector, b: Selector): Selector => (a === 'all' || b === 'all' ? 'all' : [...a, ...b])
  return {
    services: both(one.services, other.services),
    persons: both(one.persons, other.persons),
    devices: both(one.devices, other.devices),
    attributes:
      one.attributes === 'all' || other.attributes === 'all'
        ? 'all'
        : new Set([...one.attributes, ...other.attributes]),
  }
}

const isTrue = (text: string): boolean => text === 'true' || text === '1'
const isElement = ({ name, namespace }: XmlElement, its: string, called: string) => name === called && namespace === its
const childrenOf = ({ children }: XmlElement, namespace: string, name: string): readonly XmlElement[] =>
  children.filter((child) => isElement(child, namespace, name))
const attributeOf = ({ attributes }: XmlElement, name: string): string | undefined =>
  attributes.find((one) => one.name === name && one.namespace === '')?.value
