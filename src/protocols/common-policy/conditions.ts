import { stringValue } from '../xml/string-value.ts'
import type { XmlElement } from '../xml/xml-element.ts'

/** Who asks for something that rules decide about. */
export interface Asker {
  /** All their canonical addresses. */
  readonly identities: readonly string[]
  readonly anonymous: boolean
}

export interface Circumstances {
  /** Milliseconds since 1970. */
  readonly now: number
  /** No rule has matched: those for other identities may (OMA). */
  readonly other: boolean
  /** Whether an address stands in the list that an external-list names (OMA); without it nobody does. */
  inList?(uri: string, aor: string): boolean
}

export type Condition = (asker: Asker, circumstances: Circumstances) => boolean

const namespaces = { common: 'urn:ietf:params:xml:ns:common-policy', oma: 'urn:oma:xml:xdm:common-policy' } as const

/** The conditions of a rule: all of them must be true, and one that is not known is not (RFC 4745 §7, §10). */
export function readConditions(
  text: string,
  rule: XmlElement,
  addressOf: (uri: string) => string | undefined,
): Condition {
  const conditions = childrenOf(rule, namespaces.common, 'conditions').flatMap(({ children }) => children)
  const tests = conditions.map((condition) => readCondition(text, condition, addressOf))
  return (asker, circumstances) => tests.every((test) => test(asker, circumstances))
}

type AddressOf = Parameters<typeof readConditions>[2]

function readCondition(text: string, condition: XmlElement, addressOf: AddressOf): Condition {
  const { name, namespace } = condition
  if (namespace === namespaces.common && name === 'identity') return readIdentity(condition, addressOf)
  if (namespace === namespaces.common && name === 'validity') return readValidity(text, condition)
  if (namespace === namespaces.oma && name === 'anonymous-request') return ({ anonymous }) => anonymous
  if (namespace === namespaces.oma && name === 'external-list') return readExternalList(condition)
  if (namespace === namespaces.oma && name === 'other-identity') return (_, { other }) => other
  return () => false
}

/** RFC 4745 §7.1. */
function readIdentity(condition: XmlElement, addressOf: AddressOf): Condition {
  const ones = childrenOf(condition, namespaces.common, 'one').map((one) => addressIn(one, addressOf))
  const many = childrenOf(condition, namespaces.common, 'many').map((one) => readMany(one, addressOf))
  return ({ identities, anonymous }) =>
    !anonymous && (identities.some((aor) => ones.includes(aor)) || many.some((test) => test(identities)))
}

/** Who is excepted under one address is so under all of them. */
function readMany(many: XmlElement, addressOf: AddressOf): (identities: readonly string[]) => boolean {
  const domain = attributeOf(many, 'domain')?.toLowerCase()
  const excepted = childrenOf(many, namespaces.common, 'except')
  const ids = excepted.map((one) => addressIn(one, addressOf))
  const domains = excepted.flatMap((one) => attributeOf(one, 'domain')?.toLowerCase() ?? [])
  const isExcepted = (aor: string) => domains.includes(domainOf(aor)) || ids.includes(aor)
  return (identities) =>
    identities.some((aor) => domain === undefined || domainOf(aor) === domain) && !identities.some(isExcepted)
}

const domainOf = (aor: string): string => aor.slice(aor.lastIndexOf('@') + 1)

/** RFC 4745 §7.3. */
function readValidity(text: string, condition: XmlElement): Condition {
  const times = (name: string) =>
    childrenOf(condition, namespaces.common, name).map((one) => Date.parse(stringValue(text, one).trim()))
  const [from, until] = [times('from'), times('until')]
  return (_, { now }) => from.some((start, index) => start <= now && now < (until[index] ?? Number.NaN))
}

function readExternalList(condition: XmlElement): Condition {
  const uris = anchorsIn(condition)
  return ({ identities }, { inList }) => uris.some((uri) => identities.some((aor) => inList?.(uri, aor) === true))
}

/** The lists that the conditions of a rule name: whoever asks has to read them first. */
export const listsNamedIn = (rule: XmlElement): readonly string[] =>
  childrenOf(rule, namespaces.common, 'conditions')
    .flatMap((conditions) => childrenOf(conditions, namespaces.oma, 'external-list'))
    .flatMap(anchorsIn)

const anchorsIn = (condition: XmlElement): readonly string[] =>
  childrenOf(condition, namespaces.oma, 'entry').flatMap((one) => attributeOf(one, 'anc') ?? [])

function addressIn(element: XmlElement, addressOf: AddressOf): string | undefined {
  const uri = attributeOf(element, 'id')
  return uri === undefined ? undefined : (addressOf(uri) ?? uri)
}

const childrenOf = ({ children }: XmlElement, namespace: string, name: string): readonly XmlElement[] =>
  children.filter((child) => child.name === name && child.namespace === namespace)
const attributeOf = ({ attributes }: XmlElement, name: string): string | undefined =>
  attributes.find((one) => one.name === name && one.namespace === '')?.value
