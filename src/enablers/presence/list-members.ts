import { Failure } from '../../failure.ts'
import { MalformedMime } from '../../protocols/mime/malformed-mime.ts'
import { readMultipart } from '../../protocols/mime/multipart.ts'
import { MalformedResourceList } from '../../protocols/resource-lists/malformed-resource-list.ts'
import { readResourceLists } from '../../protocols/resource-lists/resource-lists.ts'
import { MalformedXml } from '../../protocols/xml/malformed-xml.ts'
import { readElements } from '../../protocols/xml/read-elements.ts'
import { resolveReferences } from '../../protocols/xml/references.ts'
import type { XmlElement } from '../../protocols/xml/xml-element.ts'

interface Watcher {
  readonly resource: string
  readonly owner: number | undefined
  readonly body: { readonly contentType: string; readonly content: Buffer } | undefined
}

type Found<T> = T | undefined | Promise<T | undefined>

interface Needs {
  /** The rls-services document of a user (RFC 4826 §4). */
  readonly servicesOf: (owner: number) => Found<{ readonly content: Buffer }>
  /** URIs in the list of that owner which an XCAP URI names. */
  readonly listed: (owner: number, uri: string) => Promise<readonly string[]>
  readonly addressOf: (uri: string) => string | undefined
}

/** Somebody in a list. */
export interface Member {
  /** As the list has it, which is what its subscriber knows. */
  readonly uri: string
  /** Canonical. */
  readonly address: string
}

const limits = { depth: 20, elements: 20_000 }
const listType = /^application\/resource-lists\+xml\s*(?:;|$)/i

/** Whom a subscription is about: a list in its body (RFC 5367), or one that the subscriber keeps at the server (RFC 4826). */
export class ListMembers {
  readonly #needs: Needs

  constructor(needs: Needs) {
    this.#needs = needs
  }

  /**
   * In the order of the list; undefined where it is about no list. Throws Failure('malformed') for a body that cannot be
   * read, Failure('event-unknown') for a list that is kept for other packages.
   */
  async of(watcher: Watcher): Promise<readonly Member[] | undefined> {
    const inBody = watcher.body && listIn(watcher.body)
    if (inBody !== undefined) return this.#members(urisIn(inBody))
    if (watcher.owner === undefined) return undefined
    const document = await this.#needs.servicesOf(watcher.owner)
    const service = document && serviceIn(document.content.toString('utf8'), watcher.resource, this.#needs.addressOf)
    if (service === undefined) return undefined
    if (!service.served) throw new Failure('event-unknown', 'the list is for other packages')
    const uris = service.list === undefined ? service.uris : await this.#needs.listed(watcher.owner, service.list)
    return this.#members(uris)
  }

  #members(uris: readonly string[]): readonly Member[] {
    const byAddress = new Map<string, Member>()
    for (const uri of uris) {
      const address = this.#needs.addressOf(uri) ?? uri
      if (!byAddress.has(address)) byAddress.set(address, { uri, address })
    }
    return [...byAddress.values()]
  }
}

/** Alone, or as a part beside filters. */
function listIn({ contentType, content }: NonNullable<Watcher['body']>): Buffer | undefined {
  if (listType.test(contentType)) return content
  if (!/^multipart\//i.test(contentType)) return undefined
  try {
    const parts = readMultipart(content, contentType)
    return parts.find(({ headers }) => listType.test(headers.get('content-type') ?? ''))?.body
  } catch (err) {
    if (err instanceof MalformedMime) throw new Failure('malformed', err.message, { cause: err })
    throw err
  }
}

function urisIn(list: Buffer): string[] {
  try {
    return readResourceLists(list).map(({ uri }) => uri)
  } catch (err) {
    if (err instanceof MalformedResourceList) throw new Failure('malformed', err.message, { cause: err })
    throw err
  }
}

/** A service with that URI: its members, or the URI of the list that has them. */
function serviceIn(text: string, resource: string, addressOf: Needs['addressOf']) {
  const service = elementsOf(text).find((one) => {
    const uri = attributeOf(one, 'uri')
    return one.name === 'service' && uri !== undefined && (addressOf(uri) ?? uri) === resource
  })
  if (service === undefined) return undefined
  const contentOf = (element: XmlElement) =>
    resolveReferences(text.slice(element.contentStart, element.contentEnd)).trim()
  const reference = service.children.find(({ name }) => name === 'resource-list')
  const packages = service.children.find(({ name }) => name === 'packages')
  const served = packages === undefined || packages.children.some((child) => contentOf(child) === 'presence')
  return { list: reference && contentOf(reference), uris: entriesIn(service), served }
}

/** A document that cannot be read has no services: this server has taken it all the same, as its owner wrote it. */
function elementsOf(text: string): readonly XmlElement[] {
  try {
    return readElements(text, limits).children
  } catch (err) {
    if (err instanceof MalformedXml) return []
    throw err
  }
}

const entriesIn = (element: XmlElement): string[] =>
  element.children.flatMap((child) => (child.name === 'entry' ? (attributeOf(child, 'uri') ?? []) : entriesIn(child)))

const attributeOf = ({ attributes }: XmlElement, name: string): string | undefined =>
  attributes.find((one) => one.name === name && one.namespace === '')?.value
