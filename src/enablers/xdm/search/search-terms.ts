import { readElements } from '../../../protocols/xml/read-elements.ts'
import { stringValue } from '../../../protocols/xml/string-value.ts'
import type { XmlElement } from '../../../protocols/xml/xml-element.ts'
import type { DocumentKey } from '../documents/index.ts'
import type { Searched } from '../xcap/application-usage.ts'

const limits = { depth: 100, elements: 50_000 }
const longestValue = 1_000
const mostValues = 10_000

/** Values by path, of each entry of a document in its order. */
export type Terms = readonly Readonly<Record<string, readonly string[]>>[]

/** What documents are found by, for the applications that are searched; in the users tree only. */
export function searchTerms(
  searched: Readonly<Record<string, Searched>>,
): (key: DocumentKey, content: Buffer) => string | undefined {
  return ({ owner, auid }, content) => {
    const its = Object.hasOwn(searched, auid) ? searched[auid] : undefined
    return its === undefined || owner === 0 ? undefined : JSON.stringify(termsIn(content.toString('utf8'), its))
  }
}

function termsIn(text: string, { entries: [, entry], paths }: Searched): Terms {
  const root = readElements(text, limits)
  let left = mostValues
  return entriesOf(root, entry).map((element) => {
    const terms: Record<string, string[]> = {}
    for (const path of paths) {
      const values = valuesAt(text, element, path.split('/')).slice(0, left)
      left -= values.length
      if (values.length > 0) terms[path] = values.map((value) => value.slice(0, longestValue))
    }
    return terms
  })
}

/** The elements that are found one by one. */
export const entriesOf = (root: XmlElement, entry: string): readonly XmlElement[] =>
  root.children.filter(({ name, namespace }) => name === entry && namespace === root.namespace)

/** The elements, or the values of the attribute, that a path leads to. */
export function at(element: XmlElement, steps: readonly string[]): readonly XmlElement[] {
  let reached: readonly XmlElement[] = [element]
  for (const step of steps) reached = reached.flatMap(({ children }) => children.filter((child) => child.name === step))
  return reached
}

function valuesAt(text: string, element: XmlElement, steps: readonly string[]): string[] {
  const last = steps.at(-1) ?? ''
  if (!last.startsWith('@')) return at(element, steps).map((found) => stringValue(text, found))
  return at(element, steps.slice(0, -1)).flatMap(({ attributes }) => attributeIn(attributes, last.slice(1)) ?? [])
}

const attributeIn = (attributes: XmlElement['attributes'], called: string): string | undefined =>
  attributes.find(({ name, namespace }) => name === called && namespace === '')?.value
