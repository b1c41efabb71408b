import { columns, type Database, GroupCommit } from '../../database/index.ts'
import type { SubscriptionState } from './event-package.ts'
import type { Subscription, SubscriptionDialog, SubscriptionFields } from './subscription.ts'

/** A subscription as a row has it. */
export interface StoredSubscription extends SubscriptionFields {
  readonly package: string
}

/** How many NOTIFY may have been sent since a row was written. */
const seqAhead = 100_000

interface Row {
  readonly id: string
  readonly package: string
  readonly resource: string
  readonly subscriber: string
  readonly state: SubscriptionState
  readonly expires_at: Date
  readonly dialog: SubscriptionDialog
  readonly request: RequestColumn
  readonly body: Buffer
}

interface RequestColumn {
  readonly owner?: number
  readonly anonymous?: true
  readonly userAgent?: string
  readonly event: string
  readonly accept: readonly string[]
  readonly supported: readonly string[]
  readonly bodyType?: string
}

interface Needs {
  readonly database: Database
  /** The life of this node. */
  readonly node: string
  readonly onBatch?: (size: number) => void
}

/** Subscriptions that outlive a restart: written before a SUBSCRIBE is answered, not for each NOTIFY. */
export class SubscriptionRows {
  readonly #database: Database
  readonly #node: string
  readonly #puts: GroupCommit<Subscription>
  readonly #updates: GroupCommit<Subscription>
  readonly #removals: GroupCommit<string>

  constructor({ database, node, onBatch }: Needs) {
    this.#database = database
    this.#node = node
    this.#puts = new GroupCommit({
      database,
      name: 'subscriptions-put',
      text: putSql,
      toValues: (subscriptions) => this.#valuesOf(subscriptions),
      ...(onBatch && { onBatch }),
    })
    this.#updates = new GroupCommit({
      database,
      name: 'subscriptions-update',
      text: updateSql,
      toValues: (subscriptions) => this.#valuesOf([...new Map(subscriptions.map((one) => [one.id, one])).values()]),
    })
    this.#removals = new GroupCommit({
      database,
      name: 'subscriptions-remove',
      text: 'delete from subscriptions using unnest($1::uuid[]) as k (id) where subscriptions.id = k.id',
      toValues: (ids) => [columns.uuids(ids)],
    })
  }

  put(subscription: Subscription): Promise<void> {
    return this.#puts.add(subscription)
  }

  /** Of one that is over, whose row is gone, nothing comes back. */
  update(subscription: Subscription): Promise<void> {
    return this.#updates.add(subscription)
  }

  remove(id: string): Promise<void> {
    return this.#removals.add(id)
  }

  /** What a node that is gone has left: from now on it is this one's. */
  async takeOver(node: string): Promise<StoredSubscription[]> {
    const rows = await this.#database.query<Row>(takeOverStatement, [this.#node, node])
    return rows.map(fromRow)
  }

  /** What any node has of a dialog: the next request of it may come here. */
  async claim({ callId, localTag, remoteTag }: DialogId): Promise<StoredSubscription | undefined> {
    const [row] = await this.#database.query<Row>(claimStatement, [this.#node, callId, localTag, remoteTag])
    return row && fromRow(row)
  }

  /** Who watches a resource, itself or through a list, on all nodes. */
  of(eventPackage: string, resource: string): Promise<WatcherRow[]> {
    return this.#database.query<WatcherRow>(watchersStatement, [resource, eventPackage])
  }

  async removeExpired(before: number): Promise<void> {
    await this.#database.query(expiredStatement, [new Date(before)])
  }

  async close(): Promise<void> {
    await Promise.all([this.#puts.close(), this.#updates.close(), this.#removals.close()])
  }

  #valuesOf(subscriptions: readonly Subscription[]): unknown[] {
    return [
      columns.uuids(subscriptions.map(({ id }) => id)),
      columns.uuids(subscriptions.map(() => this.#node)),
      columns.texts(subscriptions.map((one) => one.package)),
      columns.texts(subscriptions.map(({ resource }) => resource)),
      columns.texts(subscriptions.map(({ subscriber }) => subscriber)),
      columns.texts(subscriptions.map(({ state }) => state)),
      columns.times(subscriptions.map(({ expiresAt }) => expiresAt)),
      columns.texts(subscriptions.map(({ dialog }) => JSON.stringify(dialog))),
      columns.texts(subscriptions.map((one) => JSON.stringify(requestColumn(one)))),
      columns.bytes(subscriptions.map(({ body }) => body?.content ?? Buffer.alloc(0))),
      columns.texts(subscriptions.map(({ members }) => JSON.stringify(members))),
    ]
  }
}

export interface WatcherRow {
  readonly id: string
  readonly subscriber: string
  readonly state: SubscriptionState
  /** The subscriber's id, where it is a user of this server. */
  readonly owner: number | null
  readonly anonymous: boolean
  /** It is watched through a list, and `state` is that of the list. */
  readonly listed: boolean
}

export interface DialogId {
  readonly callId: string
  readonly localTag: string
  readonly remoteTag: string
}

const requestColumn = ({
  owner,
  anonymous,
  userAgent,
  eventText,
  accept,
  supported,
  body,
}: Subscription): RequestColumn => ({
  ...(owner !== undefined && { owner }),
  ...(anonymous && { anonymous }),
  ...(userAgent !== '' && { userAgent }),
  event: eventText,
  accept,
  supported,
  ...(body && { bodyType: body.contentType }),
})

function fromRow({ expires_at, dialog, request, body, ...row }: Row): StoredSubscription {
  return {
    ...row,
    owner: request.owner,
    anonymous: request.anonymous === true,
    userAgent: request.userAgent ?? '',
    eventText: request.event,
    accept: request.accept,
    supported: request.supported,
    body: request.bodyType === undefined ? undefined : { contentType: request.bodyType, content: body },
    dialog: { ...dialog, localSeq: dialog.localSeq + seqAhead },
    expiresAt: expires_at.getTime(),
  }
}

const fields = 'id, package, resource, subscriber, state, expires_at, dialog, request, body'

const given = `
  select id, node, package, resource, subscriber, state, expires_at, dialog::jsonb, request::jsonb, body,
    array(select jsonb_array_elements_text(members::jsonb)) as members
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[],
    $9::text[], $10::bytea[], $11::text[])
    as k (id, node, package, resource, subscriber, state, expires_at, dialog, request, body, members)`

const putSql = `
  insert into subscriptions
    (id, node, package, resource, subscriber, state, expires_at, dialog, request, body, members) ${given}`

const updateSql = `
  update subscriptions s set node = k.node, state = k.state, expires_at = k.expires_at, dialog = k.dialog,
    request = k.request, body = k.body, members = k.members
  from (${given}) k where s.id = k.id`

const takeOverStatement = {
  name: 'subscriptions-take-over',
  text: `update subscriptions set node = $1 where node = $2 and expires_at > now() returning ${fields}`,
}

const claimStatement = {
  name: 'subscriptions-claim',
  text: `update subscriptions set node = $1
    where dialog ->> 'callId' = $2 and dialog ->> 'localTag' = $3 and dialog ->> 'remoteTag' = $4
      and expires_at > now() returning ${fields}`,
}

const watchersStatement = {
  name: 'subscriptions-of',
  text: `select id, subscriber, state, (request ->> 'owner')::bigint as owner,
      coalesce((request ->> 'anonymous')::boolean, false) as anonymous, resource <> $1 as listed
    from subscriptions where (resource = $1 or members @> array[$1]) and package = $2 and expires_at > now()
    order by id limit 2000`,
}

const expiredStatement = {
  name: 'subscriptions-expired',
  text: 'delete from subscriptions where expires_at < $1',
}
