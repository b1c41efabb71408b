import { columns, type Database, GroupCommit } from '../../../database/index.ts'
import { NotifiedCache } from '../../../database/notified-cache.ts'
import { Failure } from '../../../failure.ts'
import { type Document, type DocumentChange, type DocumentKey, etagOf } from './document.ts'

interface Needs {
  readonly database: Database
  readonly now: () => number
  /** A group commit wrote `size` rows at once. */
  readonly onBatch?: (size: number) => void
  /** What a document can be found by, as JSON; undefined for what nobody searches. */
  readonly termsOf?: (key: DocumentKey, content: Buffer) => string | undefined
  /** Documents held in memory, in each of two generations. */
  readonly mostCached?: number
}

/** What a change makes of a document: the content from now on, or undefined when it is to go. */
export type Work<Result> = (current: Document | undefined) => Worked<Result> | Promise<Worked<Result>>
export interface Worked<Result> {
  /** `unchanged`, where nothing is to be written. */
  readonly content: Buffer | undefined | 'unchanged'
  /** Of the content, where it is known. */
  readonly etag?: string
  readonly result: Result
}

interface Row {
  readonly key: DocumentKey
  readonly previous: string
  readonly etag: string
  readonly content: Buffer
}

interface Told {
  readonly owner: number
  readonly auid: string
  readonly name: string
}

const channel = 'documents'
const maxTries = 20
const none = Buffer.alloc(0)

/**
 * The XDM documents. Reads come from memory, which notifications keep true. A write says which entity tag it was worked
 * out from, and is worked out anew when another node was faster; on one node the writers of a document take turns.
 */
export class Documents {
  readonly #database: Database
  readonly #now: () => number
  readonly #termsOf: Needs['termsOf']
  readonly #cache: NotifiedCache<string, Document | null>
  readonly #commits: GroupCommit<Row, boolean, Told>
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #listeners = new Set<(change: DocumentChange) => void>()
  readonly #unsubscribe: () => void

  constructor({ database, now, onBatch, termsOf, mostCached = 10_000 }: Needs) {
    this.#database = database
    this.#now = now
    this.#termsOf = termsOf
    const { notifications } = database
    this.#unsubscribe = notifications.subscribe(
      channel,
      (payload, own) => {
        if (!own) this.#tell(changeIn(payload))
      },
      () => {},
    )
    this.#cache = new NotifiedCache({
      notifications,
      channel,
      keysOf: (payload) => [idOf(changeIn(payload).key)],
      read: (id) => this.#read(keyOf(id)),
      most: mostCached,
    })
    this.#commits = new GroupCommit({
      database,
      name: 'documents-write',
      text: writeSql,
      toValues: (rows) => this.#valuesOf(rows),
      toResults: (rows, told) => writtenOf(rows, told),
      ...(onBatch && { onBatch }),
    })
  }

  /** A promise only where the database has to be asked. */
  find(key: DocumentKey): Document | undefined | Promise<Document | undefined> {
    const found = this.#cache.get(idOf(key))
    return found instanceof Promise ? found.then((document) => document ?? undefined) : (found ?? undefined)
  }

  /** The documents of an owner, without their content, in order; of one application usage where it is named. */
  async list(owner: number, auid?: string): Promise<ListedDocument[]> {
    const values = [owner, auid ?? null]
    const rows = await this.#database.query<ListedRow>(listStatement, values)
    return rows.map(({ modified, ...row }) => ({ ...row, modified: modified.getTime() }))
  }

  /** Hears of every change, by this node at once, by others as soon as they tell. */
  onChanged(listener: (change: DocumentChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Works out a new content from the one in force, and commits it. What `work` throws leaves all as it was. */
  async change<Result>(key: DocumentKey, work: Work<Result>): Promise<Result> {
    const id = idOf(key)
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(() => this.#changeInTurn(key, id, work))
    const settled = turn.catch(() => {})
    this.#turns.set(id, settled)
    try {
      return await turn
    } finally {
      if (this.#turns.get(id) === settled) this.#turns.delete(id)
    }
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    this.#cache.close()
    await this.#commits.close()
  }

  async #changeInTurn<Result>(key: DocumentKey, id: string, work: Work<Result>): Promise<Result> {
    for (let attempt = 0; attempt < maxTries; attempt++) {
      const current = (await this.#cache.get(id)) ?? undefined
      const { content, result, etag: known } = await work(current)
      if (content === 'unchanged' || (content === undefined && current === undefined)) return result
      const etag = content === undefined ? undefined : (known ?? etagOf(content))
      if (etag === current?.etag) return result
      if (await this.#commit(key, current?.etag, etag, content)) return result
      this.#cache.delete(id)
    }
    throw new Failure('overloaded', 'too many writers of one document', { retryAfter: 1 })
  }

  async #commit(
    key: DocumentKey,
    previousEtag: string | undefined,
    etag: string | undefined,
    content: Buffer | undefined,
  ): Promise<boolean> {
    const id = idOf(key)
    try {
      const row = { key, previous: previousEtag ?? '', etag: etag ?? '', content: content ?? none }
      if (!(await this.#commits.add(row))) return false
    } catch (err) {
      this.#cache.delete(id) // it may be committed all the same
      throw err
    }
    this.#cache.set(id, etag === undefined || content === undefined ? null : { ...key, etag, content })
    const change = { key, previousEtag, etag }
    this.#database.notifications.publish(channel, JSON.stringify(change))
    this.#tell(change)
    return true
  }

  #tell(change: DocumentChange): void {
    for (const listener of this.#listeners) listener(change)
  }

  async #read(key: DocumentKey): Promise<Document | null> {
    const [row] = await this.#database.query<Pick<Document, 'etag' | 'content'>>(readStatement, valuesOfKey(key))
    return row === undefined ? null : { ...key, ...row }
  }

  #valuesOf(rows: readonly Row[]): unknown[] {
    return [
      columns.bigints(rows.map(({ key }) => key.owner)),
      columns.texts(rows.map(({ key }) => key.auid)),
      columns.texts(rows.map(({ key }) => key.name)),
      columns.texts(rows.map(({ previous }) => previous)),
      columns.texts(rows.map(({ etag }) => etag)),
      columns.bytes(rows.map(({ content }) => content)),
      columns.times(rows.map(() => this.#now())),
      columns.texts(rows.map(({ key, etag, content }) => (etag === '' ? undefined : this.#termsOf?.(key, content)))),
    ]
  }
}

export interface ListedDocument {
  readonly auid: string
  readonly name: string
  readonly etag: string
  readonly bytes: number
  /** Milliseconds since 1970. */
  readonly modified: number
}

interface ListedRow extends Omit<ListedDocument, 'modified'> {
  readonly modified: Date
}

/** Names are free of control characters (RFC 4825 §6.2 leaves none unescaped). */
const idOf = ({ owner, auid, name }: DocumentKey): string => `${owner}\0${auid}\0${name}`

function keyOf(id: string): DocumentKey {
  const [owner = '', auid = '', name = ''] = id.split('\0')
  return { owner: Number(owner), auid, name }
}

const changeIn = (payload: string): DocumentChange => JSON.parse(payload) as DocumentChange

const valuesOfKey = ({ owner, auid, name }: DocumentKey) => [owner, auid, name]

function writtenOf(rows: readonly Row[], told: readonly Told[]): boolean[] {
  const written = new Set(told.map(idOf))
  return rows.map(({ key }) => written.has(idOf(key)))
}

/** '' stands for no document: before, it is new; after, it goes. */
const writeSql = `
  with k as (
    select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::timestamptz[],
      $8::text[]) as k (owner, auid, name, previous, etag, content, modified, terms)
  ), changed as (
    update documents d set etag = k.etag, content = k.content, modified = k.modified, terms = k.terms::jsonb from k
    where d.owner = k.owner and d.auid = k.auid and d.name = k.name and d.etag = k.previous and k.etag <> ''
    returning d.owner, d.auid, d.name
  ), removed as (
    delete from documents d using k
    where d.owner = k.owner and d.auid = k.auid and d.name = k.name and d.etag = k.previous and k.etag = ''
    returning d.owner, d.auid, d.name
  ), added as (
    insert into documents (owner, auid, name, etag, content, modified, terms)
    select owner, auid, name, etag, content, modified, terms::jsonb from k where previous = ''
    on conflict do nothing
    returning owner, auid, name
  )
  select * from changed union all select * from removed union all select * from added`

const readStatement = {
  name: 'documents-read',
  text: 'select etag, content from documents where owner = $1 and auid = $2 and name = $3',
}

const listStatement = {
  name: 'documents-list',
  text: `select auid, name, etag, length(content) as bytes, modified from documents
    where owner = $1 and ($2::text is null or auid = $2) order by auid, name`,
}
