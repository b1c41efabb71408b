import { MalformedXcap } from '../../protocols/xcap/malformed-xcap.ts'
import { selectElement } from '../../protocols/xcap/select-element.ts'
import { readXcapUri, type XcapUri } from '../../protocols/xcap/xcap-uri.ts'
import { MalformedXml } from '../../protocols/xml/malformed-xml.ts'
import { readElements } from '../../protocols/xml/read-elements.ts'
import type { XmlElement } from '../../protocols/xml/xml-element.ts'

type Found<T> = T | undefined | Promise<T | undefined>

interface Needs {
  /** A document of resource-lists. */
  readonly documentOf: (owner: number, name: string) => Found<{ readonly content: Buffer }>
  /** Whose documents an XUI names. */
  readonly ownerOf: (xui: string) => Found<number>
}

const namespace = 'urn:ietf:params:xml:ns:resource-lists'
const limits = { depth: 100, elements: 50_000 }
/** References that are followed for one question. */
const mostReferences = 20

/** The URIs in a list that its owner keeps at this server; references to other lists of the same owner are followed. */
export class ListedUris {
  readonly #needs: Needs

  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** `uri` names a document, a list in it, or an entry, as XCAP does (RFC 4825 §6). What cannot be had is empty. */
  async of(owner: number, uri: string): Promise<readonly string[]> {
    const found: string[] = []
    const waiting = [uri]
    for (let followed = 0; followed < mostReferences; followed++) {
      const next = waiting.shift()
      if (next === undefined) return found
      const element = await this.#element(owner, next)
      if (element !== undefined) take(element, found, waiting)
    }
    return found
  }

  async #element(owner: number, uri: string): Promise<XmlElement | undefined> {
    const target = readTarget(uri)
    if (target?.auid !== 'resource-lists' || target.xui === undefined) return undefined
    if ((await this.#needs.ownerOf(target.xui)) !== owner) return undefined
    const document = await this.#needs.documentOf(owner, target.document)
    const root = document && readQuietly(document.content)
    if (root === undefined || target.node === undefined) return root
    return selectElement(root, target.node.steps, new Map([['', namespace], ...target.bindings]))
  }
}

/** RFC 4826 §3.2: entries of the list and of those in it, and where others are. */
function take(element: XmlElement, found: string[], waiting: string[]): void {
  if (element.name === 'entry') found.push(...attributeOf(element, 'uri'))
  else if (element.name === 'external') waiting.push(...attributeOf(element, 'anchor'))
  else if (element.name === 'entry-ref') waiting.push(...attributeOf(element, 'ref'))
  else for (const child of element.children) take(child, found, waiting)
}

/** Absolute with any host, or relative to the XCAP root. */
function readTarget(uri: string): XcapUri | undefined {
  const [, below = uri] = /^https?:\/\/[^/]*\/xcap\/(.*)$/i.exec(uri) ?? []
  try {
    return readXcapUri(below)
  } catch (err) {
    if (err instanceof MalformedXcap) return undefined
    throw err
  }
}

function readQuietly(content: Buffer): XmlElement | undefined {
  try {
    return readElements(content.toString('utf8'), limits)
  } catch (err) {
    if (err instanceof MalformedXml) return undefined
    throw err
  }
}

const attributeOf = ({ attributes }: XmlElement, name: string): readonly string[] =>
  attributes.filter((one) => one.name === name && one.namespace === '').map(({ value }) => value.trim())
