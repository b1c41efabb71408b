import { randomBytes } from 'node:crypto'
import { Failure } from '../../failure.ts'
import { writeMultipart } from '../../protocols/mime/multipart.ts'
import { pidfType } from '../../protocols/pidf/pidf.ts'
import { type ListedResource, rlmiType, writeRlmi } from '../../protocols/pidf/rlmi.ts'
import type { Member } from './list-members.ts'

/** Who watches, as the notifier knows it. */
interface Watcher {
  readonly package: string
  readonly resource: string
  readonly subscriber: string
  readonly owner: number | undefined
  readonly anonymous: boolean
  readonly userAgent: string
  readonly eventParams: ReadonlyMap<string, string | undefined>
  readonly accept: readonly string[]
  readonly supported: readonly string[]
  readonly body: { readonly contentType: string; readonly content: Buffer } | undefined
  readonly state: 'pending' | 'active' | 'terminated'
  readonly sequence: number
  /** There is something to tell. */
  notify?(): void
}

interface Notification {
  readonly contentType: string
  readonly content: Buffer
  readonly require?: string
}

interface BackEnd {
  readonly state: 'pending' | 'active' | 'terminated'
  readonly reason: 'rejected' | 'noresource' | undefined
  notification(): Notification | undefined | Promise<Notification | undefined>
  close(): void
}

interface Single {
  authorise(watcher: Watcher): Promise<'active' | 'pending'>
  notification(watcher: Watcher): Promise<Notification>
  watched(resource: string): void
}

interface Needs {
  /** The presence of one user. */
  readonly single: Single
  /** The members of the list that a subscription is to, in order; undefined where it is to no list. */
  readonly members: (watcher: Watcher) => Promise<readonly Member[] | undefined>
  /** A subscription inside this process. */
  readonly watch: (watcher: Watcher, onChanged: () => void) => Promise<BackEnd>
  readonly limits: { readonly members: number }
}

interface WatchedMember {
  readonly uri: string
  readonly backEnd: BackEnd
}

/** A list that somebody subscribes to, with what is known of its members. */
interface List {
  /** By address. */
  members: ReadonlyMap<string, WatchedMember>
  /** Addresses of those who have something to tell; `all` of them after a request of the subscriber. */
  changed: Set<string> | 'all'
}

/**
 * Presence of users, and of lists of them (RFC 4662): the members are watched inside this process, each under the rules
 * of its own, and told of in one NOTIFY. The answer to a SUBSCRIBE is the whole list, what comes later tells what changed.
 */
export class ListPackage {
  readonly name = 'presence'
  readonly contentTypes = [pidfType, rlmiType, 'multipart/related']
  readonly expires = { max: 86_400, usual: 3_600 }
  readonly interval = 1_000
  readonly #needs: Needs
  readonly #lists = new Map<Watcher, List>()
  /** One after the other for each watcher. */
  readonly #turns = new WeakMap<Watcher, Promise<unknown>>()
  readonly #ended = new WeakSet<Watcher>()

  constructor(needs: Needs) {
    this.#needs = needs
  }

  authorise(watcher: Watcher): Promise<'active' | 'pending'> {
    const turn = (this.#turns.get(watcher) ?? Promise.resolve()).then(() => this.#authorise(watcher))
    this.#turns.set(
      watcher,
      turn.catch(() => {}),
    )
    return turn
  }

  async notification(watcher: Watcher): Promise<Notification> {
    const list = this.#lists.get(watcher)
    return list === undefined ? await this.#needs.single.notification(watcher) : await this.#tell(watcher, list)
  }

  members(watcher: Watcher): readonly string[] | undefined {
    const list = this.#lists.get(watcher)
    return list && [...list.members.keys()]
  }

  watched(resource: string): void {
    this.#needs.single.watched(resource)
  }

  ended(watcher: Watcher): void {
    this.#ended.add(watcher)
    const list = this.#lists.get(watcher)
    this.#lists.delete(watcher)
    for (const { backEnd } of list?.members.values() ?? []) backEnd.close()
  }

  async #authorise(watcher: Watcher): Promise<'active' | 'pending'> {
    const members = await this.#needs.members(watcher)
    if (members === undefined) return await this.#needs.single.authorise(watcher)
    if (!watcher.supported.includes('eventlist')) throw new Failure('extension-required', 'eventlist')
    if (members.length > this.#needs.limits.members) throw new Failure('too-many-recipients')
    await this.#open(watcher, members)
    return 'active'
  }

  /** Watches those who have come, and lets go of those who have left; who stays in the list stays watched. */
  async #open(watcher: Watcher, members: readonly Member[]): Promise<void> {
    const list = this.#lists.get(watcher) ?? { members: new Map(), changed: 'all' as const }
    const next = new Map<string, WatchedMember>()
    const opened: BackEnd[] = []
    try {
      for (const { uri, address } of members) {
        const known = list.members.get(address)?.backEnd
        const backEnd = known ?? (await this.#watchMember(watcher, address, list))
        if (known === undefined) opened.push(backEnd)
        next.set(address, { uri, backEnd })
      }
    } catch (err) {
      for (const backEnd of opened) backEnd.close()
      throw err
    }
    // It may have ended while its members were asked for.
    if (this.#ended.has(watcher)) for (const backEnd of opened) backEnd.close()
    else this.#replace(watcher, list, next)
  }

  #replace(watcher: Watcher, list: List, next: ReadonlyMap<string, WatchedMember>): void {
    for (const [address, { backEnd }] of list.members) if (!next.has(address)) backEnd.close()
    list.members = next
    list.changed = 'all'
    this.#lists.set(watcher, list)
  }

  #watchMember(watcher: Watcher, resource: string, list: List): Promise<BackEnd> {
    const { subscriber, owner, anonymous, userAgent, eventParams, supported } = watcher
    const inner: Watcher = {
      ...{ package: this.name, resource, subscriber, owner, anonymous, userAgent, eventParams, supported },
      ...{ accept: [pidfType], body: undefined, state: 'active' as const, sequence: 0 },
    }
    return this.#needs.watch(inner, () => {
      if (list.changed !== 'all') list.changed.add(resource)
      watcher.notify?.()
    })
  }

  async #tell(watcher: Watcher, list: List): Promise<Notification> {
    const fullState = list.changed === 'all' || list.changed.size === 0
    const { members } = list
    const told = list.changed === 'all' || fullState ? [...members.keys()] : [...list.changed]
    list.changed = new Set()
    const parts = await Promise.all(told.flatMap((address) => members.get(address) ?? []).map(partOf))
    const rlmi = writeRlmi({
      uri: watcher.resource,
      version: watcher.sequence,
      fullState,
      resources: parts.map(({ resource }) => resource),
    })
    return relatedTo(rlmi, parts, takesBareIds(watcher.userAgent))
  }
}

interface Part {
  readonly resource: ListedResource
  readonly notification: Notification | undefined
}

async function partOf({ uri, backEnd }: WatchedMember): Promise<Part> {
  const { state, reason } = backEnd
  const notification = state === 'active' ? await stateOf(backEnd) : undefined
  const cid = notification && `${randomBytes(8).toString('hex')}@presence`
  return { resource: { uri, state, ...(state === 'terminated' && { reason }), cid }, notification }
}

/** A member that is gone since has no state; the others are told of all the same. */
async function stateOf(backEnd: BackEnd): Promise<Notification | undefined> {
  try {
    return await backEnd.notification()
  } catch (err) {
    if (err instanceof Failure && err.condition === 'recipient-unknown') return undefined
    throw err
  }
}

/** Linphone compares the whole value of Content-ID with `cid`, where RFC 4662 §5.4 has it in angle brackets. */
const takesBareIds = (userAgent: string): boolean => /^Linphone/i.test(userAgent)

/** RFC 4662 §5.2: the meta-information is the root of a multipart/related. */
function relatedTo(rlmi: Buffer, parts: readonly Part[], bareIds: boolean): Notification {
  const boundary = randomBytes(12).toString('hex')
  const start = 'list@presence'
  const root = { headers: headersOf(rlmiType, `<${start}>`), body: rlmi }
  const states = parts.flatMap(({ resource: { cid }, notification }) =>
    notification === undefined || cid === undefined
      ? []
      : [{ headers: headersOf(notification.contentType, bareIds ? cid : `<${cid}>`), body: notification.content }],
  )
  return {
    contentType: `multipart/related;type="${rlmiType}";start="<${start}>";boundary=${boundary}`,
    content: writeMultipart([root, ...states], boundary),
    require: 'eventlist',
  }
}

const headersOf = (type: string, id: string): ReadonlyMap<string, string> =>
  new Map([
    ['content-transfer-encoding', 'binary'],
    ['content-id', id],
    ['content-type', type],
  ])
