import type { Database } from '../../database/index.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import type { DeferredKey } from './deferred-messages.ts'
import { readKeptHead } from './kept-request.ts'
import { largeRequest } from './stored-messages.ts'
import { toFetch } from './to-fetch.ts'

/** A message that some device, anybody, or its recipient's fetching is waited for. */
export interface WaitingMessage {
  readonly owner: number
  readonly id: string
  /** Microseconds since 1970. */
  readonly arrived: number
  readonly peer: string
  readonly expiresAt: number
  /** Those it waits for. */
  readonly devices: readonly string[]
  /** As it was kept; of a large one only the beginning of its body. */
  readonly head: SipRequest
  /** Of its body. */
  readonly bytes: number
}

/** Where a list goes on: after this message. */
export interface Place {
  readonly arrived: number
  readonly id: string
}

export const beginning: Place = { arrived: 0, id: '00000000-0000-0000-0000-000000000000' }

interface WaitingRow {
  readonly id: string
  readonly arrived: number
  readonly peer: string
  readonly expires_at: Date
  readonly devices: string[]
  readonly head: Buffer
  readonly bytes: number
}

/** What was taken hold of, so that no device gets it meanwhile. `busy`: a device is being given it. */
export type Held = { readonly keys: readonly DeferredKey[] } | 'busy' | 'gone'

/** What waits, message by message: a read model over the queue and the messages that it points at. */
export class WaitingMessages {
  readonly #database: Database

  constructor({ database }: { readonly database: Database }) {
    this.#database = database
  }

  /** Oldest first. */
  async list(owner: number, after: Place, limit: number): Promise<WaitingMessage[]> {
    const rows = await this.#database.query<WaitingRow>(listStatement, [owner, after.arrived, after.id, limit])
    return rows.map((row) => fromRow(owner, row))
  }

  async find(owner: number, id: string): Promise<WaitingMessage | undefined> {
    const [row] = await this.#database.query<WaitingRow>(findStatement, [owner, id])
    return row && fromRow(owner, row)
  }

  async hold(owner: number, id: string, now: number, until: number): Promise<Held> {
    const values = [owner, id, new Date(now), new Date(until)]
    const rows = await this.#database.query<HeldRow>(holdStatement, values)
    if (rows.length === 0) return 'gone'
    const free = rows.every(({ held }) => held)
    return free ? { keys: rows.map(({ device, arrived }) => ({ owner, device, arrived, message: id })) } : 'busy'
  }

  /** Leases what its owner is to fetch and has not been told of. Returns how much that is, and the oldest of it. */
  async holdUntold(owner: number, now: number, until: number, most: number): Promise<Untold | undefined> {
    const times = [new Date(now), new Date(until)]
    const [row] = await this.#database.query<{ count: number; last: number | null }>(untoldStatement, [owner, ...times])
    if (row === undefined || row.last === null) return undefined
    const all = await this.#database.query<WaitingRow>(toFetchStatement, [owner, most])
    return { count: row.count, last: row.last, oldest: all.map((one) => fromRow(owner, one)) }
  }

  /** The lease ends. `told`: nobody is told of these again before the next return. */
  async endTelling(owner: number, last: number, told: boolean): Promise<void> {
    await this.#database.query(toldStatement, [owner, last, told ? 1 : 0])
  }

  /** The owner was away: they are to be told of all that they are to fetch. */
  async forgetTelling(owner: number): Promise<void> {
    await this.#database.query(forgetStatement, [owner])
  }

  /** Of an owner's messages those with ids between these two, waiting or not. */
  async idsOf(owner: number, first: string, last: string): Promise<string[]> {
    const rows = await this.#database.query<{ id: string }>(idsStatement, [owner, first, last])
    return rows.map(({ id }) => id)
  }

  /** The rows of messages that wait to be fetched, and have been seen by another door. */
  async seenUnfetched(owner: number): Promise<DeferredKey[]> {
    return await this.#database.query<DeferredKey>(seenStatement, [owner])
  }

  /** The rows by which messages wait to be fetched, of those named. */
  async toFetchOf(owner: number, ids: readonly string[]): Promise<DeferredKey[]> {
    return await this.#database.query<DeferredKey>(keysStatement, [owner, [...ids]])
  }
}

export interface Untold {
  readonly count: number
  /** Arrival of the latest. */
  readonly last: number
  readonly oldest: readonly WaitingMessage[]
}

interface HeldRow {
  readonly device: string
  readonly arrived: number
  readonly held: boolean
}

function fromRow(owner: number, row: WaitingRow): WaitingMessage {
  const { id, arrived, peer, devices, bytes } = row
  const head = readKeptHead(row.head)
  const rest = bytes - row.head.length
  return {
    owner,
    id,
    arrived,
    peer,
    expiresAt: row.expires_at.getTime(),
    devices,
    head,
    bytes: head.body.length + rest,
  }
}

const columnsOf = `d.id, d.arrived, m.peer, d.expires_at, d.devices, octet_length(m.request) as bytes,
  substring(m.request from 1 for ${largeRequest}) as head`

const listStatement = {
  name: '',
  text: `
    select ${columnsOf} from
      (select message as id, arrived, max(expires_at) as expires_at, array_agg(device order by device) as devices
       from deferred where owner = $1 and (arrived, message) > ($2::bigint, $3::uuid)
       group by message, arrived order by arrived, message limit $4) as d
    join messages m on m.owner = $1 and m.id = d.id
    order by d.arrived, d.id`,
}

const findStatement = {
  name: '',
  text: `
    select ${columnsOf} from
      (select message as id, min(arrived) as arrived, max(expires_at) as expires_at,
         array_agg(device order by device) as devices
       from deferred where owner = $1 and message = $2::uuid group by message) as d
    join messages m on m.owner = $1 and m.id = d.id`,
}

/** All rows of the message, or none of them. */
const holdStatement = {
  name: '',
  text: `
    with found as materialized (
      select owner, device, arrived, message, leased_until from deferred
      where owner = $1 and message = $2::uuid order by device, arrived for update
    ), held as (
      update deferred d set leased_until = $4, next_at = least($4, d.expires_at) from found f
      where d.owner = f.owner and d.device = f.device and d.arrived = f.arrived and d.message = f.message
        and not exists (select from found where leased_until > $3)
      returning d.device
    )
    select device, arrived, exists (select from held) as held from found`,
}

const untoldStatement = {
  name: '',
  text: `
    with untold as materialized (
      select owner, device, arrived, message from deferred
      where owner = $1 and device = '${toFetch}' and attempts = 0
        and (leased_until is null or leased_until <= $2) and expires_at > $2
      for update skip locked
    ), leased as (
      update deferred d set leased_until = $3, next_at = least($3, d.expires_at) from untold u
      where d.owner = u.owner and d.device = u.device and d.arrived = u.arrived and d.message = u.message
      returning d.arrived
    )
    select count(*)::int as count, max(arrived) as last from leased`,
}

const toFetchStatement = {
  name: '',
  text: `
    select ${columnsOf} from
      (select message as id, arrived, expires_at, array[device] as devices from deferred
       where owner = $1 and device = '${toFetch}' and attempts = 0 order by arrived, message limit $2) as d
    join messages m on m.owner = $1 and m.id = d.id
    order by d.arrived, d.id`,
}

const toldStatement = {
  name: '',
  text: `
    update deferred set leased_until = null, next_at = expires_at, attempts = $3
    where owner = $1 and device = '${toFetch}' and arrived <= $2 and attempts = 0`,
}

const forgetStatement = {
  name: '',
  text: `update deferred set attempts = 0 where owner = $1 and device = '${toFetch}' and attempts > 0`,
}

const idsStatement = {
  name: 'message-ids-between',
  text: 'select id from messages where owner = $1 and id between $2::uuid and $3::uuid limit 20',
}

const seenStatement = {
  name: '',
  text: `
    select d.owner, d.device, d.arrived, d.message from deferred d
    join messages m on m.owner = d.owner and m.id = d.message
    where d.owner = $1 and d.device = '${toFetch}' and '\\Seen' = any (m.flags)`,
}

const keysStatement = {
  name: '',
  text: `
    select owner, device, arrived, message from deferred
    where owner = $1 and device = '${toFetch}' and message = any ($2::uuid[])`,
}
