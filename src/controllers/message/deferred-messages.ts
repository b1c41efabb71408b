import type { Database } from '../../database/index.ts'
import { columns, GroupCommit } from '../../database/index.ts'
import { largeRequest, type RepositoryOptions, type WaitingFor, waitColumns } from './stored-messages.ts'
import { toFetch } from './to-fetch.ts'

/** A row of the queue: for one device, or for whoever registers first (''). */
export interface DeferredKey {
  readonly owner: number
  readonly device: string
  readonly arrived: number
  readonly message: string
}

/** A message that was claimed for a device, with the rows that its acceptance settles. */
export interface Claimed {
  readonly owner: number
  readonly message: string
  readonly arrived: number
  /** The device, '' or both. */
  readonly devices: readonly string[]
  readonly attempts: number
  readonly expiresAt: number
  /** Who it is from (who it is to, in a row of the sender's). */
  readonly peer: string
  /** The request as it was kept; undefined where it is large, and has to be asked for (`requestOf`). */
  readonly request: Buffer | undefined
}

export interface ClaimOptions {
  readonly owner: number
  readonly device: string
  /** Only what arrived later. */
  readonly after: number
  /** What has failed before is taken only if its next attempt is due by then. */
  readonly dueBy: number
  readonly now: number
  /** Another node takes it only after this. */
  readonly until: number
  readonly limit: number
}

interface ClaimedRow {
  readonly device: string
  readonly arrived: number
  readonly message: string
  readonly attempts: number
  readonly expires_at: Date
  readonly peer: string
  readonly request: Buffer | null
}

/** When a row is looked at next, and whether the time before was an attempt. */
export interface Release {
  readonly key: DeferredKey
  readonly nextAt: number
  readonly attempted: boolean
}

export interface DueDevice {
  readonly owner: number
  readonly device: string
}

/** What waits for devices. Rows point at the recipient's message and hold no content; no transaction stays open while SIP waits. */
export class DeferredMessages {
  readonly #database: Database
  readonly #settlements: GroupCommit<DeferredKey, boolean, LeftOver>
  readonly #additions: GroupCommit<Addition, void>
  #leftOver = false

  constructor({ database, onBatch }: RepositoryOptions) {
    this.#database = database
    this.#settlements = new GroupCommit({
      database,
      name: planned,
      text: settleSql,
      toValues: keyColumns,
      toResults: (rows, leftOver) => {
        if (leftOver.length > 0) this.#leftOver = true
        return rows.map(() => true)
      },
      onBatch: (size) => onBatch?.('settlements', size),
    })
    this.#additions = new GroupCommit({
      database,
      name: 'deferred-add',
      text: addSql,
      toValues: (additions) => [...waitColumns(additions), columns.booleans(additions.map(({ again }) => again))],
      onBatch: (size) => onBatch?.('deferred', size),
    })
  }

  /** Whether messages may be left without a row that waits (`StoredMessages.removeLeftOver`); asking resets it. */
  takeLeftOver(): boolean {
    const leftOver = this.#leftOver
    this.#leftOver = false
    return leftOver
  }

  /** Rows for a message of the owner's history. `again`: it was known already, and may have such rows. */
  async add(owner: number, message: Pointed, waiting: readonly WaitingFor[], again: boolean): Promise<void> {
    await Promise.all(waiting.map((wait) => this.#additions.add({ owner, message, wait, again })))
  }

  /** Accepted, or given up: the rows go, and with the last of them a message that is no part of a history. */
  async settle(keys: readonly DeferredKey[]): Promise<void> {
    await Promise.all(keys.map((key) => this.#settlements.add(key)))
  }

  /** The oldest messages that wait for a device or for anybody, leased. */
  async claim(options: ClaimOptions): Promise<Claimed[]> {
    const { owner, device, after, dueBy, now, until, limit } = options
    const rows = await this.#database.query<ClaimedRow>(claimStatement, [
      owner,
      device,
      after,
      new Date(dueBy),
      new Date(now),
      new Date(until),
      limit,
    ])
    return joined(owner, rows)
  }

  /** The lease ends: not accepted, or not tried after all. */
  async release(releases: readonly Release[]): Promise<void> {
    if (releases.length === 0) return
    await this.#database.query(releaseStatement, [
      ...keyColumns(releases.map(({ key }) => key)),
      columns.times(releases.map(({ nextAt }) => nextAt)),
      columns.integers(releases.map(({ attempted }) => (attempted ? 1 : 0))),
    ])
  }

  /** A request that was too large to come with what was claimed; undefined: it is gone. */
  async requestOf(owner: number, message: string): Promise<Buffer | undefined> {
    const [row] = await this.#database.query<{ request: Buffer }>(requestStatement, [owner, message])
    return row?.request
  }

  /** Whoever holds these leases is still at it. */
  async extend(keys: readonly DeferredKey[], until: number): Promise<void> {
    await this.#database.query(extendStatement, [...keyColumns(keys), new Date(until)])
  }

  /** Whom a message waits for: devices, and '' if nobody has accepted it. */
  async devicesWaiting(owner: number, message: string): Promise<string[]> {
    const rows = await this.#database.query<{ device: string }>(waitingStatement, [owner, message])
    return rows.map(({ device }) => device)
  }

  /** Devices with rows that are due: next attempts, and leases whose holder is gone. */
  async due(now: number, limit: number): Promise<DueDevice[]> {
    return await this.#database.query<DueDevice>(dueStatement, [new Date(now), limit])
  }

  /** Nobody is there: rows that are due wait for a registration, or for their expiry. */
  async postpone(owner: number, device: string, now: number): Promise<void> {
    await this.#database.query(postponeStatement, [owner, device, new Date(now)])
  }

  /** Whoever held a lease is gone: what was leased is tried again at once. */
  async endLeases(): Promise<void> {
    const { knex } = this.#database
    await knex('deferred').whereNotNull('leased_until').update({ leased_until: null, next_at: knex.fn.now() })
  }

  /** Expired rows, leased. Those with device '' are of messages that nobody has accepted. */
  async claimExpired(now: number, until: number, limit: number): Promise<Expired[]> {
    const values = [new Date(now), new Date(until), limit]
    return await this.#database.query<Expired>(claimExpiredStatement, values)
  }

  async close(): Promise<void> {
    await Promise.all([this.#settlements.close(), this.#additions.close()])
  }
}

interface Pointed {
  readonly id: string
  readonly arrived: number
}

interface Addition {
  readonly owner: number
  readonly message: Pointed
  readonly wait: WaitingFor
  readonly again: boolean
}

interface LeftOver {
  readonly owner: number
}

export interface Expired extends DeferredKey {
  readonly peer: string
  /** Empty unless nobody has accepted the message, and where it is large. */
  readonly request: Buffer | null
}

/** A message may come by two rows, the device's own and that of anybody: they are one delivery. */
function joined(owner: number, rows: readonly ClaimedRow[]): Claimed[] {
  const claimed: Claimed[] = []
  for (const row of rows) {
    const last = claimed.at(-1)
    if (last !== undefined && last.arrived === row.arrived && last.message === row.message) {
      claimed[claimed.length - 1] = { ...last, devices: [...last.devices, row.device] }
      continue
    }
    const { message, arrived, device, attempts, peer } = row
    const [expiresAt, request] = [row.expires_at.getTime(), row.request ?? undefined]
    claimed.push({ owner, message, arrived, devices: [device], attempts, expiresAt, peer, request })
  }
  return claimed
}

const keyColumns = (keys: readonly DeferredKey[]): unknown[] => [
  columns.bigints(keys.map(({ owner }) => owner)),
  columns.texts(keys.map(({ device }) => device)),
  columns.bigints(keys.map(({ arrived }) => arrived)),
  columns.uuids(keys.map(({ message }) => message)),
]

const addSql = `
  insert into deferred (owner, device, arrived, message, attempts, next_at, leased_until, expires_at)
  select w.owner, w.device, w.arrived, w.message, w.attempts, w.next_at, w.leased_until, w.expires_at
  from unnest($1::bigint[], $2::text[], $3::bigint[], $4::uuid[], $5::int[], $6::timestamptz[], $7::timestamptz[],
    $8::timestamptz[], $9::boolean[])
    as w (owner, device, arrived, message, attempts, next_at, leased_until, expires_at, again)
  where not w.again or not exists
    (select from deferred d where d.owner = w.owner and d.device = w.device and d.message = w.message)
  on conflict do nothing`

/**
 * These statements have no name, so that Postgres plans them each time: a plan that was made when the queue was empty, and
 * reads the whole table, would stay for as long as a minute after it has filled.
 */
const planned = ''

/**
 * `waiting` is counted down whatever it has become meanwhile, so that two devices that settle one message at the same
 * moment both count. A message that neither of them took for its last is left over, and told by the rows returned.
 */
const settleSql = `
  with gone as (
    delete from deferred d
    using unnest($1::bigint[], $2::text[], $3::bigint[], $4::uuid[]) as k (owner, device, arrived, message)
    where d.owner = k.owner and d.device = k.device and d.arrived = k.arrived and d.message = k.message
    returning d.owner, d.message
  ), counts as (
    select g.owner, g.message, g.rows, m.waiting <= g.rows as last
    from (select owner, message, count(*) as rows from gone group by owner, message) as g
    join messages m on m.owner = g.owner and m.id = g.message
    where not m.stored
  ), removed as (
    delete from messages m using counts c
    where c.last and m.owner = c.owner and m.id = c.message and m.waiting <= c.rows
  ), lessened as (
    update messages m set waiting = m.waiting - c.rows from counts c
    where not c.last and m.owner = c.owner and m.id = c.message
    returning m.owner, m.waiting
  )
  select owner from lessened where waiting <= 0`

/**
 * Of equal arrival all are taken, so that the two rows of a message are never parted; nor does that of anybody go to a device
 * whose own row is not to be tried yet: it would get the message a second time.
 */
const claimStatement = {
  name: planned,
  text: `
    with own as materialized (
      select owner, device, arrived, message from deferred
      where owner = $1 and device = $2 and arrived > $3 and (attempts = 0 or next_at <= $4)
        and (leased_until is null or leased_until <= $5) and expires_at > $5
      order by arrived limit $7 for update skip locked
    ), anybodys as materialized (
      select owner, device, arrived, message from deferred d
      where owner = $1 and device = '' and arrived > $3 and (attempts = 0 or next_at <= $4)
        and (leased_until is null or leased_until <= $5) and expires_at > $5
        and not exists
          (select from deferred o
           where o.owner = d.owner and o.device = $2 and o.arrived = d.arrived and o.message = d.message
             and ((o.attempts > 0 and o.next_at > $4) or o.leased_until > $5))
      order by arrived limit $7 for update skip locked
    ), oldest as (
      select * from (select * from own union all select * from anybodys) as both_kinds
      order by arrived fetch first $7 rows with ties
    ), leased as (
      update deferred d set leased_until = $6, next_at = least($6, d.expires_at) from oldest o
      where d.owner = o.owner and d.device = o.device and d.arrived = o.arrived and d.message = o.message
      returning d.owner, d.device, d.arrived, d.message, d.attempts, d.expires_at
    )
    select l.device, l.arrived, l.message, l.attempts, l.expires_at, m.peer,
      case when octet_length(m.request) <= ${largeRequest} then m.request end as request
    from leased l join messages m on m.owner = l.owner and m.id = l.message
    order by l.arrived, l.message, l.device desc`,
}

const releaseStatement = {
  name: planned,
  text: `
    update deferred d
    set leased_until = null, next_at = least(k.next_at, d.expires_at), attempts = least(d.attempts + k.attempts, 1000)
    from unnest($1::bigint[], $2::text[], $3::bigint[], $4::uuid[], $5::timestamptz[], $6::int[])
      as k (owner, device, arrived, message, next_at, attempts)
    where d.owner = k.owner and d.device = k.device and d.arrived = k.arrived and d.message = k.message`,
}

const dueStatement = {
  name: planned,
  text: `
    select distinct owner, device from
      (select owner, device from deferred
       where next_at <= $1 and expires_at > $1 and (leased_until is null or leased_until <= $1)
       order by next_at limit $2) as due`,
}

const postponeStatement = {
  name: planned,
  text: `
    update deferred set next_at = expires_at, leased_until = null
    where owner = $1 and device = $2 and next_at <= $3 and (leased_until is null or leased_until <= $3)`,
}

const claimExpiredStatement = {
  name: planned,
  text: `
    with expired as materialized (
      select owner, device, arrived, message from deferred
      where next_at <= $1 and expires_at <= $1 and (leased_until is null or leased_until <= $1)
      order by next_at limit $3 for update skip locked
    ), leased as (
      update deferred d set leased_until = $2, next_at = $2 from expired e
      where d.owner = e.owner and d.device = e.device and d.arrived = e.arrived and d.message = e.message
      returning d.owner, d.device, d.arrived, d.message
    )
    select l.owner, l.device, l.arrived, l.message, m.peer,
      case when l.device in ('', '${toFetch}') and octet_length(m.request) <= ${largeRequest} then m.request end as request
    from leased l join messages m on m.owner = l.owner and m.id = l.message`,
}

const requestStatement = { name: 'message-request', text: 'select request from messages where owner = $1 and id = $2' }

const extendStatement = {
  name: planned,
  text: `
    update deferred d set leased_until = $5, next_at = least($5, d.expires_at)
    from unnest($1::bigint[], $2::text[], $3::bigint[], $4::uuid[]) as k (owner, device, arrived, message)
    where d.owner = k.owner and d.device = k.device and d.arrived = k.arrived and d.message = k.message
      and d.leased_until is not null`,
}

const waitingStatement = {
  name: planned,
  text: 'select device from deferred where owner = $1 and message = $2',
}
