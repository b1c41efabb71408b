import { ParseOption, XmlDocument, XmlParseError } from 'libxml2-wasm'
import { MalformedXml } from './malformed-xml.ts'

const option = ParseOption.XML_PARSE_NONET | ParseOption.XML_PARSE_NO_XXE

/**
 * A parser's opinion of a text from outside that `readElements` has taken: it looks at names of end tags, references,
 * characters and more. Throws MalformedXml.
 */
export function checkWellFormed(text: string): void {
  try {
    XmlDocument.fromString(text, { option }).dispose()
  } catch (err) {
    if (err instanceof XmlParseError) throw new MalformedXml('not well-formed', { cause: err })
    throw err
  }
}
