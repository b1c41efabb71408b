import { Failure } from '../../../failure.ts'
import { deleteAttribute, deleteElement, leadsTo } from '../../../protocols/xcap/edit-element.ts'
import { MalformedXcap } from '../../../protocols/xcap/malformed-xcap.ts'
import { type NodeSelector, writeSteps } from '../../../protocols/xcap/node-selector.ts'
import { checkPrefixes, selectAttribute, selectElement } from '../../../protocols/xcap/select-element.ts'
import { writeXcapError, type XcapError, xcapErrorType } from '../../../protocols/xcap/xcap-error.ts'
import { readXcapUri } from '../../../protocols/xcap/xcap-uri.ts'
import { escapeAttribute } from '../../../protocols/xml/references.ts'
import { namespacesInScope, type XmlElement } from '../../../protocols/xml/xml-element.ts'
import { type Document, type DocumentKey, type Documents, etagOf, everybody } from '../documents/index.ts'
import type { Access, ApplicationUsage, Principal } from './application-usage.ts'
import { type DocumentText, readDocument, readText } from './document-text.ts'
import { DocumentTexts } from './document-texts.ts'
import { type Conditions, refusalOf } from './preconditions.ts'
import { putAttributeInto, putElementInto } from './put-node.ts'
import { XcapConflict } from './xcap-conflict.ts'

export interface XcapRequest extends Conditions {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE'
  /** Path and query below the XCAP root, percent-encoded as they came. */
  readonly target: string
  readonly principal: Principal
  readonly contentType?: string | undefined
  readonly body: Buffer
}

export interface XcapReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer
}

export interface XcapNeeds {
  readonly documents: Pick<Documents, 'find' | 'change'>
  readonly usages: readonly ApplicationUsage[]
  /** Schemas here, or a Validator, which has a thread for them. */
  readonly schemas: { check(schema: string | undefined, content: Buffer): void | Promise<void> }
  /** Whose home directory an XCAP user identifier names. */
  readonly ownerOf: (xui: string) => Principal | undefined | Promise<Principal | undefined>
  /** Whether the owner lets somebody read who may not by the rules of the application. */
  readonly granted?: (usage: ApplicationUsage, access: Access) => Promise<boolean>
  /** The URI of the XCAP root, for what an answer has to name. */
  readonly root: string
}

/** A request, understood: whose document it is about, and which node of it. */
interface Target {
  readonly usage: ApplicationUsage
  readonly owner: Principal | undefined
  readonly key: DocumentKey
  readonly node: NodeSelector | undefined
  readonly bindings: ReadonlyMap<string, string>
}

const nodeTypes = {
  element: 'application/xcap-el+xml',
  attribute: 'application/xcap-att+xml',
  namespaces: 'application/xcap-ns+xml',
} as const

/** What a change makes of a document; undefined: it goes. `content`: the bytes as they came. */
type Changed = { readonly document: DocumentText; readonly content?: Buffer } | undefined

/** An XCAP server (RFC 4825): documents, and the elements and attributes in them, by their URIs. */
export class XcapServer {
  readonly #needs: XcapNeeds
  readonly #usages: ReadonlyMap<string, ApplicationUsage>
  readonly #texts = new DocumentTexts()

  constructor(needs: XcapNeeds) {
    this.#needs = needs
    this.#usages = new Map(needs.usages.map((usage) => [usage.auid, usage]))
  }

  /** Throws Failure: 'forbidden', 'not-found', 'malformed'. */
  async handle(request: XcapRequest): Promise<XcapReply> {
    try {
      const target = await this.#targetOf(request)
      switch (request.method) {
        case 'GET':
        case 'HEAD':
          return await this.#get(request, target)
        case 'PUT':
          return await this.#put(request, target)
        case 'DELETE':
          return await this.#delete(request, target)
      }
    } catch (err) {
      if (err instanceof XcapConflict) return conflict(err.error)
      if (err instanceof MalformedXcap) throw new Failure('malformed', err.message, { cause: err })
      throw err
    }
  }

  /** Who asks is looked at before what there is: what somebody may not see is the same whether it is there or not. */
  async #targetOf({ target, principal, method }: XcapRequest): Promise<Target> {
    const uri = readXcapUri(target)
    const usage = this.#usages.get(uri.auid)
    if (usage === undefined) throw new Failure('not-found')
    const owner = uri.xui === undefined ? undefined : await this.#needs.ownerOf(uri.xui)
    if (uri.xui !== undefined && owner === undefined) throw new Failure('forbidden')
    const operation = method === 'GET' || method === 'HEAD' ? 'read' : 'write'
    await this.#admit(usage, { principal, owner, document: uri.document, operation })
    if (!usage.names(uri.document, uri.xui === undefined ? 'global' : 'users')) throw unknownName(operation)
    const bindings = new Map(uri.bindings).set('', usage.namespace)
    if (uri.node !== undefined) checkPrefixes(uri.node, bindings)
    const key = { owner: owner?.id ?? everybody, auid: uri.auid, name: uri.document }
    return { usage, owner, key, node: uri.node, bindings }
  }

  /** The application says who may; beyond that, owners may let others read. */
  async #admit(usage: ApplicationUsage, access: Access): Promise<void> {
    if (usage.permits(access)) return
    if (access.operation === 'write' || !(await this.#needs.granted?.(usage, access))) throw new Failure('forbidden')
  }

  async #get(request: XcapRequest, target: Target): Promise<XcapReply> {
    const document = await this.#find(target)
    if (document === undefined) throw new Failure('not-found')
    const { node, usage } = target
    const found =
      node === undefined ? { type: usage.contentType, body: document.content } : this.#read(document, target)
    const refusal = refusalOf(request, found && document.etag, true)
    if (refusal !== undefined) return { status: refusal, headers: etagHeader(document) }
    if (found === undefined) throw new Failure('not-found')
    return { status: 200, headers: { ...etagHeader(document), 'content-type': found.type }, body: found.body }
  }

  async #find({ usage, key, owner }: Target): Promise<Document | undefined> {
    return (await usage.computed?.(key, owner)) ?? (await this.#needs.documents.find(key))
  }

  #read(document: Document, { node, bindings }: Target): { type: string; body: Buffer } | undefined {
    const { text, root } = this.#texts.of(document)
    const element = node && selectElement(root, node.steps, bindings)
    if (element === undefined) return undefined
    if (node?.terminal === undefined)
      return { type: nodeTypes.element, body: Buffer.from(text.slice(element.start, element.end)) }
    if (node.terminal === 'namespaces') return { type: nodeTypes.namespaces, body: namespacesOf(element) }
    const attribute = selectAttribute(element, node.terminal.attribute, bindings)
    if (attribute === undefined) return undefined
    return { type: nodeTypes.attribute, body: Buffer.from(text.slice(attribute.valueStart, attribute.valueEnd)) }
  }

  async #put(request: XcapRequest, target: Target): Promise<XcapReply> {
    const { node, usage, key, owner } = target
    if (node?.terminal === 'namespaces' || (await usage.computed?.(key, owner)) !== undefined) return readOnly
    const expected = typeOf(target)
    if (mediaType(request.contentType) !== expected)
      throw new Failure('unsupported-content', `${expected} is taken here`)
    return await this.#change(request, target, (current) =>
      node === undefined ? putDocument(request.body) : this.#putNode(request.body, current, target, node),
    )
  }

  async #delete(request: XcapRequest, target: Target): Promise<XcapReply> {
    const { node, usage, key, owner } = target
    if (node?.terminal === 'namespaces' || (await usage.computed?.(key, owner)) !== undefined) return readOnly
    return await this.#change(request, target, (current) => {
      if (current === undefined) throw new Failure('not-found')
      return node === undefined ? undefined : this.#deleteNode(current, target, node)
    })
  }

  #change(request: XcapRequest, target: Target, edit: (current: Document | undefined) => Changed): Promise<XcapReply> {
    return this.#needs.documents.change(target.key, async (current) => {
      const there = current !== undefined && this.#isThere(current, target)
      const refusal = refusalOf(request, there ? current.etag : undefined, false)
      if (refusal !== undefined) {
        const headers = current === undefined ? {} : etagHeader(current)
        return { content: 'unchanged', result: { status: refusal, headers } }
      }
      const changed = edit(current)
      if (changed === undefined) return { content: undefined, result: { status: 200, headers: {} } }
      const content = changed.content ?? Buffer.from(changed.document.text)
      await this.#check(changed.document, content, target)
      const etag = etagOf(content)
      // Who changes one node of a document changes another one soon.
      if (changed.content === undefined) this.#texts.keep(etag, changed.document)
      const headers = { etag: `"${etag}"` }
      return { content, etag, result: { status: there || request.method === 'DELETE' ? 200 : 201, headers } }
    })
  }

  #isThere(current: Document, target: Target): boolean {
    return target.node === undefined || this.#read(current, target) !== undefined
  }

  #putNode(body: Buffer, current: Document | undefined, target: Target, node: NodeSelector): Changed {
    if (current === undefined) throw new XcapConflict({ kind: 'no-parent', ...this.#ancestor(target, undefined) })
    const known = this.#texts.of(current)
    const put = typeof node.terminal === 'object' ? putAttributeInto : putElementInto
    const { edit, value } = put(body, known, node, target.bindings)
    if (edit === 'no-parent') throw new XcapConflict({ kind: 'no-parent', ...this.#ancestor(target, known) })
    if (typeof edit === 'string') throw new XcapConflict({ kind: 'cannot-insert' })
    const document = readText(edit.text)
    // RFC 4825 §7.1: a GET of the same URI has to return what was put.
    if (!leadsTo(document.root, node, target.bindings, document.text, value))
      throw new XcapConflict({ kind: 'cannot-insert', phrase: 'the URI would not lead to what was put' })
    return { document }
  }

  #deleteNode(current: Document, { bindings }: Target, { steps, terminal }: NodeSelector): Changed {
    const { text, root } = this.#texts.of(current)
    const element = selectElement(root, steps, bindings)
    if (element === undefined) throw new Failure('not-found')
    if (steps.length === 1 && terminal === undefined)
      throw new XcapConflict({ kind: 'cannot-delete', phrase: 'the root element goes with its document' })
    const edit =
      typeof terminal === 'object'
        ? deleteAttribute(text, element, terminal.attribute, bindings)
        : deleteElement(text, root, steps, bindings)
    if (typeof edit === 'string') throw new Failure('not-found')
    const document = readText(edit.text)
    // RFC 4825 §8.2.5: what is gone must not be found again at the same URI.
    if (terminal === undefined && selectElement(document.root, steps, bindings) !== undefined)
      throw new XcapConflict({ kind: 'cannot-delete', phrase: 'the URI would lead to another element' })
    return { document }
  }

  async #check({ text, root }: DocumentText, content: Buffer, { usage, key, owner }: Target): Promise<void> {
    await this.#needs.schemas.check(usage.schema, content)
    await usage.check?.({ key, owner, text, root })
  }

  /** The nearest resource above that is there (RFC 4825 §11). */
  #ancestor({ usage, owner, key, node, bindings }: Target, known: DocumentText | undefined): { ancestor?: string } {
    const { root } = this.#needs
    const tree = owner === undefined ? 'global' : `users/${encodeURIComponent(owner.identities[0] ?? '')}`
    if (known === undefined || node === undefined) return { ancestor: `${root}/${usage.auid}/${tree}/` }
    for (let depth = node.steps.length - 1; depth > 0; depth--) {
      if (selectElement(known.root, node.steps.slice(0, depth), bindings) === undefined) continue
      return { ancestor: `${root}/${usage.auid}/${tree}/${key.name}/~~/${writeSteps(node, depth)}` }
    }
    return { ancestor: `${root}/${usage.auid}/${tree}/${key.name}` }
  }
}

const putDocument = (body: Buffer): Changed => ({ document: readDocument(body), content: body })

const readOnly: XcapReply = { status: 405, headers: { allow: 'GET, HEAD' } }

const etagHeader = ({ etag }: Document) => ({ etag: `"${etag}"` })

function conflict(error: XcapError): XcapReply {
  return { status: 409, headers: { 'content-type': xcapErrorType }, body: writeXcapError(error) }
}

/** A document that the application has no place for. */
const unknownName = (operation: 'read' | 'write'): Error =>
  operation === 'read'
    ? new Failure('not-found')
    : new XcapConflict({ kind: 'constraint-failure', phrase: 'the application has no document of that name' })

function typeOf({ usage, node }: Target): string {
  if (node === undefined) return usage.contentType
  return node.terminal === undefined ? nodeTypes.element : nodeTypes.attribute
}

const mediaType = (contentType = ''): string => (contentType.split(';', 1)[0] as string).trim().toLowerCase()

/** RFC 4825 §7.10: an empty element of the same name, with all the bindings in scope. */
function namespacesOf(element: XmlElement): Buffer {
  const name = element.prefix === '' ? element.name : `${element.prefix}:${element.name}`
  const bindings = [...namespacesInScope(element)].map(
    ([prefix, uri]) => ` xmlns${prefix === '' ? '' : `:${prefix}`}="${escapeAttribute(uri)}"`,
  )
  return Buffer.from(`<${name}${bindings.join('')}/>`)
}
