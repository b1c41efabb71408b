import type { Database } from '../../../database/index.ts'
import { withMailbox } from './transaction.ts'

export interface RetentionNeeds {
  readonly database: Database
  readonly now: () => number
  /** How long objects are kept; 0: for ever. */
  readonly keepDays: number
  /** How long is known what went. */
  readonly tombstoneDays: number
  readonly changed: (owner: number) => void
  readonly remove: (owner: number, ids: readonly string[], expired: boolean) => Promise<number>
}

/** A user who wants their objects to be kept for less than the operator would. */
export interface Keeper {
  readonly owner: number
  readonly keepDays: number
}

const day = 86_400_000
const atOnce = 500
const stagedMs = 3_600_000

/** Removes what has been kept for long enough. What still waits for a device stays until it has been taken or given up. */
export class Retention {
  readonly #needs: RetentionNeeds
  constructor(needs: RetentionNeeds) {
    this.#needs = needs
  }

  /** Returns how many objects went. */
  async sweep(keepers: AsyncIterable<Keeper>, signal: AbortSignal): Promise<number> {
    let removed = await this.#removeExpired(signal)
    removed += await this.#removeOld(signal)
    for await (const { owner, keepDays } of keepers) {
      if (signal.aborted) break
      removed += await this.#removeOldOf(owner, this.#daysAgo(keepDays), signal)
    }
    await this.#forget(signal)
    await this.#removeStaged()
    return removed
  }

  /** Objects with an expiry of their own. */
  async #removeExpired(signal: AbortSignal): Promise<number> {
    let removed = 0
    for (let after: Key = [0, zero]; !signal.aborted; ) {
      const rows = await this.#rows(expiredStatement, [new Date(this.#needs.now()), ...after, atOnce])
      removed += await this.#remove(rows)
      const last = rows.at(-1)
      if (last === undefined || rows.length < atOnce) break
      after = [last.owner, last.id]
    }
    return removed
  }

  /** For the operator. */
  async #removeOld(signal: AbortSignal): Promise<number> {
    const { database, keepDays } = this.#needs
    if (keepDays === 0) return 0
    const before = this.#daysAgo(keepDays)
    let removed = 0
    for (let after = 0; !signal.aborted; ) {
      const owners = await database.query<{ owner: number }>(ownersStatement, [after, before, atOnce])
      for (const { owner } of owners) removed += await this.#removeOldOf(owner, before, signal)
      if (owners.length < atOnce) break
      after = owners.at(-1)?.owner ?? after
    }
    return removed
  }

  async #removeOldOf(owner: number, before: number, signal: AbortSignal): Promise<number> {
    let removed = 0
    while (!signal.aborted) {
      const rows = await this.#rows(oldStatement, [owner, before, atOnce])
      removed += await this.#remove(rows)
      if (rows.length < atOnce) break
    }
    return removed
  }

  /** In microseconds, as messages have it. */
  #daysAgo(days: number): number {
    return (this.#needs.now() - days * day) * 1000
  }

  async #remove(rows: readonly OwnedRow[]): Promise<number> {
    let removed = 0
    for (const [owner, ids] of byOwner(rows)) {
      removed += await this.#needs.remove(owner, ids, true)
      this.#needs.changed(owner)
    }
    return removed
  }

  /** Clients that have not asked for that long begin again. */
  async #forget(signal: AbortSignal): Promise<void> {
    const { database, now, tombstoneDays } = this.#needs
    const before = new Date(now() - tombstoneDays * day)
    while (!signal.aborted) {
      const owners = await database.query<{ owner: number }>(forgettableStatement, [before, atOnce])
      for (const { owner } of owners) {
        await withMailbox(database, owner, async (trx) => {
          await trx.raw(forgetSql, [owner, before, owner])
        })
      }
      if (owners.length === 0) break
    }
  }

  /** Of uploads that a crash has cut off. */
  async #removeStaged(): Promise<void> {
    await this.#needs.database.query(stagedStatement, [new Date(this.#needs.now() - stagedMs)])
  }

  #rows(statement: { name: string; text: string }, values: readonly unknown[]): Promise<OwnedRow[]> {
    return this.#needs.database.query<OwnedRow>(statement, values)
  }
}

interface OwnedRow {
  readonly owner: number
  readonly id: string
}

type Key = readonly [owner: number, id: string]
const zero = '00000000-0000-0000-0000-000000000000'

function byOwner(rows: readonly OwnedRow[]): Map<number, string[]> {
  const owners = new Map<number, string[]>()
  for (const { owner, id } of rows) {
    const ids = owners.get(owner)
    if (ids === undefined) owners.set(owner, [id])
    else ids.push(id)
  }
  return owners
}

const waits = 'exists (select from deferred d where d.owner = m.owner and d.message = m.id)'

const expiredStatement = {
  name: '',
  text: `select m.owner, m.id from messages m
    where m.expires_at <= $1 and (m.owner, m.id) > ($2, $3::uuid) and m.folder is not null and not ${waits}
    order by m.owner, m.id limit $4`,
}
const ownersStatement = {
  name: '',
  text: `select b.owner from mailboxes b
    where b.owner > $1 and b.objects > 0
      and exists (select from messages m where m.owner = b.owner and m.arrived < $2 and m.folder is not null)
    order by b.owner limit $3`,
}
const oldStatement = {
  name: '',
  text: `select m.owner, m.id from messages m
    where m.owner = $1 and m.arrived < $2 and m.folder is not null and not ${waits} order by m.arrived limit $3`,
}
const forgettableStatement = {
  name: '',
  text: 'select distinct owner from (select owner from tombstones where at < $1 order by at limit $2) as t',
}
const forgetSql = `
  with gone as (delete from tombstones where owner = ? and at < ? returning modseq)
  update mailboxes set forgotten = greatest(forgotten, (select max(modseq) from gone)) where owner = ?`
const stagedStatement = {
  name: '',
  text: `with staged as (delete from staged_chunks where since < $1 returning owner, content)
    delete from chunks c using staged s where c.owner = s.owner and c.content = s.content`,
}
