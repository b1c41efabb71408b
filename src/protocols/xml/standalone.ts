import { escapeAttribute } from './references.ts'
import { namespacesInScope, type XmlElement } from './xml-element.ts'

/** An element as a text of its own: with the namespace declarations that it had from those around it. */
export function standalone(text: string, element: XmlElement): string {
  const inherited = element.parent === undefined ? [] : [...namespacesInScope(element.parent)]
  const written = text.slice(element.start, element.end)
  const missing = inherited
    .filter(([prefix]) => !element.declared.has(prefix) && (prefix === '' || written.includes(`${prefix}:`)))
    .map(([prefix, uri]) => ` xmlns${prefix === '' ? '' : `:${prefix}`}="${escapeAttribute(uri)}"`)
  return text.slice(element.start, element.afterName) + missing.join('') + text.slice(element.afterName, element.end)
}
