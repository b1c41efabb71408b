import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import type { Database } from '../../database/index.ts'
import { NotifiedCache } from '../../database/notified-cache.ts'
import { full, overtaken, Refusal } from './refusal.ts'
import { type FileKey, newId, type Role, type StoredFile, type Writing } from './stored-file.ts'

interface Needs {
  readonly database: Database
  readonly now: () => number
  /** Of all the files of one user. */
  readonly maxUserBytes: number
  /** Milliseconds that a whole file is kept. */
  readonly keepFor: number
  readonly log: { info(fields: object, message: string): void }
  /** Files known in memory, in each of two generations. */
  readonly mostCached?: number
}

export interface NewFile {
  readonly owner: number
  readonly tid: string
  readonly role: Role
  readonly name: string | undefined
  readonly contentType: string
  /** The most it may become. */
  readonly most: number
  /** It is as long as `most` at least, or nearly so: the quota has to have room for that. */
  readonly exact: boolean
}

interface Row {
  readonly owner: number
  readonly id: Buffer
  readonly role: Role
  readonly name: string | null
  readonly content_type: string
  readonly size: number
  readonly complete: boolean
  readonly created: Date
  readonly until: Date
}

const channel = 'content-files'
/** Of one user: those without a byte take room as well. */
const mostFiles = 20_000
/** How long the parts of a file are kept of which the upload has stopped. */
const keepPartsFor = 86_400_000
const sweepEvery = 60_000
const sweptAtOnce = 100

/** What is known of files and previews; their bytes are in a ByteStore. */
export class ContentFiles {
  readonly #needs: Needs
  readonly #cache: NotifiedCache<string, StoredFile | null>
  readonly #sweeper: NodeJS.Timeout
  readonly #unsubscribe: (() => void)[]
  readonly #listeners = new Set<(gone: FileKey | { readonly owner: number }) => void>()
  #sweeping: Promise<unknown> = Promise.resolve()

  constructor(needs: Needs) {
    this.#needs = needs
    const { notifications } = needs.database
    this.#cache = new NotifiedCache({
      notifications,
      channel,
      keysOf: (payload) => [payload],
      read: (key) => this.#read(keyIn(key)),
      most: needs.mostCached ?? 20_000,
    })
    this.#unsubscribe = [
      notifications.subscribe(
        channel,
        (payload) => this.#tell(keyIn(payload)),
        () => {},
      ),
      notifications.subscribe(
        'subscribers',
        (payload) => this.#usersChanged(payload),
        () => {},
      ),
    ]
    this.#sweeper = setInterval(() => {
      this.#sweeping = this.sweep()
    }, sweepEvery)
    this.#sweeper.unref()
  }

  /** A whole file that is still kept. A promise only where the database has to be asked. */
  find(key: FileKey): StoredFile | undefined | Promise<StoredFile | undefined> {
    const found = this.#cache.get(textOf(key))
    return found instanceof Promise ? found.then((file) => this.#kept(file)) : this.#kept(found)
  }

  /** What came of the upload that the client calls `tid`: file and preview. */
  async ofUpload(owner: number, tid: string): Promise<readonly StoredFile[]> {
    const rows = await this.#needs.database.query<Row>(uploadStatement, [owner, tid])
    return rows.map(fromRow).filter(({ until }) => until > this.#needs.now())
  }

  /** Takes the place of what an upload with that tid has left half way. Throws a Refusal. */
  async begin(file: NewFile): Promise<Writing> {
    const { writing, gone } = await this.#needs.database.transaction(async (trx) => {
      await lock(trx, file.owner)
      const gone = await this.#removeUnfinished(trx, file)
      const reserved = await this.#reserve(trx, file)
      return { gone, writing: await this.#insert(trx, file, reserved) }
    })
    for (const one of gone) this.#gone(one)
    return writing
  }

  /** Goes on with the file of an upload that has stopped at `from`; undefined where there is none. */
  async resume(owner: number, tid: string, total: number, from: number): Promise<Writing | undefined> {
    return await this.#needs.database.transaction(async (trx) => {
      await lock(trx, owner)
      const part = await trx('content_files').where({ owner, tid, role: 'file', complete: false }).first('id', 'size')
      if (part === undefined) return undefined
      if (Number(part.size) !== from) throw elsewhere(Number(part.size))
      const left = await this.#leftFor(trx, owner, part.id)
      if (total > left) throw full()
      const writer = randomUUID()
      await trx('content_files').where({ owner, id: part.id }).update({ writer, reserved: total })
      return { owner, id: part.id, writer, reserved: total, size: Number(part.size) }
    })
  }

  /** It has so many bytes now. Throws a Refusal where another request has taken over. */
  async progress({ owner, id, writer }: Writing, size: number): Promise<void> {
    const told = await this.#needs.database.query(progressStatement, [owner, id, writer, size])
    if (told.length === 0) throw overtaken()
  }

  /** The file is whole, from now on and until it expires. */
  async finish({ owner, id, writer }: Writing): Promise<StoredFile> {
    const until = new Date(this.#needs.now() + this.#needs.keepFor)
    const [row] = await this.#needs.database.query<Row>(finishStatement, [owner, id, writer, until])
    if (row === undefined) throw overtaken()
    this.#cache.delete(textOf(row))
    return fromRow(row)
  }

  /** Removes what came of it, unless another request goes on with it. */
  async discard({ owner, id, writer }: Writing): Promise<void> {
    const removed = await this.#needs.database.query<FileKey>(discardStatement, [owner, id, writer])
    for (const one of removed) this.#gone(one)
  }

  /** Whether it was there. */
  async remove({ owner, id }: FileKey): Promise<boolean> {
    const removed = await this.#needs.database.query<FileKey>(removeStatement, [owner, id])
    for (const one of removed) this.#gone(one)
    return removed.length > 0
  }

  /** All of a user, whole or not. */
  async of(owner: number): Promise<readonly FileKey[]> {
    return await this.#needs.database.query<FileKey>(filesStatement, [owner])
  }

  /** Removes what has expired. */
  async sweep(): Promise<void> {
    try {
      for (;;) {
        const now = new Date(this.#needs.now())
        const removed = await this.#needs.database.query<FileKey>(sweepStatement, [now, sweptAtOnce])
        for (const one of removed) this.#gone(one)
        if (removed.length < sweptAtOnce) return
      }
    } catch (err) {
      this.#needs.log.info({ err }, 'expired files are removed later')
    }
  }

  /** Hears of each file that goes, and of each user of whom all of them may have gone. */
  onGone(listener: (gone: FileKey | { readonly owner: number }) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper)
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#cache.close()
    await this.#sweeping
  }

  #kept(file: StoredFile | null): StoredFile | undefined {
    return file !== null && file.until > this.#needs.now() ? file : undefined
  }

  async #removeUnfinished(trx: Knex.Transaction, { owner, tid, role }: NewFile): Promise<readonly FileKey[]> {
    const whole = await trx('content_files').where({ owner, tid, role: 'file', complete: true }).first('id')
    if (whole !== undefined) throw new Refusal(409, 'Conflict', 'that upload is complete: ask for get_download_info')
    return await trx('content_files').where({ owner, tid, role }).delete(['owner', 'id'])
  }

  async #reserve(trx: Knex.Transaction, { owner, most, exact }: NewFile): Promise<number> {
    const left = await this.#leftFor(trx, owner)
    if (left <= 0 || (exact && most > left)) throw full()
    return Math.min(most, left)
  }

  async #leftFor(trx: Knex.Transaction, owner: number, except?: Buffer): Promise<number> {
    const others = trx('content_files').where({ owner })
    if (except !== undefined) others.whereNot({ id: except })
    const [used] = await others.select(trx.raw('count(*)::int as files, coalesce(sum(reserved), 0)::bigint as bytes'))
    return used.files >= mostFiles ? 0 : this.#needs.maxUserBytes - Number(used.bytes)
  }

  async #insert(trx: Knex.Transaction, file: NewFile, reserved: number): Promise<Writing> {
    const { owner, tid, role, name, contentType } = file
    const writing = { owner, id: newId(), writer: randomUUID(), reserved }
    const created = this.#needs.now()
    const kept = { created: new Date(created), until: new Date(created + keepPartsFor) }
    await trx('content_files').insert({ ...writing, tid, role, name: name ?? null, content_type: contentType, ...kept })
    return { ...writing, size: 0 }
  }

  async #read({ owner, id }: FileKey): Promise<StoredFile | null> {
    const [row] = await this.#needs.database.query<Row>(readStatement, [owner, id])
    return row === undefined ? null : fromRow(row)
  }

  #gone(key: FileKey): void {
    this.#cache.delete(textOf(key))
    this.#needs.database.notifications.publish(channel, textOf(key))
  }

  /** A user who was removed has taken the files along. */
  #usersChanged(payload: string): void {
    this.#cache.clear()
    if (payload === '*') return
    for (const key of JSON.parse(payload) as string[])
      if (key.startsWith('#')) this.#tell({ owner: Number(key.slice(1)) })
  }

  #tell(gone: FileKey | { readonly owner: number }): void {
    for (const listener of this.#listeners) listener(gone)
  }
}

const elsewhere = (size: number) =>
  new Refusal(416, 'Range not satisfiable', `the next byte is ${size}`, { 'content-range': `bytes */${size}` })

/** Who begins with files of a user at once sees what the one before has reserved. */
const lock = (trx: Knex.Transaction, owner: number) =>
  trx.raw('select pg_advisory_xact_lock(hashtextextended(?, ?))', ['content', owner])

const textOf = ({ owner, id }: FileKey): string => `${owner}:${id.toString('hex')}`

function keyIn(text: string): FileKey {
  const [owner, id = ''] = text.split(':')
  return { owner: Number(owner), id: Buffer.from(id, 'hex') }
}

const fromRow = ({ owner, id, role, name, content_type, size, complete, created, until }: Row): StoredFile => ({
  ...{ owner, id, role, size, complete },
  name: name ?? undefined,
  contentType: content_type,
  created: created.getTime(),
  until: until.getTime(),
})

const columns = 'owner, id, role, name, content_type, size, complete, created, until'

const readStatement = {
  name: 'content-read',
  text: `select ${columns} from content_files where owner = $1 and id = $2 and complete`,
}

const uploadStatement = {
  name: 'content-upload',
  text: `select ${columns} from content_files where owner = $1 and tid = $2 order by role desc`,
}

const progressStatement = {
  name: 'content-progress',
  text: `update content_files set size = $4 where owner = $1 and id = $2 and writer = $3 and not complete returning 1`,
}

const filesStatement = { name: 'content-files-of', text: 'select owner, id from content_files where owner = $1' }

const finishStatement = {
  name: 'content-finish',
  text: `update content_files set complete = true, reserved = size, writer = null, until = $4
    where owner = $1 and id = $2 and writer = $3 returning ${columns}`,
}

const removeStatement = {
  name: 'content-remove',
  text: 'delete from content_files where owner = $1 and id = $2 returning owner, id',
}

const discardStatement = {
  name: 'content-discard',
  text: 'delete from content_files where owner = $1 and id = $2 and writer = $3 returning owner, id',
}

const sweepStatement = {
  name: 'content-sweep',
  text: `delete from content_files where (owner, id) in
    (select owner, id from content_files where until <= $1 limit $2) returning owner, id`,
}
