import { randomUUID } from 'node:crypto'
import { columns, type Database, GroupCommit } from '../../database/index.ts'
import { NotifiedCache } from '../../database/notified-cache.ts'

/** What one device has published, until it expires. */
export interface Publication {
  readonly owner: number
  readonly id: string
  /** SIP-ETag: another one with each change (RFC 3903 §6). */
  readonly etag: string
  /** When its state came. Milliseconds since 1970. */
  readonly publishedAt: number
  readonly expiresAt: number
  readonly content: Buffer
}

interface Needs {
  readonly database: Database
  readonly now: () => number
  /** What a user publishes has changed, or has expired; on any node. */
  readonly changed: (owner: number) => void
  readonly onBatch?: (size: number) => void
}

/** A publication with its new state or time, and the entity tag that it has to have until now. */
interface Change {
  readonly made: Publication
  readonly before: string
}

interface Row {
  readonly id: string
  readonly etag: string
  readonly published_at: Date
  readonly expires_at: Date
  readonly content: Buffer
}

const channel = 'publications'
const mostCached = 50_000
const sweepEvery = 5_000
const mostSwept = 500
/** What is told of a publication that only lives on. */
const refreshed = ' refreshed'

/** The publications of all users. Reads come from memory; a write is committed before it is answered. */
export class Publications {
  readonly #needs: Needs
  readonly #cache: NotifiedCache<number, readonly Publication[]>
  readonly #puts: GroupCommit<Publication>
  readonly #changes: GroupCommit<Change, boolean, { readonly etag: string }>
  readonly #removals: GroupCommit<Publication, boolean, { readonly etag: string }>
  readonly #unsubscribe: () => void
  readonly #sweep: NodeJS.Timeout
  #sweeping = false

  constructor(needs: Needs) {
    this.#needs = needs
    const { database, changed, onBatch } = needs
    this.#unsubscribe = database.notifications.subscribe(
      channel,
      (payload, own) => {
        if (!own && !payload.endsWith(refreshed)) changed(Number(payload))
      },
      () => {},
    )
    this.#cache = new NotifiedCache({
      notifications: database.notifications,
      channel,
      keysOf: (payload) => [Number.parseInt(payload, 10)],
      read: (owner) => this.#read(owner),
      most: mostCached,
    })
    this.#puts = new GroupCommit({
      database,
      name: 'publications-put',
      text: putSql,
      toValues,
      ...(onBatch && { onBatch }),
    })
    this.#changes = new GroupCommit({
      database,
      name: 'publications-change',
      text: changeSql,
      toValues: (changes) => [
        ...toValues(changes.map(({ made }) => made)),
        columns.texts(changes.map(({ before }) => before)),
      ],
      toResults: (changes, returned) => {
        const won = new Set(returned.map(({ etag }) => etag))
        return changes.map(({ made }) => won.has(made.etag))
      },
      ...(onBatch && { onBatch }),
    })
    this.#removals = new GroupCommit({
      database,
      name: 'publications-remove',
      text: removeSql,
      toValues: (gone) => [
        columns.bigints(gone.map(({ owner }) => owner)),
        columns.uuids(gone.map(({ id }) => id)),
        columns.texts(gone.map(({ etag }) => etag)),
      ],
      toResults: (gone, returned) => firstOfEach(gone, new Set(returned.map(({ etag }) => etag))),
    })
    this.#sweep = setInterval(() => void this.#sweepOut(), sweepEvery)
    this.#sweep.unref()
  }

  /** Those in force, the newest first. A promise only where the database has to be asked. */
  of(owner: number): readonly Publication[] | Promise<readonly Publication[]> {
    const known = this.#cache.get(owner)
    return known instanceof Promise ? known.then((all) => this.#live(all)) : this.#live(known)
  }

  /** The same past all memory: another node may have written a moment ago. */
  ofNow(owner: number): readonly Publication[] | Promise<readonly Publication[]> {
    this.#cache.delete(owner)
    return this.of(owner)
  }

  async add(owner: number, content: Buffer, expiresAt: number): Promise<Publication> {
    const publishedAt = this.#needs.now()
    const made: Publication = { owner, id: randomUUID(), etag: newEtag(), publishedAt, expiresAt, content }
    await this.#puts.add(made)
    this.#written(made)
    this.#tell(owner)
    return made
  }

  /** A new state, or with `content` undefined more time. Undefined: it was changed or removed meanwhile. */
  async change(before: Publication, content: Buffer | undefined, expiresAt: number): Promise<Publication | undefined> {
    const made = {
      ...before,
      etag: newEtag(),
      expiresAt,
      ...(content !== undefined && { content, publishedAt: this.#needs.now() }),
    }
    if (!(await this.#changes.add({ made, before: before.etag }))) return undefined
    this.#written(made)
    if (content === undefined) this.#needs.database.notifications.publish(channel, `${before.owner}${refreshed}`)
    else this.#tell(before.owner)
    return made
  }

  /** False: it was changed or removed meanwhile. */
  async remove(gone: Publication): Promise<boolean> {
    if (!(await this.#removals.add(gone))) return false
    this.#written(gone, 'removed')
    this.#tell(gone.owner)
    return true
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep)
    this.#unsubscribe()
    this.#cache.close()
    await Promise.all([this.#puts.close(), this.#changes.close(), this.#removals.close()])
  }

  /** At once, without a wait between reading and writing: others of the same user come in the same moment. */
  #written(written: Publication, how: 'kept' | 'removed' = 'kept'): void {
    const known = this.#cache.peek(written.owner)
    if (known === undefined) {
      this.#cache.delete(written.owner)
      return
    }
    const others = known.filter(({ id }) => id !== written.id)
    const all = how === 'removed' ? others : [written, ...others]
    this.#cache.set(
      written.owner,
      all.sort((one, other) => other.publishedAt - one.publishedAt),
    )
  }

  #tell(owner: number): void {
    this.#needs.database.notifications.publish(channel, String(owner))
    this.#needs.changed(owner)
  }

  #live(all: readonly Publication[]): readonly Publication[] {
    const now = this.#needs.now()
    return all.every(({ expiresAt }) => expiresAt > now) ? all : all.filter(({ expiresAt }) => expiresAt > now)
  }

  async #read(owner: number): Promise<readonly Publication[]> {
    const rows = await this.#needs.database.query<Row>(readStatement, [owner, new Date(this.#needs.now())])
    return rows.map(({ published_at, expires_at, ...row }) => ({
      ...row,
      owner,
      publishedAt: published_at.getTime(),
      expiresAt: expires_at.getTime(),
    }))
  }

  /** Whoever has let a publication expire is seen to have gone. One of the nodes deletes the row, and tells the others. */
  async #sweepOut(): Promise<void> {
    if (this.#sweeping) return
    this.#sweeping = true
    try {
      while ((await this.#sweepSome()) === mostSwept);
    } catch {
      // the next sweep tries again
    } finally {
      this.#sweeping = false
    }
  }

  async #sweepSome(): Promise<number> {
    const { database, now } = this.#needs
    const gone = await database.query<{ owner: number }>(expiredStatement, [new Date(now()), mostSwept])
    for (const owner of new Set(gone.map((row) => row.owner))) {
      this.#cache.delete(owner)
      this.#needs.database.notifications.publish(channel, String(owner))
      this.#needs.changed(owner)
    }
    return gone.length
  }
}

const newEtag = (): string => randomUUID().slice(0, 13)

/** Of two with one entity tag in a batch the first has it. */
function firstOfEach(rows: readonly Publication[], won: Set<string>): boolean[] {
  return rows.map(({ etag }) => won.delete(etag))
}

const toValues = (rows: readonly Publication[]): unknown[] => [
  columns.bigints(rows.map(({ owner }) => owner)),
  columns.uuids(rows.map(({ id }) => id)),
  columns.texts(rows.map(({ etag }) => etag)),
  columns.times(rows.map(({ publishedAt }) => publishedAt)),
  columns.times(rows.map(({ expiresAt }) => expiresAt)),
  columns.bytes(rows.map(({ content }) => content)),
]

const putSql = `
  insert into publications (owner, id, etag, published_at, expires_at, content)
  select * from unnest($1::bigint[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bytea[])`

/** Of two that both change the same state of a publication the first does, be they in one batch or in two. */
const changeSql = `
  update publications p set etag = k.etag, published_at = k.published_at, expires_at = k.expires_at, content = k.content
  from (
    select distinct on (owner, id) *
    from unnest($1::bigint[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bytea[], $7::text[])
      with ordinality as u (owner, id, etag, published_at, expires_at, content, before, place)
    order by owner, id, place
  ) k
  where p.owner = k.owner and p.id = k.id and p.etag = k.before
  returning p.etag`

const removeSql = `
  delete from publications p using unnest($1::bigint[], $2::uuid[], $3::text[]) as k (owner, id, etag)
  where p.owner = k.owner and p.id = k.id and p.etag = k.etag returning p.etag`

const readStatement = {
  name: 'publications-read',
  text: `select id, etag, published_at, expires_at, content from publications
    where owner = $1 and expires_at > $2 order by published_at desc`,
}

const expiredStatement = {
  name: 'publications-expired',
  text: `delete from publications where (owner, id) in
    (select owner, id from publications where expires_at <= $1 order by expires_at limit $2 for update skip locked)
    returning owner`,
}
