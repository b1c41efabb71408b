import type { Database } from '../../../database/index.ts'

/** A device that is behind, leased: another node takes it only when the lease is over. */
export interface Behind {
  /** How far it has been told, and in which epoch; 0: it was never told anything. */
  readonly since: number
  readonly epoch: string | undefined
  readonly attempts: number
  /** Where the mailbox is. */
  readonly modseq: number
  readonly current: string
  readonly objects: number
}

interface BehindRow extends Omit<Behind, 'epoch'> {
  readonly epoch: string | null
}

/** What the first mailbox of a user begins with. Who was there before it has missed nothing. */
const emptyMailbox = 2

/** How far devices have been told of changes in mailboxes. */
export class DeviceCursors {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** Undefined: it knows all, or somebody else is at it. */
  async claim(owner: number, device: string, now: number, until: number): Promise<Behind | undefined> {
    const values = [owner, device, new Date(now), new Date(until)]
    const [row] = await this.#database.query<BehindRow>(claimStatement, values)
    return row && { ...row, epoch: row.epoch ?? undefined }
  }

  async told(owner: number, device: string, modseq: number, epoch: string): Promise<void> {
    await this.#database.query(toldStatement, [owner, device, modseq, epoch])
  }

  /** `nextAt` undefined: with the next change, or when it registers. */
  async failed(owner: number, device: string, nextAt: number | undefined): Promise<void> {
    await this.#database.query(failedStatement, [owner, device, nextAt === undefined ? null : new Date(nextAt)])
  }

  /** Owners with next attempts, and of leases whose holder is gone; each is told of once. */
  async due(now: number, limit: number): Promise<number[]> {
    const rows = await this.#database.query<{ owner: number }>(dueStatement, [new Date(now), limit])
    return rows.map(({ owner }) => owner)
  }

  /** Owners with a device that is there and behind. */
  async behind(now: number, limit: number): Promise<number[]> {
    const rows = await this.#database.query<{ owner: number }>(behindStatement, [new Date(now), limit])
    return rows.map(({ owner }) => owner)
  }

  /** Devices that were told nothing since then are forgotten. */
  async forget(before: number): Promise<void> {
    await this.#database.query(forgetStatement, [new Date(before)])
  }

  /** Of objects those that came as pager messages, which SIP brings to each device by itself; of a session one has them. */
  async cameBySip(owner: number, ids: readonly string[]): Promise<ReadonlySet<string>> {
    if (ids.length === 0) return new Set()
    const rows = await this.#database.query<{ id: string }>(bySipStatement, [owner, [...ids]])
    return new Set(rows.map(({ id }) => id))
  }

  /** Objects by imdn.Message-ID, or by their own id. */
  async named(owner: number, names: readonly string[]): Promise<readonly Named[]> {
    return await this.#database.query<Named>(namedStatement, [owner, [...names]])
  }
}

export interface Named {
  readonly id: string
  readonly name: string
  readonly folder: string
  readonly peer: string
}

const claimStatement = {
  name: '',
  text: `
    with state as (
      select modseq, epoch, objects from mailboxes where owner = $1
    ), first as (
      insert into device_cursors (owner, device, modseq) select $1, $2, ${emptyMailbox} where not exists (select from state)
      on conflict do nothing
    ), claimed as (
      insert into device_cursors as c (owner, device, leased_until, next_at)
      select $1, $2, $4, $4 from state
      on conflict (owner, device) do update set leased_until = excluded.leased_until, next_at = excluded.next_at
      where (c.leased_until is null or c.leased_until <= $3)
        and (c.modseq < (select modseq from state) or c.epoch <> (select epoch from state))
      returning c.modseq, c.epoch, c.attempts
    )
    select c.modseq as since, c.epoch, c.attempts, s.modseq, s.epoch as current, s.objects from claimed c, state s`,
}

const toldStatement = {
  name: 'device-cursor-told',
  text: `
    update device_cursors
    set modseq = $3, epoch = $4, attempts = 0, leased_until = null, next_at = null, told_at = now()
    where owner = $1 and device = $2`,
}

const failedStatement = {
  name: 'device-cursor-failed',
  text: `
    update device_cursors
    set leased_until = null, next_at = $3::timestamptz,
      attempts = case when $3::timestamptz is null then 0 else attempts + 1 end
    where owner = $1 and device = $2`,
}

const dueStatement = {
  name: '',
  text: `
    with due as (
      select owner, device from device_cursors where next_at <= $1 order by next_at limit $2 for update skip locked
    )
    update device_cursors c set next_at = null, leased_until = null from due d
    where c.owner = d.owner and c.device = d.device
    returning c.owner`,
}

const behindStatement = {
  name: '',
  text: `
    select distinct c.owner from device_cursors c
    join mailboxes m on m.owner = c.owner and m.modseq > c.modseq
    where exists (select from bindings b where b.owner = c.owner and b.device = c.device and b.expires_at > $1)
    limit $2`,
}

const forgetStatement = {
  name: '',
  text: `
    delete from device_cursors c where told_at < $1
      and not exists (select from bindings b where b.owner = c.owner and b.device = c.device and b.expires_at > now())`,
}

/** What was said in a session is stored under that tag, which tells it from a message of its own. */
const bySipStatement = {
  name: '',
  text: `
    select id from messages
    where owner = $1 and id = any ($2::uuid[]) and direction = 'in' and substring(request from 1 for 8) = 'MESSAGE '
      and position(';tag=chat'::bytea in substring(request from 1 for 4096)) = 0`,
}

const namedStatement = {
  name: '',
  text: `
    select m.id, n.name, m.folder, m.peer from unnest($2::text[]) as n (name)
    join messages m on m.owner = $1 and m.folder is not null and m.correlation_id = n.name
    union
    select m.id, n.name, m.folder, m.peer from unnest($2::text[]) as n (name)
    join messages m on m.owner = $1 and m.folder is not null and m.id::text = n.name
      and m.id = any (array(select x::uuid from unnest($2::text[]) as x
        where x ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'))`,
}
