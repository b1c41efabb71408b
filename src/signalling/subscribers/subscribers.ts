import type { Knex } from 'knex'
import type { Database } from '../../database/database.ts'
import { everything, NotifiedCache } from '../../database/notified-cache.ts'
import { Failure } from '../../failure.ts'
import { addressOfRecord } from '../../protocols/sip/address-of-record.ts'
import { credentialRows, usernamesOf } from './credential-rows.ts'
import { identitiesOf } from './identities.ts'
import { type DirectoryEntry, insertEntries, replaceEntry } from './insert-entries.ts'
import type { Credential, NewSubscriber, Subscriber } from './subscriber.ts'

interface Needs {
  readonly database: Database
  readonly domain: string
  /** What the digest is computed with (RFC 7616 §3.4.2). */
  readonly realm: string
  /** Most subscribers held in memory, in each of two generations. */
  readonly mostCached?: number
}

const channel = 'subscribers'
const importChunk = 2000

/** Tables with rows that belong to a subscriber and do not outlive them. */
const ownedTables = [
  'bindings',
  'deferred',
  'messages',
  'documents',
  'publications',
  'access_grants',
  'content_files',
  'nms_subscriptions',
  'nms_channels',
  'message_parts',
  'chunks',
  'staged_chunks',
  'tombstones',
  'folders',
  'mailboxes',
  'device_cursors',
]

/**
 * The directory of those who are served. `find` and `credentials` are asked on the path of each request, also for
 * people who do not exist, and answer from memory; a notification tells each node what changed.
 */
export class Subscribers {
  readonly #database: Database
  readonly #domain: string
  readonly #realm: string
  readonly #byIdentity: NotifiedCache<string, Subscriber | null>
  readonly #byUsername: NotifiedCache<string, Credential | null>

  constructor({ database, domain, realm, mostCached = 200_000 }: Needs) {
    this.#database = database
    this.#domain = domain
    this.#realm = realm
    const keysOf = (payload: string) => JSON.parse(payload) as string[]
    const cache = { notifications: database.notifications, channel, keysOf, most: mostCached }
    this.#byIdentity = new NotifiedCache({ ...cache, read: (key) => this.#readSubscriber(key) })
    this.#byUsername = new NotifiedCache({ ...cache, read: (username) => this.#readCredential(username) })
  }

  /** Who has this canonical address of record. A promise only where the database has to be asked. */
  find(aor: string): Subscriber | undefined | Promise<Subscriber | undefined> {
    return orUndefined(this.#byIdentity.get(aor))
  }

  byId(id: number): Subscriber | undefined | Promise<Subscriber | undefined> {
    return orUndefined(this.#byIdentity.get(keyOfId(id)))
  }

  /** What somebody proves with that they are `username`. */
  credentials(username: string): Credential | undefined | Promise<Credential | undefined> {
    return orUndefined(this.#byUsername.get(username))
  }

  /** Throws `conflict` when an identity or the user name is taken, `malformed` when the address is none of the domain. */
  async add(user: NewSubscriber): Promise<Subscriber> {
    const entry = this.#entryOf(user)
    const [added] = await this.#database.transaction((trx) => insertEntries(trx, [entry]))
    this.#changed(added as Subscriber)
    return added as Subscriber
  }

  /** Adds many: all of them, or none when one fails. Returns their number. */
  async import(users: Iterable<NewSubscriber> | AsyncIterable<NewSubscriber>): Promise<number> {
    const count = await this.#database.transaction((trx) => this.#importWith(trx, users))
    this.#byIdentity.clear()
    this.#byUsername.clear()
    this.#database.notifications.publish(channel, everything)
    return count
  }

  /** In the order of their ids, from the one after `after` on. */
  async list({ after = 0, limit = 1000 }: { after?: number; limit?: number } = {}): Promise<Subscriber[]> {
    const rows = await this.#database.query<Subscriber>(listStatement, [after, limit])
    return rows.map(fromRow)
  }

  /** Removes whom `uri` leads to, and all that is theirs. Throws `not-found`. */
  async remove(uri: string): Promise<Subscriber> {
    const subscriber = await this.#read(uri)
    await this.#database.transaction(async (trx) => {
      for (const table of ownedTables) await trx(table).where({ owner: subscriber.id }).delete()
      await trx('subscribers').where({ id: subscriber.id }).delete()
    })
    this.#changed(subscriber)
    return subscriber
  }

  /** Changes the name, or the number (empty: none), and leaves what is not given. Throws `not-found` and `conflict`. */
  async change(uri: string, { name, tel }: { name?: string; tel?: string }): Promise<Subscriber> {
    const before = await this.#read(uri)
    const [first = ''] = before.identities
    const identities =
      tel === undefined ? before.identities : identitiesOf({ uri: first, tel, password: '' }, this.#domain).uris
    const changed = { ...before, name: name ?? before.name, identities }
    await this.#database.transaction((trx) => replaceEntry(trx, changed))
    this.#changed({ ...before, identities: [...new Set([...before.identities, ...identities])] })
    return changed
  }

  /** Throws `not-found`. */
  async setPassword(uri: string, password: string): Promise<void> {
    const subscriber = await this.#read(uri)
    await this.#database.transaction(async (trx) => {
      for (const { username, ...secrets } of this.#credentialsOf(subscriber.username, password)) {
        await trx('credentials').where({ username }).update(secrets)
      }
    })
    this.#changed(subscriber)
  }

  close(): void {
    this.#byIdentity.close()
    this.#byUsername.close()
  }

  async #importWith(
    trx: Knex.Transaction,
    users: Iterable<NewSubscriber> | AsyncIterable<NewSubscriber>,
  ): Promise<number> {
    let count = 0
    let entries: DirectoryEntry[] = []
    for await (const user of users) {
      count++
      if (entries.push(this.#entryOf(user)) < importChunk) continue
      await insertEntries(trx, entries)
      entries = []
    }
    if (entries.length > 0) await insertEntries(trx, entries)
    return count
  }

  #entryOf(user: NewSubscriber): DirectoryEntry {
    const { uris, username } = identitiesOf(user, this.#domain)
    return {
      name: user.name ?? '',
      username,
      identities: uris,
      credentials: this.#credentialsOf(username, user.password),
    }
  }

  #credentialsOf(username: string, password: string) {
    if (password === '') throw new Failure('malformed', 'a password may not be empty')
    return credentialRows(username, this.#domain, this.#realm, password)
  }

  async #read(uri: string): Promise<Subscriber> {
    const aor = addressOfRecord(uri)
    const subscriber = aor === undefined ? null : await this.#readSubscriber(aor)
    if (subscriber === null) throw new Failure('not-found', uri)
    return subscriber
  }

  async #readSubscriber(key: string): Promise<Subscriber | null> {
    const byId = key.startsWith('#')
    const statement = byId ? byIdStatement : byIdentityStatement
    const [row] = await this.#database.query<Subscriber>(statement, [byId ? Number(key.slice(1)) : key])
    return row === undefined ? null : fromRow(row)
  }

  async #readCredential(username: string): Promise<Credential | null> {
    const [row] = await this.#database.query<Credential>(credentialStatement, [username])
    return row === undefined ? null : { subscriber: row.subscriber, md5: row.md5, sha256: row.sha256 }
  }

  /** All that leads to a subscriber, or that they prove themselves with, is read anew: here at once, elsewhere soon. */
  #changed({ id, username, identities }: Subscriber): void {
    const usernames = usernamesOf(username, this.#domain)
    const keys = [keyOfId(id), ...identities]
    for (const key of keys) this.#byIdentity.delete(key)
    for (const name of usernames) this.#byUsername.delete(name)
    this.#database.notifications.publish(channel, JSON.stringify([...keys, ...usernames]))
  }
}

const keyOfId = (id: number) => `#${id}`

function orUndefined<T>(found: T | null | Promise<T | null>): T | undefined | Promise<T | undefined> {
  return found instanceof Promise ? found.then((value) => value ?? undefined) : (found ?? undefined)
}

/** The row without what the driver keeps with it. */
const fromRow = ({ id, name, username, identities }: Subscriber): Subscriber => ({ id, name, username, identities })

const columns = `s.id, s.name, s.username,
  array(select uri from identities where subscriber = s.id order by position) as identities`

const byIdentityStatement = {
  name: 'subscriber-by-identity',
  text: `select ${columns} from subscribers s
         where s.id = (select subscriber from identities where uri = $1)`,
}

const byIdStatement = {
  name: 'subscriber-by-id',
  text: `select ${columns} from subscribers s where s.id = $1`,
}

const listStatement = {
  name: 'subscribers-list',
  text: `select ${columns} from subscribers s where s.id > $1 order by s.id limit $2`,
}

const credentialStatement = {
  name: 'subscriber-credential',
  text: 'select subscriber, md5, sha256 from credentials where username = $1',
}
