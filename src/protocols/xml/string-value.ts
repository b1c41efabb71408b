import { resolveReferences } from './references.ts'
import type { XmlElement } from './xml-element.ts'

const markup = /<!--.*?-->|<\?.*?\?>|<!\[CDATA\[(.*?)\]\]>|<(?:[^>"']|"[^"]*"|'[^']*')*>|[^<]+/gs

/** All the text in an element of a well-formed document, references resolved: its string value in XPath. */
export function stringValue(text: string, { contentStart, contentEnd }: XmlElement): string {
  const content = text.slice(contentStart, contentEnd)
  if (!content.includes('<')) return resolveReferences(content)
  return content.replace(markup, (piece, characters?: string) => {
    if (characters !== undefined) return characters
    return piece.startsWith('<') ? '' : resolveReferences(piece)
  })
}
