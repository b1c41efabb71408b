import { Failure } from '../../../failure.ts'
import { MalformedResourceList } from '../../../protocols/resource-lists/malformed-resource-list.ts'
import { readResourceLists } from '../../../protocols/resource-lists/resource-lists.ts'
import { MalformedXcap } from '../../../protocols/xcap/malformed-xcap.ts'
import { type DocumentDiff, writeXcapDiff, xcapDiffType } from '../../../protocols/xcap/xcap-diff.ts'
import { readXcapUri, type XcapUri } from '../../../protocols/xcap/xcap-uri.ts'
import { type DocumentChange, type Documents, everybody } from '../documents/index.ts'
import type { ApplicationUsage, Principal } from '../xcap/application-usage.ts'

/** Who subscribes, as the notifier knows it. */
interface Watcher {
  readonly resource: string
  readonly owner: number | undefined
  readonly body: { readonly contentType: string; readonly content: Buffer } | undefined
}

interface Needs {
  readonly documents: Pick<Documents, 'find' | 'list' | 'onChanged'>
  readonly usages: readonly ApplicationUsage[]
  readonly root: string
  readonly principalById: (id: number) => Principal | undefined | Promise<Principal | undefined>
  readonly principalOf: (uri: string) => Principal | undefined | Promise<Principal | undefined>
  /** The subscriptions to a resource have something to tell. */
  readonly changed: (resource: string) => void
}

/** What a subscription is about: one document, or all below a directory. */
interface Watched {
  readonly owner: Principal
  readonly usage: ApplicationUsage
  readonly name: string
}

/**
 * Changes of documents (RFC 5875). Documents and collections; which parts of a document changed is never told, which the
 * mode `no-patching` asks for and the others allow (§4.3).
 */
export class XcapDiffPackage {
  readonly name = 'xcap-diff'
  readonly contentTypes = [xcapDiffType]
  readonly expires = { max: 86_400, usual: 3_600 }
  readonly interval = 500
  readonly #needs: Needs
  readonly #usages: ReadonlyMap<string, ApplicationUsage>
  /** What a subscription has been told, by selector. */
  readonly #told = new WeakMap<Watcher, ReadonlyMap<string, string>>()
  readonly #stop: () => void

  constructor(needs: Needs) {
    this.#needs = needs
    this.#usages = new Map(needs.usages.map((usage) => [usage.auid, usage]))
    this.#stop = needs.documents.onChanged((change) => void this.#documentChanged(change))
  }

  /** One's own documents only, whatever the list names: what may not be read is left out, as if it were not there. */
  async authorise({ resource, owner }: Watcher): Promise<'active'> {
    const watched = await this.#needs.principalOf(resource)
    if (owner === undefined || watched?.id !== owner) throw new Failure('forbidden')
    return 'active'
  }

  async notification(watcher: Watcher): Promise<{ contentType: string; content: Buffer }> {
    const now = await this.#stateFor(watcher)
    const before = this.#told.get(watcher)
    this.#told.set(watcher, now)
    return { contentType: xcapDiffType, content: writeXcapDiff(this.#needs.root, differences(before, now)) }
  }

  close(): void {
    this.#stop()
  }

  /** Selector and entity tag of each document that the subscription is about and that is there. */
  async #stateFor(watcher: Watcher): Promise<Map<string, string>> {
    const state = new Map<string, string>()
    const principal = watcher.owner === undefined ? undefined : await this.#needs.principalById(watcher.owner)
    if (principal === undefined) return state
    for (const watched of this.#watchedBy(watcher, principal)) await this.#add(state, watched, principal)
    return state
  }

  #watchedBy(watcher: Watcher, principal: Principal): Watched[] {
    const uris = selectorsIn(watcher.body)
    if (uris === undefined) return [...this.#usages.values()].map((usage) => ({ owner: principal, usage, name: '' }))
    return uris.flatMap(({ auid, xui, document, node }) => {
      const usage = this.#usages.get(auid)
      const own = xui !== undefined && principal.identities.includes(xui)
      return usage !== undefined && own && node === undefined ? [{ owner: principal, usage, name: document }] : []
    })
  }

  async #add(state: Map<string, string>, { owner, usage, name }: Watched, principal: Principal): Promise<void> {
    if (!usage.permits({ principal, owner, document: name, operation: 'read' })) return
    const tree = `${usage.auid}/users/${owner.identities[0] ?? ''}`
    const single = await this.#needs.documents.find({ owner: owner.id, auid: usage.auid, name })
    if (single !== undefined) state.set(`${tree}/${name}`, single.etag)
    const below = name === '' ? '' : `${name}/`
    for (const one of await this.#needs.documents.list(owner.id, usage.auid))
      if (one.name.startsWith(below)) state.set(`${tree}/${one.name}`, one.etag)
  }

  async #documentChanged({ key }: DocumentChange): Promise<void> {
    if (key.owner === everybody) return
    const owner = await this.#needs.principalById(key.owner)
    for (const identity of owner?.identities ?? []) this.#needs.changed(identity)
  }
}

/** The XCAP URIs of the list in the body; undefined where there is none. Those that are no XCAP URIs are passed over. */
function selectorsIn(body: Watcher['body']): XcapUri[] | undefined {
  if (body === undefined || !body.contentType.toLowerCase().startsWith('application/resource-lists+xml'))
    return undefined
  try {
    return readResourceLists(body.content).flatMap(({ uri }) => readSelector(uri))
  } catch (err) {
    if (err instanceof MalformedResourceList) throw new Failure('malformed', err.message, { cause: err })
    throw err
  }
}

function readSelector(uri: string): XcapUri[] {
  try {
    return [readXcapUri(uri.replace(/^https?:\/\/[^/]*\/xcap(?=\/)/i, ''))]
  } catch (err) {
    if (err instanceof MalformedXcap) return []
    throw err
  }
}

/** All where nothing was told, and where nothing has changed: that is the answer to a refresh (RFC 5875 §4.7). */
function differences(
  before: ReadonlyMap<string, string> | undefined,
  now: ReadonlyMap<string, string>,
): DocumentDiff[] {
  const changed: DocumentDiff[] = []
  for (const [selector, newEtag] of now) {
    const previousEtag = before?.get(selector)
    if (previousEtag !== newEtag) changed.push({ selector, newEtag, previousEtag })
  }
  for (const [selector, previousEtag] of before ?? []) if (!now.has(selector)) changed.push({ selector, previousEtag })
  return changed.length > 0 ? changed : [...now].map(([selector, newEtag]) => ({ selector, newEtag }))
}
