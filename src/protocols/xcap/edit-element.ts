import { escapeAttribute } from '../xml/references.ts'
import { namespacesInScope, type XmlElement } from '../xml/xml-element.ts'
import type { NodeSelector, QualifiedName, Step } from './node-selector.ts'
import { type Bindings, hasAttribute, isNamed, matching, selectAttribute, selectElement } from './select-element.ts'

/** Why nothing was changed: RFC 4825 §8.2.3, §8.2.5. */
export type EditFault = 'no-parent' | 'cannot-insert' | 'not-found'

export interface Edit {
  readonly text: string
  readonly created: boolean
}

/**
 * The text with `element`, written as XML, in the place that a selector names: over what is there, else as a new child
 * (RFC 4825 §8.2.3). A new child goes where its position says, else after the last of its name, else at the end.
 */
export function putElement(
  text: string,
  root: XmlElement,
  steps: readonly Step[],
  bindings: Bindings,
  element: string,
): Edit | EditFault {
  const known = selectElement(root, steps, bindings)
  if (known !== undefined) return { text: splice(text, known.start, known.end, element), created: false }
  const last = steps.at(-1)
  if (last === undefined || steps.length === 1) return 'cannot-insert'
  const parent = selectElement(root, steps.slice(0, -1), bindings)
  if (parent === undefined) return 'no-parent'
  return insert(text, parent, last, bindings, element)
}

function insert(text: string, parent: XmlElement, step: Step, bindings: Bindings, element: string): Edit | EditFault {
  if (matching(parent.children, step, bindings).length > 1) return 'cannot-insert'
  const siblings = parent.children.filter((child) => isNamed(child, step, bindings))
  if (step.position !== undefined && step.position > siblings.length + 1) return 'cannot-insert'
  if (parent.contentStart === parent.contentEnd && parent.end === parent.contentStart)
    return { text: opened(text, parent, element), created: true }
  return { text: splice(text, ...placeFor(parent, siblings, step), element), created: true }
}

/** Before the one that has its position now, else after the last of its name, else after all children. */
function placeFor(parent: XmlElement, siblings: readonly XmlElement[], { position }: Step): [number, number] {
  const follower = position === undefined ? undefined : siblings[position - 1]
  const at = follower?.start ?? siblings.at(-1)?.end ?? parent.contentEnd
  return [at, at]
}

/** An empty-element tag gets a content. */
function opened(text: string, { start, end, afterName }: XmlElement, content: string): string {
  const tag = text.slice(start, end).replace(/\s*\/>$/, '>')
  return splice(text, start, end, `${tag}${content}</${text.slice(start + 1, afterName)}>`)
}

/** The text without an element. */
export function deleteElement(
  text: string,
  root: XmlElement,
  steps: readonly Step[],
  bindings: Bindings,
): Edit | EditFault {
  const known = selectElement(root, steps, bindings)
  if (known === undefined) return 'not-found'
  return { text: splice(text, known.start, known.end, ''), created: false }
}

/** The text with an attribute of that value, over the one that is there or as a new one (RFC 4825 §8.2.3). */
export function putAttribute(
  text: string,
  element: XmlElement,
  name: QualifiedName,
  bindings: Bindings,
  value: string,
): Edit | EditFault {
  const known = selectAttribute(element, name, bindings)
  const escaped = escapeAttribute(value)
  if (known !== undefined)
    return { text: splice(text, known.start, known.end, ` ${nameAt(text, known.start)}="${escaped}"`), created: false }
  const written = prefixFor(element, name, bindings)
  if (written === undefined) return 'cannot-insert'
  return { text: splice(text, element.afterName, element.afterName, ` ${written}="${escaped}"`), created: true }
}

/** The text without an attribute. */
export function deleteAttribute(
  text: string,
  element: XmlElement,
  name: QualifiedName,
  bindings: Bindings,
): Edit | EditFault {
  const known = selectAttribute(element, name, bindings)
  return known === undefined ? 'not-found' : { text: splice(text, known.start, known.end, ''), created: false }
}

/** What must be true after a PUT (RFC 4825 §7.1): the same selector leads to what was put, a GET returns it. */
export function leadsTo(
  root: XmlElement,
  { steps, terminal }: NodeSelector,
  bindings: Bindings,
  text: string,
  put: string,
): boolean {
  const element = selectElement(root, steps, bindings)
  const last = steps.at(-1)
  if (element === undefined || last === undefined) return false
  if (terminal === undefined)
    return text.slice(element.start, element.end) === put && hasAttribute(element, last, bindings)
  return typeof terminal === 'object' && selectAttribute(element, terminal.attribute, bindings) !== undefined
}

/** The name under which an attribute of that namespace may be written at an element. */
function prefixFor(element: XmlElement, { prefix, name }: QualifiedName, bindings: Bindings): string | undefined {
  if (prefix === '') return name
  if (prefix === 'xml') return `xml:${name}`
  const namespace = bindings.get(prefix)
  const scope = namespacesInScope(element)
  for (const [known, uri] of scope) if (uri === namespace && known !== '') return `${known}:${name}`
  return undefined
}

const nameAt = (text: string, from: number): string => /^\s*([^\s=]+)/.exec(text.slice(from, from + 1_024))?.[1] ?? ''

const splice = (text: string, start: number, end: number, by: string): string =>
  text.slice(0, start) + by + text.slice(end)
