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

/** Of one element. */
const mostAttributes = 256
const [exclamation, slash, equals, greater, question] = [0x21, 0x2f, 0x3d, 0x3e, 0x3f]
const noDeclarations: ReadonlyMap<string, string> = new Map()

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
    const kind = this.#text.charCodeAt(this.#at + 1)
    if (kind === slash) this.#close()
    else if (kind === exclamation) this.#takeDeclaration()
    else if (kind === question) this.#skip('?>', 2)
    else this.#takeStartTag()
  }

  #takeDeclaration(): void {
    if (this.#text.startsWith('<!--', this.#at)) this.#skip('-->', 4)
    else if (this.#text.startsWith('<![CDATA[', this.#at)) this.#skip(']]>', 9)
    else throw new MalformedXml('a document type declaration is not taken')
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
    const empty = this.#text.charCodeAt(this.#at) === slash
    this.#skip('>', 0)
    this.#add({ prefix, name, start, afterName, raw, empty })
  }

  #add({ prefix, name, start, afterName, raw, empty }: StartTag): void {
    const parent = this.#open
    if (parent === undefined && this.#root !== undefined) throw new MalformedXml('more than one root element')
    const attributes = raw.every(isNoDeclaration) ? raw : raw.filter(isNoDeclaration)
    const declared = attributes === raw ? noDeclarations : declarationsIn(raw)
    const scope = declared === noDeclarations ? parent : { declared, parent }
    for (const attribute of attributes)
      if (attribute.prefix !== '') attribute.namespace = bound(scope, attribute.prefix)
    const element: XmlElement = {
      name,
      prefix,
      namespace: scope === parent && parent?.prefix === prefix ? parent.namespace : bound(scope, prefix),
      parent,
      children: [],
      attributes,
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
    const text = this.#text
    let end = this.#at
    while (end < text.length && !endsName(text.charCodeAt(end))) end++
    if (end === this.#at || end === text.length) throw new MalformedXml('a name is missing')
    const name = text.slice(this.#at, end)
    this.#at = end
    return name
  }

  #takeAttributes(): RawAttribute[] {
    const attributes: RawAttribute[] = []
    for (;;) {
      const start = this.#at
      this.#takeSpace()
      const next = this.#text.charCodeAt(this.#at)
      if (next === greater || next === slash) return attributes
      if (attributes.length >= mostAttributes) throw new MalformedXml('too many attributes')
      attributes.push(this.#takeAttribute(start))
    }
  }

  #takeAttribute(start: number): RawAttribute {
    const [prefix, name] = splitName(this.#takeName())
    this.#takeSpace()
    if (this.#text.charCodeAt(this.#at) !== equals) throw new MalformedXml('an attribute without value')
    this.#at++
    this.#takeSpace()
    const quote = this.#text[this.#at]
    if (quote !== '"' && quote !== "'") throw new MalformedXml('an attribute value without quotes')
    const valueStart = this.#at + 1
    this.#skip(quote, 1)
    const valueEnd = this.#at - 1
    const value = normalised(this.#text.slice(valueStart, valueEnd))
    return { prefix, name, namespace: '', value, start, end: this.#at, valueStart, valueEnd }
  }

  #takeSpace(): void {
    const text = this.#text
    while (isSpace(text.charCodeAt(this.#at))) this.#at++
    if (this.#at >= text.length) throw new MalformedXml('a tag is not closed')
  }
}

/** Its namespace is found when all declarations of the tag are known. */
interface RawAttribute extends Omit<XmlAttribute, 'namespace'> {
  namespace: string
}

interface StartTag {
  readonly prefix: string
  readonly name: string
  readonly start: number
  readonly afterName: number
  readonly raw: RawAttribute[]
  readonly empty: boolean
}

type Scope = Pick<XmlElement, 'declared' | 'parent'>

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x09 || code === 0x0d
const endsName = (code: number): boolean => code === slash || code === greater || code === equals || isSpace(code)

/** XML 1.0 §3.3.3. */
const normalised = (value: string): string =>
  /[\t\n\r&]/.test(value) ? resolveReferences(value.replace(/\r\n|[\t\n\r]/g, ' ')) : value

const isNoDeclaration = ({ prefix, name }: RawAttribute): boolean =>
  prefix !== 'xmlns' && (prefix !== '' || name !== 'xmlns')

function declarationsIn(attributes: readonly RawAttribute[]): ReadonlyMap<string, string> {
  const declared = attributes.filter((one) => !isNoDeclaration(one))
  return new Map(declared.map(({ prefix, name, value }) => [prefix === 'xmlns' ? name : '', value]))
}

function bound(element: Scope | undefined, prefix: string): string {
  const uri = namespaceOf(element, prefix)
  if (uri === undefined) throw new MalformedXml(`the prefix ${prefix} is not bound`)
  return uri
}

function splitName(qualified: string): readonly [prefix: string, name: string] {
  const colon = qualified.indexOf(':')
  return colon === -1 ? ['', qualified] : [qualified.slice(0, colon), qualified.slice(colon + 1)]
}
