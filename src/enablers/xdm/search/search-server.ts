import { Failure } from '../../../failure.ts'
import { mediaType } from '../../../protocols/mime/content-type.ts'
import { MalformedSearch } from '../../../protocols/search/malformed-search.ts'
import { readSearchQuery, type SearchCondition, type SearchQuery } from '../../../protocols/search/search-query.ts'
import { writeXcapError, xcapErrorType } from '../../../protocols/xcap/xcap-error.ts'
import { escapeAttribute } from '../../../protocols/xml/references.ts'
import { standalone } from '../../../protocols/xml/standalone.ts'
import { stringValue } from '../../../protocols/xml/string-value.ts'
import type { XmlElement } from '../../../protocols/xml/xml-element.ts'
import type { Documents } from '../documents/index.ts'
import type { Access, ApplicationUsage, Principal, Searched } from '../xcap/application-usage.ts'
import { type DocumentText, readDocument } from '../xcap/document-text.ts'
import { DocumentTexts } from '../xcap/document-texts.ts'
import { XcapConflict } from '../xcap/xcap-conflict.ts'
import type { XcapNeeds, XcapReply } from '../xcap/xcap-server.ts'
import type { DocumentSearch, FoundEntry } from './document-search.ts'
import { at, entriesOf } from './search-terms.ts'

export interface SearchRequest {
  /** Path and query below the XCAP root. */
  readonly target: string
  readonly principal: Principal
  readonly contentType?: string | undefined
  readonly body: Buffer
}

export interface SearchNeeds {
  readonly search: Pick<DocumentSearch, 'find'>
  readonly documents: Pick<Documents, 'find'>
  readonly usages: readonly ApplicationUsage[]
  readonly schemas: XcapNeeds['schemas']
  readonly principalById: (id: number) => Principal | undefined | Promise<Principal | undefined>
  readonly granted: (usage: ApplicationUsage, access: Access) => Promise<boolean>
}

/** One question of a request, understood. */
interface Question {
  readonly id: string
  readonly usage: ApplicationUsage
  readonly query: SearchQuery
  readonly most: number
}

const namespace = 'urn:oma:xml:xdm:search'
const type = 'application/vnd.oma.search+xml'
/** What of it is told in xcap-caps. */
export const searchUsage = { auid: 'org.openmobilealliance.search', namespaces: [namespace] }
const usualResults = 100
const mostResults = 500
const mostBytes = 1_048_576

/** Search over documents (OMA XDM, org.openmobilealliance.search): who asks is told of what they may read, and of nothing else. */
export class SearchServer {
  readonly #needs: SearchNeeds
  readonly #usages: ReadonlyMap<string, ApplicationUsage & { readonly searched: Searched }>
  readonly #texts = new DocumentTexts()

  constructor(needs: SearchNeeds) {
    this.#needs = needs
    this.#usages = new Map(needs.usages.flatMap((usage) => (isSearched(usage) ? [[usage.auid, usage]] : [])))
  }

  /** Throws Failure: 'not-found', 'unsupported-content'. What is wrong with a query is said in a 409. */
  async handle(request: SearchRequest): Promise<XcapReply> {
    try {
      const questions = await this.#questionsIn(request)
      const answers: string[] = []
      for (const question of questions) answers.push(await this.#answer(question, request.principal))
      const body = Buffer.from(
        `<?xml version="1.0" encoding="UTF-8"?>\n<search-set xmlns="${namespace}">${answers.join('')}</search-set>\n`,
      )
      return { status: 200, headers: { 'content-type': type }, body }
    } catch (err) {
      if (err instanceof MalformedSearch)
        return conflict(new XcapConflict({ kind: 'constraint-failure', phrase: err.message }))
      if (err instanceof XcapConflict) return conflict(err)
      throw err
    }
  }

  async #questionsIn({ target, contentType, body }: SearchRequest): Promise<Question[]> {
    const usage = this.#targetOf(target)
    if (mediaType(contentType ?? '') !== type) throw new Failure('unsupported-content', `${type} is taken here`)
    const document = readDocument(body)
    await this.#needs.schemas.check('search.xsd', body)
    return document.root.children.filter(({ name }) => name === 'search').map((one) => questionIn(document, one, usage))
  }

  /** `/org.openmobilealliance.search/global?target=AUID`, with or without `/users/` behind it. */
  #targetOf(target: string): ApplicationUsage & { readonly searched: Searched } {
    const [path = '', query = ''] = target.split('?', 2)
    if (!/^\/org\.openmobilealliance\.search\/global\/?$/.test(path)) throw new Failure('not-found')
    const wanted = new URLSearchParams(query).get('target')?.replace(/\/users\/?$/, '') ?? ''
    const usage = this.#usages.get(wanted)
    if (usage === undefined) throw new Failure('not-found', 'nothing there is searched')
    return usage
  }

  async #answer({ id, usage, query, most }: Question, principal: Principal): Promise<string> {
    const { auid } = usage
    const found = await this.#needs.search.find({ auid, condition: query.condition, limit: mostResults })
    const readable = new Map<string, boolean>()
    const results: string[] = []
    let bytes = 0
    for (const entry of found) {
      if (results.length >= most || bytes > mostBytes) break
      const key = `${entry.owner} ${entry.name}`
      if (!readable.has(key)) readable.set(key, await this.#mayRead(usage, principal, entry))
      const result = readable.get(key) === true ? await this.#resultOf(usage, query, entry) : undefined
      if (result === undefined) continue
      results.push(result)
      bytes += result.length
    }
    return `<search id="${escapeAttribute(id)}"><response>${results.join('')}</response></search>`
  }

  async #mayRead(usage: ApplicationUsage, principal: Principal, { owner: id, name }: FoundEntry): Promise<boolean> {
    const owner = await this.#needs.principalById(id)
    if (owner === undefined) return false
    const access: Access = { principal, owner, document: name, operation: 'read' }
    return usage.permits(access) || (await this.#needs.granted(usage, access))
  }

  /** Undefined: the document has changed meanwhile. */
  async #resultOf({ auid }: ApplicationUsage, query: SearchQuery, { owner, name, number }: FoundEntry) {
    const document = await this.#needs.documents.find({ owner, auid, name })
    if (document === undefined) return undefined
    const { text, root } = this.#texts.of(document)
    const element = entriesOf(root, query.entries[1])[number - 1]
    return element && written(text, element, query)
  }
}

const isSearched = (usage: ApplicationUsage): usage is ApplicationUsage & { readonly searched: Searched } =>
  usage.searched !== undefined

function questionIn(
  { text }: DocumentText,
  search: XmlElement,
  usage: ApplicationUsage & { readonly searched: Searched },
): Question {
  const attribute = (element: XmlElement, called: string) =>
    element.attributes.find(({ name }) => name === called)?.value
  const request = search.children.find(({ name }) => name === 'request')
  const written = request?.children.find(({ name }) => name === 'query')
  if (request === undefined || written === undefined) throw new MalformedSearch('a request is expected')
  const query = readSearchQuery(stringValue(text, written))
  checkQuery(query, usage)
  const most = Number(attribute(request, 'max-results') ?? attribute(search, 'max-results') ?? usualResults)
  return { id: attribute(search, 'id') ?? '', usage, query, most: Math.min(most, mostResults) }
}

/** A query names what the application has. */
function checkQuery(query: SearchQuery, { auid, namespace: its, searched }: ApplicationUsage & { searched: Searched }) {
  if (query.collection !== auid)
    throw new MalformedSearch(`the collection ${query.collection} is not the target ${auid}`)
  if ((query.namespace ?? its) !== its) throw new MalformedSearch(`${query.namespace} is not the namespace of ${auid}`)
  const [root, entry] = searched.entries
  if (query.entries[0] !== root || query.entries[1] !== entry) throw new MalformedSearch(`${root}/${entry} is searched`)
  const paths = [...pathsIn(query.condition), ...(query.result?.paths ?? [])]
  const unknown = paths.find((path) => !searched.paths.includes(path))
  if (unknown !== undefined) throw new MalformedSearch(`${unknown} is not searched`)
  const inner = query.result?.paths.find((path) => path.includes('/@'))
  if (inner !== undefined) throw new MalformedSearch(`${inner} is not returned`)
}

function pathsIn(condition: SearchCondition | undefined): readonly string[] {
  if (condition === undefined) return []
  return 'of' in condition ? condition.of.flatMap(pathsIn) : [condition.path]
}

/** The element that a query constructs, or the whole entry: a text of its own, with its namespaces. */
function written(text: string, entry: XmlElement, { result, namespace: its }: SearchQuery): string {
  if (result === undefined) return standalone(text, entry)
  const attributes = result.paths.filter((path) => path.startsWith('@'))
  const values = attributes.map((path) => {
    const value = entry.attributes.find(({ name, namespace: ns }) => name === path.slice(1) && ns === '')?.value
    return value === undefined ? '' : ` ${path.slice(1)}="${escapeAttribute(value)}"`
  })
  const elements = result.paths.filter((path) => !path.includes('@')).flatMap((path) => at(entry, path.split('/')))
  const content = elements.map((element) => standalone(text, element)).join('')
  return `<${result.element} xmlns="${escapeAttribute(its ?? entry.namespace)}"${[...new Set(values)].join('')}>${content}</${result.element}>`
}

const conflict = ({ error }: XcapConflict): XcapReply => ({
  status: 409,
  headers: { 'content-type': xcapErrorType },
  body: writeXcapError(error),
})
