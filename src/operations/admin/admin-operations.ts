import type { FastifyReply, FastifyRequest } from 'fastify'
import { Failure } from '../../failure.ts'
import { addressOfRecord } from '../../protocols/sip/address-of-record.ts'
import type { Alarms } from '../alarms.ts'
import type { Log } from '../logging.ts'
import type { BindingEntry, DeferredEntry, DeferredKey, User } from './admin-searches.ts'
import type { MessageCopy, MessageKey, MessageQuery } from './message-search.ts'
import type { Page, PageOptions } from './page.ts'

interface Subscriber {
  readonly id: number
  readonly name: string
  readonly identities: readonly string[]
}

export interface AdminNeeds {
  readonly subscribers: {
    find(aor: string): Subscriber | undefined | Promise<Subscriber | undefined>
    add(user: { uri: string; password: string; tel?: string; name?: string }): Promise<Subscriber>
    change(aor: string, changes: { tel?: string; name?: string }): Promise<Subscriber>
    remove(aor: string): Promise<unknown>
    setPassword(aor: string, password: string): Promise<unknown>
  }
  readonly bindings: { drop(owner: number, key: string): unknown }
  /** Gives up deliveries; a message that is no part of a history goes with the last of them. */
  readonly deferred: { settle(keys: readonly DeferredKey[]): Promise<void> }
  /** Removes a copy that nothing waits for any more. */
  readonly messages: { remove(owner: number, id: string): Promise<unknown> }
  /** Messages as their recipients handle them. */
  readonly waiting: { reject(owner: number, message: string): Promise<void> }
  readonly searches: {
    users(options: PageOptions): Promise<Page<User>>
    bindings(options: PageOptions): Promise<Page<BindingEntry>>
    deferred(options: PageOptions): Promise<Page<DeferredEntry>>
    deferredKeys(owner: number, message: string | undefined, limit: number): Promise<readonly DeferredKey[]>
  }
  readonly messageSearch: {
    copies(query: MessageQuery, content: boolean): Promise<readonly MessageCopy[]>
    keys(query: MessageQuery): Promise<readonly MessageKey[]>
  }
  readonly alarms: Pick<Alarms, 'list' | 'clear'>
  readonly log: Log
}

interface PageQuery {
  readonly user?: string
  readonly limit: number
  readonly cursor?: string
}

/** The operations of admin.openapi.yaml, by their operationId. What comes here has passed its schema. */
export class AdminOperations {
  readonly #needs: AdminNeeds
  readonly #log: Log
  constructor(needs: AdminNeeds) {
    this.#needs = needs
    this.#log = needs.log.child({ part: 'admin' })
  }

  async listAlarms(): Promise<object> {
    return { alarms: this.#needs.alarms.list() }
  }

  async clearAlarms(request: FastifyRequest): Promise<object> {
    return { removed: this.#needs.alarms.clear((request.query as { subject?: string }).subject) }
  }

  async listUsers(request: FastifyRequest): Promise<object> {
    const { entries, ...next } = await this.#needs.searches.users(request.query as PageQuery)
    return { users: entries, ...next }
  }

  async addUser(request: FastifyRequest, reply: FastifyReply): Promise<User> {
    const user = request.body as { uri: string; password: string; tel?: string; name?: string }
    const added = userOf(await this.#needs.subscribers.add(user))
    this.#log.info({ aor: added.uri }, 'user added')
    reply.code(201).header('location', `/admin/v1/users/${encodeURIComponent(added.uri)}`)
    return added
  }

  async findUser(request: FastifyRequest): Promise<User> {
    return userOf(await this.#subscriber(uriOf(request)))
  }

  async changeUser(request: FastifyRequest): Promise<User> {
    const changes = request.body as { tel?: string; name?: string }
    const changed = userOf(await this.#needs.subscribers.change(canonical(uriOf(request)), changes))
    this.#log.info({ aor: changed.uri, changed: Object.keys(changes) }, 'user changed')
    return changed
  }

  async removeUser(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { uri } = userOf(await this.#subscriber(uriOf(request)))
    await this.#needs.subscribers.remove(uri)
    this.#log.info({ aor: uri }, 'user removed')
    reply.code(204)
  }

  async setPassword(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { uri } = userOf(await this.#subscriber(uriOf(request)))
    await this.#needs.subscribers.setPassword(uri, (request.body as { password: string }).password)
    this.#log.info({ aor: uri }, 'password set')
    reply.code(204)
  }

  async listBindings(request: FastifyRequest): Promise<object> {
    const { entries, ...next } = await this.#needs.searches.bindings(await this.#pageOptions(request))
    return { bindings: entries, ...next }
  }

  async dropBindings(request: FastifyRequest): Promise<object> {
    const { user, key } = request.query as { user: string; key?: string }
    const owner = await this.#subscriber(user)
    const keys = await this.#bindingKeys(owner.id, key)
    for (const each of keys) await this.#needs.bindings.drop(owner.id, each)
    this.#log.info({ aor: owner.identities[0], removed: keys.length }, 'bindings dropped')
    return { removed: keys.length }
  }

  async listDeferred(request: FastifyRequest): Promise<object> {
    const { entries, ...next } = await this.#needs.searches.deferred(await this.#pageOptions(request))
    return { deferred: entries, ...next }
  }

  async removeDeferred(request: FastifyRequest): Promise<object> {
    const { user, message } = request.query as { user: string; message?: string }
    const owner = await this.#subscriber(user)
    const removed = await this.#settle(owner.id, message)
    if (removed === 0 && message !== undefined) throw new Failure('not-found', 'nothing of that message waits')
    this.#log.info({ aor: owner.identities[0], removed }, 'deliveries given up')
    return { removed }
  }

  async rejectDeferred(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { user, message } = request.query as { user: string; message: string }
    const owner = await this.#subscriber(user)
    await this.#needs.waiting.reject(owner.id, message)
    this.#log.info({ aor: owner.identities[0], message }, 'a message that waits was rejected')
    reply.code(204)
  }

  async findMessage(request: FastifyRequest): Promise<object> {
    const { content } = request.query as { content: boolean }
    const query = await this.#messageQuery(request)
    const copies = await this.#needs.messageSearch.copies(query, content)
    if (copies.length === 0) throw new Failure('not-found', 'no message has that id')
    if (content) this.#log.info({ message: query.id }, 'content of a message read')
    return { copies }
  }

  async removeMessage(request: FastifyRequest): Promise<object> {
    const query = await this.#messageQuery(request)
    const keys = await this.#needs.messageSearch.keys(query)
    if (keys.length === 0) throw new Failure('not-found', 'no message has that id')
    for (const { owner, id } of keys) {
      await this.#settle(owner, id)
      await this.#needs.messages.remove(owner, id)
    }
    this.#log.info({ message: query.id, removed: keys.length }, 'message removed')
    return { removed: keys.length }
  }

  /** Gives up what waits for the devices of an owner. The bound is for a queue that grows meanwhile. */
  async #settle(owner: number, message: string | undefined): Promise<number> {
    let removed = 0
    for (let round = 0; round < 1000; round++) {
      const keys = await this.#needs.searches.deferredKeys(owner, message, 500)
      await this.#needs.deferred.settle(keys)
      removed += keys.length
      if (keys.length < 500) break
    }
    return removed
  }

  async #messageQuery(request: FastifyRequest): Promise<MessageQuery> {
    return { id: (request.params as { id: string }).id, ...(await this.#ownerIn(request)) }
  }

  async #subscriber(uri: string): Promise<Subscriber> {
    const found = await this.#needs.subscribers.find(canonical(uri))
    if (found === undefined) throw new Failure('not-found', 'no such user')
    return found
  }

  async #pageOptions(request: FastifyRequest): Promise<PageOptions> {
    const { limit, cursor } = request.query as PageQuery
    return { limit, ...(cursor === undefined ? {} : { cursor }), ...(await this.#ownerIn(request)) }
  }

  async #ownerIn(request: FastifyRequest): Promise<{ owner?: number }> {
    const { user } = request.query as { user?: string }
    return user === undefined ? {} : { owner: (await this.#subscriber(user)).id }
  }

  /** Contacts of one user are few: `sip.registrar.maxContacts`. */
  async #bindingKeys(owner: number, key: string | undefined): Promise<readonly string[]> {
    const { entries } = await this.#needs.searches.bindings({ owner, limit: 1000 })
    const keys = entries.map((entry) => entry.key).filter((each) => key === undefined || each === key)
    if (keys.length === 0 && key !== undefined) throw new Failure('not-found', 'no binding has that key')
    return keys
  }
}

function userOf({ identities, name }: Subscriber): User {
  return { uri: identities[0] ?? '', identities, name }
}

const uriOf = (request: FastifyRequest) => (request.params as { uri: string }).uri

/** A URI has no spaces: one in a query was the + of a telephone number (WHATWG URL, form-urlencoded). */
function canonical(uri: string): string {
  const aor = addressOfRecord(uri.replaceAll(' ', '+'))
  if (aor === undefined) throw new Failure('malformed', 'give a URI such as sip:alice@example.org or tel:+15550001')
  return aor
}
