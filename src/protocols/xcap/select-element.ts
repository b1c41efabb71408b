import type { XmlAttribute, XmlElement } from '../xml/xml-element.ts'
import { MalformedXcap } from './malformed-xcap.ts'
import type { NodeSelector, QualifiedName, Step } from './node-selector.ts'

/** What prefixes of a selector stand for: '' for the default document namespace of the application usage (RFC 4825 §6.4). */
export type Bindings = ReadonlyMap<string, string>

/** The element that all steps lead to; undefined where a step leads to none, or to more than one (RFC 4825 §6.3). */
export function selectElement(root: XmlElement, steps: readonly Step[], bindings: Bindings): XmlElement | undefined {
  const [first, ...rest] = steps
  let at = first && only(matching([root], first, bindings))
  for (const step of rest) at = at && only(matching(at.children, step, bindings))
  return at
}

/** The children that a step is about, in the order of the document: by name, then by position, then by attribute. */
export function matching(children: readonly XmlElement[], step: Step, bindings: Bindings): readonly XmlElement[] {
  const named = children.filter((child) => isNamed(child, step, bindings))
  const placed = step.position === undefined ? named : named.slice(step.position - 1, step.position)
  return step.attribute === undefined ? placed : placed.filter((child) => hasAttribute(child, step, bindings))
}

/** The attribute of an element that a selector ends in. */
export function selectAttribute(
  element: XmlElement,
  name: QualifiedName,
  bindings: Bindings,
): XmlAttribute | undefined {
  const namespace = namespaceOfAttribute(name, bindings)
  return element.attributes.find((one) => one.name === name.name && one.namespace === namespace)
}

/** The parts of a selector use prefixes that the query binds. Throws MalformedXcap for others. */
export function checkPrefixes({ steps, terminal }: NodeSelector, bindings: Bindings): void {
  for (const { element, attribute } of steps) {
    if (element !== undefined) namespaceOfElement(element, bindings)
    if (attribute !== undefined) namespaceOfAttribute(attribute.name, bindings)
  }
  if (typeof terminal === 'object') namespaceOfAttribute(terminal.attribute, bindings)
}

export function isNamed(element: XmlElement, { element: name }: Step, bindings: Bindings): boolean {
  if (name === undefined) return true
  return element.name === name.name && element.namespace === namespaceOfElement(name, bindings)
}

export function hasAttribute(element: XmlElement, { attribute }: Step, bindings: Bindings): boolean {
  return attribute === undefined || selectAttribute(element, attribute.name, bindings)?.value === attribute.value
}

const only = <Of>(found: readonly Of[]): Of | undefined => (found.length === 1 ? found[0] : undefined)

function namespaceOfElement({ prefix }: QualifiedName, bindings: Bindings): string {
  const uri = bindings.get(prefix)
  if (uri === undefined && prefix !== '') throw new MalformedXcap(`the prefix ${prefix} is not bound in the query`)
  return uri ?? ''
}

/** An attribute without prefix is in no namespace. */
const namespaceOfAttribute = (name: QualifiedName, bindings: Bindings): string =>
  name.prefix === ''
    ? ''
    : name.prefix === 'xml'
      ? 'http://www.w3.org/XML/1998/namespace'
      : namespaceOfElement(name, bindings)
