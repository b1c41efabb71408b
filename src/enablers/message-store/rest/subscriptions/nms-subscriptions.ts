import { randomUUID } from 'node:crypto'
import type { Database, Statement } from '../../../../database/index.ts'
import { Failure } from '../../../../failure.ts'
import type { NmsFormat } from '../../../../protocols/nms/write-nms.ts'
import type { Filter } from './event-filter.ts'
import type { Point } from './restart-token.ts'

/** Who is told of the changes in one mailbox, and how far it has been told (NMS §5.3.2.20). */
export interface NmsSubscription {
  readonly owner: number
  readonly id: string
  /** Of the owner. */
  readonly identity: string
  /** URL of the mailbox as the client wrote it. */
  readonly base: string
  readonly notifyUrl: string
  readonly callbackData: string | undefined
  readonly format: NmsFormat
  readonly filter: Filter | undefined
  readonly correlator: string | undefined
  /** Polled by the client; without it, notifications are posted to `notifyUrl`. */
  readonly channel: string | undefined
  /** Seconds. */
  readonly duration: number
  /** Where the mailbox stood when the client subscribed. */
  readonly born: number
  readonly at: Point
  /** How far the notification with this index goes, once it was sent at all: sent again, it says no more. */
  readonly pending: number | undefined
  readonly index: number
  readonly revision: number
  /** Another one each time that a node takes it over. */
  readonly lease: number
  readonly attempts: number
  /** Milliseconds since the notification that is under way was sent for the first time. */
  readonly failingFor: number
}

export interface NewSubscription
  extends Pick<
    NmsSubscription,
    | 'identity'
    | 'base'
    | 'notifyUrl'
    | 'callbackData'
    | 'format'
    | 'filter'
    | 'correlator'
    | 'channel'
    | 'duration'
    | 'born'
    | 'at'
  > {}

interface Row {
  readonly owner: number
  readonly id: string
  readonly identity: string
  readonly base: string
  readonly notify_url: string
  readonly callback_data: string | null
  readonly format: NmsFormat
  readonly filter: Filter | null
  readonly correlator: string | null
  readonly channel: string | null
  readonly duration: number
  readonly born: number
  readonly epoch: string
  readonly position: number
  readonly pending: number | null
  readonly index: number
  readonly revision: number
  readonly lease: number
  readonly attempts: number
  readonly failing_for: number
}

/** Longer than sending one notification takes. */
export const leaseSeconds = 30

/** The subscriptions to mailboxes. A lease says which node tells a client: there is one notification under way at a time. */
export class NmsSubscriptions {
  readonly #database: Database
  readonly #most: number

  /** `most` of one user. */
  constructor(database: Database, most: number) {
    this.#database = database
    this.#most = most
  }

  /** The one there is with that correlator, or a new one. Throws `forbidden` where the user has too many. */
  async add(owner: number, wanted: NewSubscription): Promise<{ subscription: NmsSubscription; isNew: boolean }> {
    await this.#database.query(forgetStatement, [owner])
    const [row] = await this.#database.query<Row>(addStatement, [owner, randomUUID(), ...valuesOf(wanted), this.#most])
    if (row !== undefined) return { subscription: fromRow(row), isNew: true }
    const [known] = await this.#database.query<Row>(byCorrelatorStatement, [owner, wanted.correlator ?? null])
    if (known === undefined) throw new Failure('forbidden', 'too many subscriptions')
    return { subscription: fromRow(known), isNew: false }
  }

  async find(owner: number, id: string): Promise<NmsSubscription | undefined> {
    const [row] = await this.#database.query<Row>(findStatement, [owner, id])
    return row && fromRow(row)
  }

  async list(owner: number): Promise<NmsSubscription[]> {
    return (await this.#database.query<Row>(listStatement, [owner])).map(fromRow)
  }

  /** What is under way is void: the next notification has an index that was never used. */
  async update(owner: number, id: string, change: { duration: number; at: Point | undefined }) {
    const values = [owner, id, change.duration, change.at?.epoch ?? null, change.at?.modseq ?? null]
    const [row] = await this.#database.query<Row>(updateStatement, values)
    return row && fromRow(row)
  }

  /** Whether there was one. */
  async remove(owner: number, id: string): Promise<boolean> {
    return (await this.#database.query(removeStatement, [owner, id])).length > 0
  }

  /** Subscriptions with something to tell by callback, leased: of these owners, or of all. */
  async claim(owners: readonly number[] | undefined, limit: number): Promise<NmsSubscription[]> {
    const rows = await this.#database.query<Row>(claimStatement, [owners ?? null, limit, leaseSeconds])
    return rows.map(fromRow)
  }

  /** Those whose last notification has not been taken, and that are due: all of them are few. */
  async claimPending(limit: number): Promise<NmsSubscription[]> {
    return (await this.#database.query<Row>(claimPendingStatement, [limit, leaseSeconds])).map(fromRow)
  }

  /** Those of a channel that no other poll holds, leased. */
  async claimOfChannel(owner: number, channel: string): Promise<NmsSubscription[]> {
    const rows = await this.#database.query<Row>(claimOfChannelStatement, [owner, channel, leaseSeconds])
    return rows.map(fromRow)
  }

  /** Before a notification goes out: what it will tell at the most. Undefined where the client or another node was quicker. */
  async begin(subscription: NmsSubscription, pending: number, index: number): Promise<NmsSubscription | undefined> {
    const { owner, id, revision, lease } = subscription
    const values = [owner, id, revision, subscription.index, pending, index, leaseSeconds, lease]
    const [row] = await this.#database.query<Row>(beginStatement, values)
    return row && fromRow(row)
  }

  /** The client has been told up to `at`, or there was nothing to tell (`index` stays). Undefined as above. */
  async advance(subscription: NmsSubscription, at: Point, told: boolean): Promise<NmsSubscription | undefined> {
    const { owner, id, revision, index } = subscription
    const values = [owner, id, revision, index, at.epoch, at.modseq, told ? 1 : 0, leaseSeconds]
    const [row] = await this.#database.query<Row>(advanceStatement, values)
    return row && fromRow(row)
  }

  /** Another attempt after so many milliseconds. */
  async postpone({ owner, id, revision, index }: NmsSubscription, afterMs: number): Promise<void> {
    await this.#database.query(postponeStatement, [owner, id, revision, index, afterMs])
  }

  async release({ owner, id, lease }: NmsSubscription): Promise<void> {
    await this.#database.query(releaseStatement, [owner, id, lease])
  }

  /** Removes what has expired. */
  async sweep(): Promise<void> {
    await this.#database.query(sweepStatement, [])
  }
}

const valuesOf = (wanted: NewSubscription): unknown[] => [
  wanted.identity,
  wanted.base,
  wanted.notifyUrl,
  wanted.callbackData ?? null,
  wanted.format,
  wanted.filter === undefined ? null : JSON.stringify(wanted.filter),
  wanted.correlator ?? null,
  wanted.channel ?? null,
  wanted.duration,
  wanted.born,
  wanted.at.epoch,
  wanted.at.modseq,
]

function fromRow(row: Row): NmsSubscription {
  return {
    owner: row.owner,
    id: row.id,
    identity: row.identity,
    base: row.base,
    notifyUrl: row.notify_url,
    callbackData: row.callback_data ?? undefined,
    format: row.format,
    filter: row.filter ?? undefined,
    correlator: row.correlator ?? undefined,
    channel: row.channel ?? undefined,
    duration: row.duration,
    born: row.born,
    at: { epoch: row.epoch, modseq: row.position },
    pending: row.pending ?? undefined,
    index: row.index,
    revision: row.revision,
    lease: row.lease,
    attempts: row.attempts,
    failingFor: row.failing_for,
  }
}

const columns = `s.owner, s.id, s.identity, s.base, s.notify_url, s.callback_data, s.format, s.filter, s.correlator, s.channel,
  greatest(0, ceil(extract(epoch from s.expires_at - now())))::int as duration, s.born, s.epoch, s.position, s.pending,
  s.index, s.revision, s.lease, s.attempts, coalesce(extract(epoch from now() - s.failing_since) * 1000, 0)::float8 as failing_for`

const statement = (name: string, text: string): Statement => ({ name: `nms-subscriptions-${name}`, text })
const mine = 's.owner = $1 and s.id = $2 and s.revision = $3 and s.index = $4'

const forgetStatement = statement('forget', 'delete from nms_subscriptions where owner = $1 and expires_at <= now()')

const addStatement = statement(
  'add',
  `insert into nms_subscriptions as s (owner, id, identity, base, notify_url, callback_data, format, filter, correlator,
      channel, expires_at, born, epoch, position)
    select $1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10::uuid, now() + $11::float8 * interval '1 second', $12, $13::uuid,
      $14
    where (select count(*) from nms_subscriptions where owner = $1) < $15
    on conflict (owner, correlator) where correlator is not null do nothing
    returning ${columns}`,
)

const byCorrelatorStatement = statement(
  'by-correlator',
  `select ${columns} from nms_subscriptions s where s.owner = $1 and s.correlator = $2 and s.expires_at > now()`,
)

const findStatement = statement(
  'find',
  `select ${columns} from nms_subscriptions s where s.owner = $1 and s.id = $2 and s.expires_at > now()`,
)

const listStatement = statement(
  'list',
  `select ${columns} from nms_subscriptions s where s.owner = $1 and s.expires_at > now() order by s.id`,
)

const updateStatement = statement(
  'update',
  `update nms_subscriptions s set revision = s.revision + 1, expires_at = now() + $3::float8 * interval '1 second',
      index = s.index + case when $4::uuid is null or s.pending is null then 0 else 1 end,
      pending = case when $4::uuid is null then s.pending end,
      epoch = coalesce($4::uuid, s.epoch), position = coalesce($5, s.position),
      attempts = 0, failing_since = null, next_at = '-infinity'
    where s.owner = $1 and s.id = $2 and s.expires_at > now()
    returning ${columns}`,
)

const removeStatement = statement(
  'remove',
  'delete from nms_subscriptions where owner = $1 and id = $2 and expires_at > now() returning 1',
)

const claimStatement = statement(
  'claim',
  `update nms_subscriptions s set lease = s.lease + 1, leased_until = now() + $3::float8 * interval '1 second'
    where (s.owner, s.id) in (
      select d.owner, d.id from nms_subscriptions d join mailboxes m on m.owner = d.owner
      where ($1::bigint[] is null or d.owner = any($1)) and d.channel is null and d.next_at <= now()
        and d.leased_until <= now() and d.expires_at > now()
        and (d.pending is not null or m.modseq > d.position or m.epoch <> d.epoch)
      order by d.next_at limit $2 for update of d skip locked)
    returning ${columns}`,
)

const claimPendingStatement = statement(
  'claim-pending',
  `update nms_subscriptions s set lease = s.lease + 1, leased_until = now() + $2::float8 * interval '1 second'
    where (s.owner, s.id) in (
      select d.owner, d.id from nms_subscriptions d
      where d.pending is not null and d.channel is null and d.next_at <= now() and d.leased_until <= now()
        and d.expires_at > now()
      order by d.next_at limit $1 for update skip locked)
    returning ${columns}`,
)

const claimOfChannelStatement = statement(
  'claim-of-channel',
  `update nms_subscriptions s set lease = s.lease + 1, leased_until = now() + $3::float8 * interval '1 second'
    where (s.owner, s.id) in (
      select d.owner, d.id from nms_subscriptions d join mailboxes m on m.owner = d.owner
      where d.owner = $1 and d.channel = $2 and d.leased_until <= now() and d.expires_at > now()
        and (d.pending is not null or m.modseq > d.position or m.epoch <> d.epoch)
      for update of d skip locked)
    returning ${columns}`,
)

const beginStatement = statement(
  'begin',
  `update nms_subscriptions s set pending = $5, index = $6, failing_since = coalesce(s.failing_since, now()),
      leased_until = now() + $7::float8 * interval '1 second'
    where ${mine} and s.lease = $8 returning ${columns}`,
)

const advanceStatement = statement(
  'advance',
  `update nms_subscriptions s set epoch = $5, position = $6, pending = null, index = s.index + $7, attempts = 0,
      failing_since = null, next_at = '-infinity', leased_until = now() + $8::float8 * interval '1 second'
    where ${mine} returning ${columns}`,
)

const postponeStatement = statement(
  'postpone',
  `update nms_subscriptions s set attempts = s.attempts + 1,
      next_at = now() + $5::float8 * interval '1 millisecond'
    where ${mine}`,
)

const releaseStatement = statement(
  'release',
  `update nms_subscriptions s set leased_until = '-infinity' where s.owner = $1 and s.id = $2 and s.lease = $3`,
)

const sweepStatement = statement(
  'sweep',
  `with over as (delete from nms_channels where expires_at <= now() returning owner, id)
    delete from nms_subscriptions s using (select 1) as once
    where s.expires_at <= now() or exists (select 1 from over where over.owner = s.owner and over.id = s.channel)`,
)
