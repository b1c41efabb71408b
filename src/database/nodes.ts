import { randomUUID } from 'node:crypto'
import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DataDirectoryLock } from './data-directory-lock.ts'
import type { Log } from './log.ts'

export interface NodesOptions {
  readonly database: Statements
  /** Where a node leaves its id for its next life. */
  readonly dataDir: string
  /** No other node uses this database: whoever is found there is gone. */
  readonly alone: boolean
  readonly log: Log
  readonly beatMs?: number
  /** After so long without a sign of life a node counts as gone. */
  readonly goneAfterMs?: number
}

interface Statements {
  query<Row>(statement: { name: string; text: string }, values: readonly unknown[]): Promise<Row[]>
}

/** Takes over what a node that is gone has left. Resolves with whether nothing of it is left. */
export type Heir = (node: string) => Promise<boolean>

const isId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * The nodes that share a database. Each life of a node has an id of its own, and says at intervals that it lasts. A node
 * that finds its last id in its data directory knows at once that this life is over; of others it takes `goneAfterMs`.
 */
export class Nodes {
  readonly id = randomUUID()
  readonly #options: NodesOptions
  readonly #beatMs: number
  readonly #goneAfterMs: number
  #lock: DataDirectoryLock | undefined
  #heir: Heir | undefined
  #timer: NodeJS.Timeout | undefined
  #beating: Promise<void> = Promise.resolve()
  readonly #inheriting = new Map<string, Promise<void>>()
  /** Since when this node has seen all that the others said: who cannot hear must not call others silent. */
  #listeningSince: number | undefined
  #closed = false

  constructor(options: NodesOptions) {
    this.#options = options
    this.#beatMs = options.beatMs ?? 10_000
    this.#goneAfterMs = options.goneAfterMs ?? 60_000
  }

  /** From now on this node counts as living. */
  async start(): Promise<void> {
    const { database, alone } = this.#options
    const last = alone ? undefined : await this.#leaveId()
    await this.#say()
    if (alone) await database.query(allOverStatement, [this.id])
    else if (last !== undefined) await database.query(overStatement, [last])
  }

  /** Has `heir` take over what nodes have left that are gone, now and whenever one is found. */
  watch(heir: Heir): void {
    this.#heir = heir
    this.#beatLater(0)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#beating
    await Promise.all(this.#inheriting.values())
    await this.#options.database.query(overStatement, [this.id]).catch(() => {}) // others see it in a while
    await this.#lock?.release()
  }

  /** The id of the life before this one. None where another process has the directory, or it cannot be used. */
  async #leaveId(): Promise<string | undefined> {
    const { dataDir, log } = this.#options
    try {
      await mkdir(dataDir, { recursive: true })
      const lock = await DataDirectoryLock.take(await realpath(dataDir), 'server')
      if (!(lock instanceof DataDirectoryLock)) return undefined
      this.#lock = lock
      const path = join(dataDir, 'node')
      const last = (await readFile(path, 'latin1').catch(() => '')).trim()
      await writeFile(path, `${this.id}\n`)
      return isId.test(last) ? last : undefined
    } catch (err) {
      log.warn({ err, dataDir }, 'after a crash this node is recognised late: its id cannot be kept')
      return undefined
    }
  }

  #beatLater(afterMs: number): void {
    this.#timer = setTimeout(() => {
      this.#beating = this.#beat()
    }, afterMs)
    this.#timer.unref()
  }

  async #beat(): Promise<void> {
    try {
      await this.#say()
      this.#listeningSince ??= performance.now()
      for (const node of await this.#gone()) this.#inherit(node)
    } catch (err) {
      this.#listeningSince = undefined
      this.#options.log.warn({ err }, 'could not say that this node lives')
    }
    if (!this.#closed) this.#beatLater(this.#beatMs)
  }

  async #say(): Promise<void> {
    await this.#options.database.query(aliveStatement, [this.id])
  }

  async #gone(): Promise<readonly string[]> {
    const listened = performance.now() - (this.#listeningSince ?? performance.now())
    const after = listened >= this.#goneAfterMs ? this.#goneAfterMs : null
    const rows = await this.#options.database.query<{ id: string }>(goneStatement, [this.id, after])
    return rows.map(({ id }) => id)
  }

  /** Beside the beats: it may take long. */
  #inherit(node: string): void {
    if (this.#closed || this.#inheriting.has(node)) return
    const inheriting = this.#takeOver(node)
      .catch((err) => this.#options.log.warn({ err, node }, 'what a node has left is not yet taken over'))
      .finally(() => this.#inheriting.delete(node))
    this.#inheriting.set(node, inheriting)
  }

  async #takeOver(node: string): Promise<void> {
    if ((await this.#heir?.(node)) === true) await this.#options.database.query(forgetStatement, [node])
  }
}

const aliveStatement = {
  name: 'node-alive',
  text: 'insert into nodes (id, seen_at) values ($1, now()) on conflict (id) do update set seen_at = now()',
}
const overStatement = { name: '', text: `update nodes set seen_at = '-infinity' where id = $1` }
const allOverStatement = { name: '', text: `update nodes set seen_at = '-infinity' where id <> $1` }
const goneStatement = {
  name: 'nodes-gone',
  text: `select id from nodes where id <> $1
    and (seen_at = '-infinity' or seen_at < now() - $2::float8 * interval '1 millisecond')`,
}
/** One that was only silent for a while has come back, and stays. */
const forgetStatement = {
  name: '',
  text: `delete from nodes where id = $1 and seen_at < now() - interval '1 second'`,
}
