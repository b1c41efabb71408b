import type { Database, Statement } from '../../database/database.ts'
import { GroupCommit } from '../../database/group-commit.ts'
import { NotifiedCache } from '../../database/notified-cache.ts'
import type { Binding } from './binding.ts'
import {
  type BindingChange,
  type BindingRow,
  type ChangeResult,
  expiredSinceStatement,
  expireStatement,
  forgetStatement,
  fromRow,
  readStatement,
  sweepBatch,
  toResults,
  toValues,
  writeText,
} from './binding-rows.ts'
import { FlowIndex } from './flow-index.ts'
import { isReachableByItself } from './reachable.ts'

interface Needs {
  readonly database: Database
  readonly now: () => number
  /** How long a device with an instance is remembered after its binding expired. */
  readonly rememberMs: number
  readonly log: { warn(fields: object, message: string): void }
  readonly onBatch?: (size: number) => void
  /** Most owners held in memory, in each of two generations. */
  readonly mostCached?: number
  readonly sweepMs?: number
}

/** What becomes of the bindings of an owner. */
export interface Change {
  readonly put: readonly Binding[]
  readonly remove: readonly Binding[]
}

export interface Changed {
  /** Those that live now. */
  readonly bindings: readonly Binding[]
  /** Messages wait for this owner. */
  readonly waiting: boolean
}

const channel = 'bindings'
/** Devices of an owner that are remembered; of more, those seen longest ago are forgotten. */
const mostRemembered = 16
const none: readonly Binding[] = []

/** Where users are reached: in Postgres, so that it outlives the process, and in memory, where messages ask. */
export class Bindings {
  readonly #needs: Needs
  /** All rows of an owner that count: of live bindings, and of devices that are remembered. */
  readonly #cache: NotifiedCache<number, readonly Binding[]>
  readonly #writes: GroupCommit<BindingChange, boolean, ChangeResult>
  readonly #flows = new FlowIndex()
  /** The last change under way for an owner; the next one waits for it. */
  readonly #changing = new Map<number, Promise<unknown>>()
  readonly #sweeping: NodeJS.Timeout
  #sweptAt: number
  readonly #listeners = new Set<(owner: number) => void>()
  readonly #unsubscribe: () => void

  constructor(needs: Needs) {
    this.#needs = needs
    this.#sweptAt = needs.now()
    const { database, mostCached = 200_000, onBatch } = needs
    this.#cache = new NotifiedCache({
      notifications: database.notifications,
      channel,
      keysOf: (payload) => [Number(payload)],
      read: (owner) => this.#read(owner),
      most: mostCached,
    })
    this.#unsubscribe = database.notifications.subscribe(
      channel,
      (payload, own) => {
        if (!own) this.#tell(Number(payload))
      },
      () => {},
    )
    this.#writes = new GroupCommit({
      database,
      name: 'bindings-write',
      text: writeText,
      toValues,
      toResults,
      ...(onBatch && { onBatch }),
    })
    this.#sweeping = setInterval(() => void this.sweep(), needs.sweepMs ?? 30_000)
    this.#sweeping.unref()
  }

  /** Hears of each change of somebody's bindings, by this node at once, by others as soon as they tell. */
  onChanged(listener: (owner: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The live bindings of an owner, the preferred ones first. A promise only where the database has to be asked. */
  of(owner: number): readonly Binding[] | Promise<readonly Binding[]> {
    const known = this.#cache.get(owner)
    if (known instanceof Promise) return known.then((bindings) => this.#live(bindings))
    return this.#live(known)
  }

  /** The instances of all devices that were seen in the last days, here or not. */
  devicesKnown(owner: number): readonly string[] | Promise<readonly string[]> {
    const known = this.#cache.get(owner)
    return known instanceof Promise ? known.then(instancesOf) : instancesOf(known)
  }

  /**
   * Changes the bindings of an owner as `decide` says, and resolves when that is committed. One change of an owner
   * follows the other, so that `decide` sees what the one before has made.
   */
  change(owner: number, decide: (live: readonly Binding[]) => Change): Promise<Changed> {
    return this.#inTurn(owner, async () => {
      const known = await this.#cache.get(owner)
      const change = decide(this.#live(known))
      if (change.put.length + change.remove.length === 0) return { bindings: this.#live(known), waiting: false }
      const next = this.#after(known, change)
      const waiting = await this.#write(owner, next.written)
      this.#remember(owner, known, next.bindings)
      return { bindings: this.#live(next.bindings), waiting }
    })
  }

  /** Removes a binding that leads nowhere, if it is still there: at once from memory, then from the database. */
  async drop(owner: number, key: string): Promise<void> {
    await this.#amend(owner, (live) => ({ put: none, remove: live.filter((binding) => binding.key === key) }))
  }

  /** A stream closed: what was bound to it is gone, or is tried at its contact from now on (RFC 5626 §5.3). */
  flowClosed(flow: string): void {
    for (const { owner, key } of this.#flows.take(flow)) {
      const affected = (live: readonly Binding[]) => {
        const lost = live.filter((binding) => binding.key === key && binding.flow === flow)
        const [kept, gone] = [lost.filter(isReachableByItself), lost.filter((each) => !isReachableByItself(each))]
        return { put: kept.map((binding) => binding.with({ flow: '' })), remove: gone }
      }
      this.#amend(owner, affected).catch((err) =>
        this.#needs.log.warn({ part: 'registrar', err, owner }, 'a binding whose flow closed stays until it expires'),
      )
    }
  }

  /** Deletes what has expired, and forgets devices that were not seen for long. */
  async sweep(): Promise<void> {
    const now = this.#needs.now()
    try {
      await this.#tellExpired(now)
      await this.#sweepOut(expireStatement, new Date(now))
      await this.#sweepOut(forgetStatement, new Date(now - this.#needs.rememberMs))
    } catch (err) {
      this.#needs.log.warn({ part: 'registrar', err }, 'expired bindings are deleted later')
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeping)
    this.#unsubscribe()
    await Promise.allSettled(this.#changing.values())
    await this.#writes.close()
    this.#cache.close()
  }

  /** Each node finds them for itself, and tells its own listeners. */
  async #tellExpired(now: number): Promise<void> {
    if (this.#listeners.size > 0) {
      const values = [new Date(this.#sweptAt), new Date(now)]
      const rows = await this.#needs.database.query<{ owner: number }>(expiredSinceStatement, values)
      for (const { owner } of rows) this.#tell(owner)
    }
    this.#sweptAt = now
  }

  async #sweepOut(statement: Statement, until: Date): Promise<void> {
    let gone = sweepBatch
    while (gone === sweepBatch) gone = (await this.#needs.database.query(statement, [until])).length
  }

  /** As `change`, for what is true whether or not it can be written: memory learns of it first. */
  #amend(owner: number, decide: (live: readonly Binding[]) => Change): Promise<void> {
    return this.#inTurn(owner, async () => {
      const known = this.#cache.peek(owner) ?? (await this.#cache.get(owner))
      const change = decide(this.#live(known))
      if (change.put.length + change.remove.length === 0) return
      const next = this.#after(known, change)
      this.#remember(owner, known, next.bindings)
      await this.#write(owner, next.written)
    })
  }

  async #inTurn<T>(owner: number, work: () => Promise<T>): Promise<T> {
    const before = this.#changing.get(owner)
    const turn = before === undefined ? work() : before.then(work, work)
    this.#changing.set(owner, turn)
    try {
      return await turn
    } finally {
      if (this.#changing.get(owner) === turn) this.#changing.delete(owner)
    }
  }

  /** The rows of the owner once `change` is made, and which of them are to be written. */
  #after(known: readonly Binding[], change: Change): { bindings: readonly Binding[]; written: readonly Binding[] } {
    const now = this.#needs.now()
    const put = new Set(change.put.map(({ key }) => key))
    const staying = new Set(change.put.filter(({ hasInstance }) => hasInstance).map(({ device }) => device))
    const removed = change.remove
      .filter(({ key }) => !put.has(key))
      .map((binding) =>
        binding.with({ expiresAt: now, flow: '', hasInstance: binding.hasInstance && !staying.has(binding.device) }),
      )
    const changed = [...change.put, ...removed]
    const keys = new Set(changed.map(({ key }) => key))
    const all = [...changed, ...known.filter(({ key }) => !keys.has(key))].sort(byPreference)
    const forgotten = all.filter((binding) => binding.hasInstance && binding.expiresAt <= now).slice(mostRemembered)
    const bindings = all.filter((each) => this.#counts(each, now) && !forgotten.includes(each))
    return { bindings, written: [...changed, ...forgotten.map((each) => each.with({ hasInstance: false }))] }
  }

  /** Throws Failure; then nobody knows whether it was written, and the next to ask reads it. */
  async #write(owner: number, rows: readonly Binding[]): Promise<boolean> {
    try {
      return await this.#writes.add({ owner, rows })
    } catch (err) {
      this.#cache.delete(owner)
      throw err
    } finally {
      this.#needs.database.notifications.publish(channel, String(owner))
    }
  }

  #remember(owner: number, before: readonly Binding[], bindings: readonly Binding[]): void {
    for (const binding of before) this.#flows.remove(binding)
    for (const binding of bindings) this.#flows.add(binding)
    this.#cache.set(owner, bindings)
    this.#tell(owner)
  }

  #tell(owner: number): void {
    for (const listener of this.#listeners) listener(owner)
  }

  async #read(owner: number): Promise<readonly Binding[]> {
    const { database, now, rememberMs } = this.#needs
    const times = [new Date(now()), new Date(now() - rememberMs)]
    const rows = await database.query<BindingRow>(readStatement, [owner, ...times])
    return rows.length === 0 ? none : rows.map(fromRow)
  }

  /** Mostly all of them live, and then nothing is made anew. */
  #live(bindings: readonly Binding[]): readonly Binding[] {
    const now = this.#needs.now()
    for (const { expiresAt } of bindings) {
      if (expiresAt <= now) return bindings.filter((binding) => binding.expiresAt > now)
    }
    return bindings
  }

  #counts({ hasInstance, expiresAt }: Binding, now: number): boolean {
    return expiresAt > now || (hasInstance && expiresAt > now - this.#needs.rememberMs)
  }
}

/** By q; of equals the one registered last. */
const byPreference = (a: Binding, b: Binding) => b.q - a.q || b.registeredAt - a.registeredAt

function instancesOf(bindings: readonly Binding[]): readonly string[] {
  return [...new Set(bindings.filter(({ hasInstance }) => hasInstance).map(({ device }) => device))]
}
