import type { Knex } from 'knex'
import { type Page, type PageOptions, type Position, pageOf, positionOf } from './page.ts'

export interface User {
  readonly uri: string
  readonly identities: readonly string[]
  readonly name: string
}

export interface BindingEntry {
  readonly user: string
  readonly key: string
  readonly device: string
  readonly contact: string
  readonly registeredAs: string
  readonly transport: string
  readonly userAgent: string
  readonly expiresAt: string
}

export interface DeferredEntry {
  readonly user: string
  readonly message: string
  readonly peer: string
  readonly device: string
  readonly arrivedAt: string
  readonly attempts: number
  readonly nextAt: string
  readonly leasedUntil?: string
  readonly expiresAt: string
}

/** What names a delivery in the queue. */
export interface DeferredKey {
  readonly owner: number
  readonly device: string
  readonly arrived: number
  readonly message: string
}

interface BindingRow {
  readonly user: string | null
  readonly owner: number
  readonly key: string
  readonly device: string
  readonly contact: string
  readonly aor: string
  readonly transport: string
  readonly user_agent: string
  readonly expires_at: Date
}

interface DeferredRow extends DeferredKey {
  readonly user: string | null
  readonly peer: string | null
  readonly attempts: number
  readonly next_at: Date
  readonly leased_until: Date | null
  readonly expires_at: Date
}

/** What the operator looks for, over all owners: a read model over the tables of other parts. Pages go by key. */
export class AdminSearches {
  readonly #knex: Knex
  constructor(database: { readonly knex: Knex }) {
    this.#knex = database.knex
  }

  async users({ limit, cursor }: PageOptions): Promise<Page<User>> {
    const rows = await this.#rows<User>(usersSql, [...positionOf(cursor, ['']), limit + 1])
    const toUser = ({ uri, identities, name }: User) => ({ uri, identities, name })
    return pageOf(rows, limit, toUser, ({ uri }) => [uri])
  }

  async bindings({ limit, cursor, owner }: PageOptions): Promise<Page<BindingEntry>> {
    const after = positionOf(cursor, [-1, ''])
    const rows = await this.#rows<BindingRow>(bindingsSql(owner), [...after, ...given(owner), limit + 1])
    return pageOf(rows, limit, bindingEntry, (row) => [row.owner, row.key])
  }

  async deferred({ limit, cursor, owner }: PageOptions): Promise<Page<DeferredEntry>> {
    const after = positionOf(cursor, [-1, '', 0, noMessage])
    const rows = await this.#rows<DeferredRow>(deferredSql(owner), [...after, ...given(owner), limit + 1])
    return pageOf(rows, limit, deferredEntry, (row) => [row.owner, row.device, row.arrived, row.message])
  }

  /** Some of what waits for the devices of an owner, of one message if it is given. */
  async deferredKeys(owner: number, message: string | undefined, limit: number): Promise<DeferredKey[]> {
    const ofMessage = message === undefined ? '' : 'and message = ?'
    const sql = `select owner, device, arrived, message from deferred where owner = ? ${ofMessage} limit ?`
    return await this.#rows<DeferredKey>(sql, [owner, ...given(message), limit])
  }

  /** Contacts registered now. */
  async countBindings(): Promise<number> {
    return await this.#count('select count(*) as count from bindings where expires_at > now()')
  }

  /** Deliveries that wait for a device. */
  async countDeferred(): Promise<number> {
    return await this.#count('select count(*) as count from deferred')
  }

  async #count(sql: string): Promise<number> {
    const [row] = await this.#rows<{ count: number | string }>(sql, [])
    return Number(row?.count ?? 0)
  }

  async #rows<Row>(sql: string, values: Position): Promise<Row[]> {
    const { rows } = await this.#knex.raw<{ rows: Row[] }>(sql, [...values])
    return rows
  }
}

const noMessage = '00000000-0000-0000-0000-000000000000'

const given = <T>(value: T | undefined): T[] => (value === undefined ? [] : [value])
const ofOwner = (alias: string, owner: number | undefined) => (owner === undefined ? '' : `and ${alias}.owner = ?`)

const usersSql = `
  select first.uri, s.name, array_agg(i.uri order by i.position) as identities
  from identities first
  join subscribers s on s.id = first.subscriber
  join identities i on i.subscriber = s.id
  where first.position = 0 and first.uri > ?
  group by first.uri, s.name
  order by first.uri
  limit ?`

const bindingsSql = (owner: number | undefined) => `
  select i.uri as "user", b.owner, b.key, b.device, b.contact, b.aor, b.transport, b.user_agent, b.expires_at
  from bindings b
  left join identities i on i.subscriber = b.owner and i.position = 0
  where b.expires_at > now() and (b.owner, b.key) > (?, ?) ${ofOwner('b', owner)}
  order by b.owner, b.key
  limit ?`

const deferredSql = (owner: number | undefined) => `
  select i.uri as "user", d.owner, d.device, d.arrived, d.message, m.peer,
    d.attempts, d.next_at, d.leased_until, d.expires_at
  from deferred d
  left join messages m on m.owner = d.owner and m.id = d.message
  left join identities i on i.subscriber = d.owner and i.position = 0
  where (d.owner, d.device, d.arrived, d.message) > (?, ?, ?, ?) ${ofOwner('d', owner)}
  order by d.owner, d.device, d.arrived, d.message
  limit ?`

function bindingEntry(row: BindingRow): BindingEntry {
  const { user, key, device, contact, aor, transport, user_agent, expires_at } = row
  const entry = { user: user ?? aor, key, device, contact, registeredAs: aor, transport }
  return { ...entry, userAgent: user_agent, expiresAt: expires_at.toISOString() }
}

function deferredEntry(row: DeferredRow): DeferredEntry {
  const { user, message, peer, device, arrived, attempts, next_at, leased_until, expires_at } = row
  return {
    user: user ?? '',
    message,
    peer: peer ?? '',
    device,
    arrivedAt: new Date(arrived / 1000).toISOString(),
    attempts,
    nextAt: next_at.toISOString(),
    ...(leased_until === null ? {} : { leasedUntil: leased_until.toISOString() }),
    expiresAt: expires_at.toISOString(),
  }
}
