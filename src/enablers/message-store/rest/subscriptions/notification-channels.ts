import { randomUUID } from 'node:crypto'
import type { Database, Statement } from '../../../../database/index.ts'
import { Failure } from '../../../../failure.ts'

/** What a client polls for its notifications (OMA REST_NetAPI_NotificationChannel, channel type LongPolling). */
export interface NotificationChannel {
  readonly owner: number
  readonly id: string
  readonly tag: string | undefined
  readonly correlator: string | undefined
  /** In one answer. */
  readonly maxNotifications: number
  /** Seconds. */
  readonly lifetime: number
}

export type NewChannel = Pick<NotificationChannel, 'tag' | 'correlator' | 'maxNotifications' | 'lifetime'>

interface Row {
  readonly owner: number
  readonly id: string
  readonly tag: string | null
  readonly correlator: string | null
  readonly most_notifications: number
  readonly lifetime: number
}

/** The id of the channel whose callbackURL that is. Hosts are not compared: proxies have names of their own. */
export const ownChannelIn = (url: string): string | undefined =>
  /\/notificationchannel\/v1\/[^/?#]+\/channels\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/callback$/.exec(
    url,
  )?.[1]

/** The channels of the users. They go when their lifetime ends, and the subscriptions that use them with them. */
export class NotificationChannels {
  readonly #database: Database
  readonly #most: number

  /** `most` of one user. */
  constructor(database: Database, most: number) {
    this.#database = database
    this.#most = most
  }

  /** The one there is with that correlator, or a new one. Throws `forbidden` where the user has too many. */
  async add(owner: number, wanted: NewChannel): Promise<{ channel: NotificationChannel; isNew: boolean }> {
    await this.#database.query(forgetStatement, [owner])
    const { tag, correlator, maxNotifications, lifetime } = wanted
    const values = [owner, randomUUID(), tag ?? null, correlator ?? null, maxNotifications, lifetime, this.#most]
    const [row] = await this.#database.query<Row>(addStatement, values)
    if (row !== undefined) return { channel: fromRow(row), isNew: true }
    const [known] = await this.#database.query<Row>(byCorrelatorStatement, [owner, correlator ?? null])
    if (known === undefined) throw new Failure('forbidden', 'too many channels')
    return { channel: fromRow(known), isNew: false }
  }

  async find(owner: number, id: string): Promise<NotificationChannel | undefined> {
    const [row] = await this.#database.query<Row>(findStatement, [owner, id])
    return row && fromRow(row)
  }

  async list(owner: number): Promise<NotificationChannel[]> {
    return (await this.#database.query<Row>(listStatement, [owner])).map(fromRow)
  }

  async prolong(owner: number, id: string, lifetime: number): Promise<NotificationChannel | undefined> {
    const [row] = await this.#database.query<Row>(prolongStatement, [owner, id, lifetime])
    return row && fromRow(row)
  }

  /** With the subscriptions that use it. Whether there was one. */
  async remove(owner: number, id: string): Promise<boolean> {
    return (await this.#database.query(removeStatement, [owner, id])).length > 0
  }
}

const fromRow = (row: Row): NotificationChannel => ({
  owner: row.owner,
  id: row.id,
  tag: row.tag ?? undefined,
  correlator: row.correlator ?? undefined,
  maxNotifications: row.most_notifications,
  lifetime: row.lifetime,
})

const columns = `c.owner, c.id, c.tag, c.correlator, c.most_notifications,
  greatest(0, ceil(extract(epoch from c.expires_at - now())))::int as lifetime`

const statement = (name: string, text: string): Statement => ({ name: `nms-channels-${name}`, text })

const forgetStatement = statement('forget', 'delete from nms_channels where owner = $1 and expires_at <= now()')

const addStatement = statement(
  'add',
  `insert into nms_channels as c (owner, id, tag, correlator, most_notifications, expires_at)
    select $1, $2, $3, $4, $5, now() + $6::float8 * interval '1 second'
    where (select count(*) from nms_channels where owner = $1) < $7
    on conflict (owner, correlator) where correlator is not null do nothing
    returning ${columns}`,
)

const byCorrelatorStatement = statement(
  'by-correlator',
  `select ${columns} from nms_channels c where c.owner = $1 and c.correlator = $2 and c.expires_at > now()`,
)

const findStatement = statement(
  'find',
  `select ${columns} from nms_channels c where c.owner = $1 and c.id = $2 and c.expires_at > now()`,
)

const listStatement = statement(
  'list',
  `select ${columns} from nms_channels c where c.owner = $1 and c.expires_at > now() order by c.id`,
)

const prolongStatement = statement(
  'prolong',
  `update nms_channels c set expires_at = now() + $3::float8 * interval '1 second'
    where c.owner = $1 and c.id = $2 and c.expires_at > now() returning ${columns}`,
)

const removeStatement = statement(
  'remove',
  `with over as (delete from nms_channels where owner = $1 and id = $2 returning id),
      users as (delete from nms_subscriptions where owner = $1 and channel in (select id from over))
    select id from over`,
)
