import { checkWellFormed } from '../xml/check-well-formed.ts'
import { MalformedXml } from '../xml/malformed-xml.ts'
import { readElements } from '../xml/read-elements.ts'
import { stringValue } from '../xml/string-value.ts'
import type { XmlElement } from '../xml/xml-element.ts'
import {
  checkComplete,
  fieldsOf,
  isRepeated,
  isStructure,
  type NmsLimits,
  nmsLimits,
  textOf,
  valueOfText,
} from './check-structure.ts'
import { MalformedNms } from './malformed-nms.ts'
import { nmsNamespace, otherNamespaces, type RootName, type RootValue, roots } from './structures.ts'

/** The body with that root in XML, as the schema has it. Throws MalformedNms. */
export function readXml<Root extends RootName>(bytes: Buffer, root: Root, limits = nmsLimits): RootValue<Root> {
  const text = lineEnds(textOf(bytes, root, limits))
  checkEncoding(text, root)
  const element = elementsOf(text, root, limits)
  const namespace = otherNamespaces[root] ?? nmsNamespace
  if (element.name !== root || element.namespace !== namespace) {
    throw new MalformedNms(root, `the root element has to be ${root} in ${namespace}`)
  }
  return new XmlReader(text).take(roots[root], element, root) as RootValue<Root>
}

class XmlReader {
  readonly #text: string
  constructor(text: string) {
    this.#text = text
  }

  take(type: string, element: XmlElement, where: string): unknown {
    if (isStructure(type)) return this.#takeStructure(type, element, where)
    if (element.children[0] !== undefined) throw new MalformedNms(`${where}.${element.children[0].name}`, 'not known')
    refuseAttributes(element, where, () => false)
    return valueOfText(type, stringValue(this.#text, element), where)
  }

  #takeStructure(type: string, element: XmlElement, where: string): Record<string, unknown> {
    const fields = fieldsOf(type)
    const value: Record<string, unknown> = {}
    refuseAttributes(element, where, (name) => fields[name]?.[0] === '@')
    for (const { name, value: text } of element.attributes) {
      const field = fields[name]
      if (field?.[0] === '@') value[name] = valueOfText(field[1], text, `${where}.${name}`)
    }
    this.#refuseText(element, where)
    for (const child of element.children) this.#takeField(type, value, child, where)
    checkComplete(type, value, where)
    return value
  }

  /** The sequence of the schema: no field after one that comes behind it. */
  #takeField(type: string, value: Record<string, unknown>, child: XmlElement, where: string): void {
    const { name, namespace } = child
    const fields = fieldsOf(type)
    const [occurs, fieldType] = (namespace === '' && Object.hasOwn(fields, name) && fields[name]) || unknownField
    if (occurs === '@') throw new MalformedNms(`${where}.${name}`, 'not known')
    const names = Object.keys(fields)
    const behind = names.slice(names.indexOf(name) + 1).find((one) => value[one] !== undefined)
    if (behind !== undefined && fields[behind]?.[0] !== '@') {
      throw new MalformedNms(`${where}.${name}`, `has to come before ${behind}`)
    }
    const before = value[name]
    if (isRepeated(occurs)) {
      const items = (before ?? []) as unknown[]
      items.push(this.take(fieldType, child, `${where}.${name}[${items.length}]`))
      value[name] = items
    } else if (before === undefined) value[name] = this.take(fieldType, child, `${where}.${name}`)
    else throw new MalformedNms(`${where}.${name}`, 'more than once')
  }

  /** Between the elements of a structure there is white space at the most. */
  #refuseText({ children, contentStart, contentEnd }: XmlElement, where: string): void {
    let at = contentStart
    for (const child of children) {
      this.#refuseBetween(at, child.start, where)
      at = child.end
    }
    this.#refuseBetween(at, contentEnd, where)
  }

  #refuseBetween(from: number, to: number, where: string): void {
    const between = this.#text.slice(from, to).replace(/<!--.*?-->|<\?.*?\?>/gs, '')
    if (between.trim() !== '') throw new MalformedNms(where, 'text between elements')
  }
}

/** Stands for what no structure has. */
const unknownField = ['@', ''] as const

const instanceNamespace = 'http://www.w3.org/2001/XMLSchema-instance'

function refuseAttributes(element: XmlElement, where: string, known: (name: string) => boolean): void {
  for (const { name, namespace } of element.attributes) {
    if (namespace === instanceNamespace || (namespace === '' && known(name))) continue
    throw new MalformedNms(`${where}.${name}`, 'not known')
  }
}

/** XML 1.0 §2.11. */
const lineEnds = (text: string): string => (text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text)

function checkEncoding(text: string, root: string): void {
  const [, declared] = /^<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)["']/.exec(text) ?? []
  if (declared !== undefined && !/^(utf-8|us-ascii)$/i.test(declared)) throw new MalformedNms(root, 'not in UTF-8')
}

function elementsOf(text: string, root: string, limits: NmsLimits): XmlElement {
  try {
    const element = readElements(text, { depth: limits.depth, elements: limits.values })
    checkWellFormed(text)
    return element
  } catch (cause) {
    if (cause instanceof MalformedXml) throw new MalformedNms(root, cause.message, { cause })
    throw cause
  }
}
