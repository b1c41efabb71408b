import { MalformedXml } from './malformed-xml.ts'
import { resolveReferences } from './references.ts'
import { namespaceOf, type XmlAttribute, type XmlElement } from './xml-element.ts'

export interface XmlLimits {
  readonly depth: number
  readonly elements: number
}

/**
 * The elements of a text, with their places in it. It checks no more of XML than it needs to find them: a document comes
 * here after a parser has found it well-formed. Throws MalformedXml for a DOCTYPE, and beyond the limits.
 */
export function readElements(text: string, limits: XmlLimits): XmlElement {
  return new ElementReader(text, limits).read()
}

const nameEnd = /[\s/>=]/g
const notSpace = /\S/g

/** One pass over the text; each method takes one kind of markup. */
class ElementReader {
  readonly #text: string
  readonly #limits: XmlLimits
  #at = 0
  #depth = 0
  #count = 0
  #open: XmlElement | undefined
  #root: XmlElement | undefined

  constructor(text: string, limits: XmlLimits) {
    this.#text = text
    this.#limits = limits
  }

  read(): XmlElement {
    for (let next = this.#text.indexOf('<'); next !== -1; next = this.#text.indexOf('<', this.#at)) {
      this.#at = next
      this.#takeMarkup()
    }
    if (this.#root === undefined || this.#open !== undefined) throw new MalformedXml('an element is not closed')
    return this.#root
  }

  #takeMarkup(): void {
    const text = this.#text
    if (text.startsWith('<!--', this.#at)) this.#skip('-->', 4)
    else if (text.startsWith('<![CDATA[', this.#at)) this.#skip(']]>', 9)
    else if (text.startsWith('<?', this.#at)) this.#skip('?>', 2)
    else if (text.startsWith('<!', this.#at)) throw new MalformedXml('a document type declaration is not taken')
    else if (text.startsWith('</', this.#at)) this.#close()
    else this.#takeStartTag()
  }

  #skip(until: string, from: number): void {
    const end = this.#text.indexOf(until, this.#at + from)
    if (end === -1) throw new MalformedXml(`${until} is missing`)
    this.#at = end + until.length
  }

  #close(): void {
    const closing = this.#open
    if (closing === undefined) throw new MalformedXml('an end tag without an element')
    closing.contentEnd = this.#at
    this.#skip('>', 2)
    closing.end = this.#at
    this.#open = closing.parent
    this.#depth--
  }

  #takeStartTag(): void {
    if (++this.#count > this.#limits.elements) throw new MalformedXml('too many elements')
    const start = this.#at
    this.#at++
    const [prefix, name] = splitName(this.#takeName())
    const afterName = this.#at
    const raw = this.#takeAttributes()
    const empty = this.#text[this.#at] === '/'
    this.#skip('>', 0)
    this.#add({ prefix, name, start, afterName, raw, empty })
  }

  #add({ prefix, name, start, afterName, raw, empty }: StartTag): void {
    const parent = this.#open
    if (parent === undefined && this.#root !== undefined) throw new MalformedXml('more than one root element')
    const declared = declarationsIn(raw)
    const scope = { declared, parent } as XmlElement
    const element: XmlElement = {
      name,
      prefix,
      namespace: bound(scope, prefix),
      parent,
      children: [],
      attributes: raw.filter(isNoDeclaration).map((one) => ({
        ...one,
        namespace: one.prefix === '' ? '' : bound(scope, one.prefix),
      })),
      declared,
      start,
      afterName,
      contentStart: this.#at,
      contentEnd: this.#at,
      end: this.#at,
    }
    if (parent === undefined) this.#root = element
    else parent.children.push(element)
    if (empty) return
    if (++this.#depth > this.#limits.depth) throw new MalformedXml('elements too deep')
    this.#open = element
  }

  #takeName(): string {
    nameEnd.lastIndex = this.#at
    const end = nameEnd.exec(this.#text)?.index
    if (end === undefined || end === this.#at) throw new MalformedXml('a name is missing')
    const name = this.#text.slice(this.#at, end)
    this.#at = end
    return name
  }

  #takeAttributes(): RawAttribute[] {
    const attributes: RawAttribute[] = []
    for (;;) {
      const start = this.#at
      this.#takeSpace()
      const next = this.#text[this.#at]
      if (next === '>' || next === '/') return attributes
      attributes.push(this.#takeAttribute(start))
    }
  }

  #takeAttribute(start: number): RawAttribute {
    const [prefix, name] = splitName(this.#takeName())
    this.#takeSpace()
    if (this.#text[this.#at] !== '=') throw new MalformedXml('an attribute without value')
    this.#at++
    this.#takeSpace()
    const quote = this.#text[this.#at]
    if (quote !== '"' && quote !== "'") throw new MalformedXml('an attribute value without quotes')
    const valueStart = this.#at + 1
    this.#skip(quote, 1)
    const valueEnd = this.#at - 1
    const value = resolveReferences(this.#text.slice(valueStart, valueEnd).replace(/\r\n|[\t\n\r]/g, ' '))
    return { prefix, name, value, start, end: this.#at, valueStart, valueEnd }
  }

  #takeSpace(): void {
    notSpace.lastIndex = this.#at
    const next = notSpace.exec(this.#text)
    if (next === null) throw new MalformedXml('a tag is not closed')
    this.#at = next.index
  }
}

type RawAttribute = Omit<XmlAttribute, 'namespace'>

interface StartTag {
  readonly prefix: string
  readonly name: string
  readonly start: number
  readonly afterName: number
  readonly raw: readonly RawAttribute[]
  readonly empty: boolean
}

const isNoDeclaration = ({ prefix, name }: RawAttribute): boolean =>
  prefix !== 'xmlns' && (prefix !== '' || name !== 'xmlns')

function declarationsIn(attributes: readonly RawAttribute[]): ReadonlyMap<string, string> {
  const declared = attributes.filter((one) => !isNoDeclaration(one))
  return new Map(declared.map(({ prefix, name, value }) => [prefix === 'xmlns' ? name : '', value]))
}

function bound(element: XmlElement, prefix: string): string {
  const uri = namespaceOf(element, prefix)
  if (uri === undefined) throw new MalformedXml(`the prefix ${prefix} is not bound`)
  return uri
}

function splitName(qualified: string): readonly [prefix: string, name: string] {
  const colon = qualified.indexOf(':')
  return colon === -1 ? ['', qualified] : [qualified.slice(0, colon), qualified.slice(colon + 1)]
}
