import knex, { type Knex } from 'knex'
import pg from 'pg'
import { ConfigurationFault, Failure } from '../failure.ts'
import { Breaker } from './breaker.ts'
import { connectionTo, hotConnectionTo } from './connection.ts'
import { isConnectionFailure, isExhaustion, isStalePlan } from './connection-failure.ts'
import { knexLog } from './knex-log.ts'
import type { Log } from './log.ts'
import { Notifications } from './notifications.ts'

/** A prepared statement: Postgres plans `text` once for each connection, under `name`. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** Postgres, as the parts see it. bigint columns come as numbers, timestamptz as Date, bytea as Buffer. */
export interface Database {
  readonly url: string
  /** For paths that are not hot. Rejects with `database-unavailable` as the rest does. */
  readonly knex: Knex
  /** For hot paths: prepared, bounded in time and in number of callers. */
  query<Row>(statement: Statement, values: readonly unknown[]): Promise<Row[]>
  transaction<T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T>
  readonly notifications: Notifications
  /** False while the database is away: everything rejects at once, until it serves again. */
  available(): boolean
  close(): Promise<void>
}

export interface DatabaseOptions {
  readonly url: string
  /** Connections for hot statements; the cold paths have half as many besides. */
  readonly poolSize?: number
  /** How long a statement may take, before the database counts as away. */
  readonly answerTimeoutMs?: number
}

const oldestServer = 150_000
const maxWaiting = 2000
/** Statements of cold paths may take that many times longer. */
const coldShare = 6
const heartbeatTimeoutMs = 5000
const probeTimeoutMs = 2000

/** Connects, once, so that a wrong URL is said at the start. */
export async function openDatabase(options: DatabaseOptions, log: Log): Promise<Database> {
  await checkServer(options.url)
  return new PostgresDatabase(options, log)
}

/** Connects once. A ConfigurationFault when nobody is there, or a Postgres that is too old. */
export async function checkServer(url: string): Promise<void> {
  const version = await serverVersion(url).catch((error: unknown) => {
    const reason = error instanceof Error ? (error.message === '' ? error.name : error.message) : String(error)
    throw new ConfigurationFault(
      'database.url',
      `the database cannot be reached (${reason})`,
      'start Postgres there or correct the URL',
      error,
    )
  })
  if (version < oldestServer) {
    throw new ConfigurationFault(
      'database.url',
      `Postgres ${Math.floor(version / 10_000)} is too old`,
      'use 15 or later',
    )
  }
}

async function serverVersion(url: string): Promise<number> {
  const client = new pg.Client(hotConnectionTo(url))
  client.on('error', () => {}) // the query rejects as well
  try {
    await client.connect()
    const { rows } = await client.query<{ version: number }>(
      `SELECT current_setting('server_version_num')::int AS version`,
    )
    return rows[0]?.version ?? 0
  } finally {
    await client.end().catch(() => {})
  }
}

class PostgresDatabase implements Database {
  readonly url: string
  readonly knex: Knex
  readonly notifications: Notifications
  readonly #pool: pg.Pool
  readonly #clients = new Set<pg.PoolClient>()
  readonly #breaker: Breaker
  readonly #connection: pg.ClientConfig

  constructor(options: DatabaseOptions, log: Log) {
    const poolSize = options.poolSize ?? 8
    this.#connection = hotConnectionTo(options.url, options.answerTimeoutMs)
    this.url = options.url
    this.#breaker = new Breaker({ probe: () => this.#probe(), onDown: () => this.#cutAll(), log })
    this.#pool = new pg.Pool({ ...this.#connection, max: poolSize, idleTimeoutMillis: 60_000 })
    this.#pool.on('connect', (client) => {
      this.#clients.add(client)
      client.on('error', () => {}) // whoever uses it is told by the query
    })
    this.#pool.on('remove', (client) => this.#clients.delete(client))
    this.#pool.on('error', (error) => void this.#breaker.opened(error))
    this.knex = this.#guardedKnex(Math.ceil(poolSize / 2), log)
    this.notifications = new Notifications({
      connect: () => new pg.Client({ ...connectionTo(this.url), query_timeout: heartbeatTimeoutMs }),
      query: (statement, values) => this.query(statement, values),
      log,
    })
  }

  available(): boolean {
    return this.#breaker.available()
  }

  async query<Row>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    this.#breaker.check()
    if (this.#pool.waitingCount >= maxWaiting) throw busy()
    const client = await this.#connect()
    try {
      const result = await client.query({ name: statement.name, text: statement.text, values: values as unknown[] })
      client.release()
      return result.rows as Row[]
    } catch (error) {
      client.release(isConnectionFailure(error) || isStalePlan(error))
      throw this.#translated(error)
    }
  }

  async transaction<T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T> {
    try {
      return await this.knex.transaction(work)
    } catch (error) {
      throw this.#translated(error)
    }
  }

  async close(): Promise<void> {
    await this.notifications.close()
    this.#breaker.end()
    await Promise.all([this.#pool.end(), this.knex.destroy()])
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect()
    } catch (error) {
      if (this.#clients.size >= this.#pool.options.max && this.available()) throw busy()
      throw this.#breaker.opened(error)
    }
  }

  #translated(error: unknown): unknown {
    if (isConnectionFailure(error)) return this.#breaker.opened(error)
    if (isExhaustion(error)) return new Failure('database-unavailable', '', { cause: error, retryAfter: 2 })
    return error
  }

  /** Knex, with the breaker before each connection, and with its failures in our words. */
  #guardedKnex(max: number, log: Log): Knex {
    const instance = knex({
      client: 'pg',
      connection: hotConnectionTo(
        this.url,
        (this.#connection.query_timeout ?? 0) * coldShare,
      ) as Knex.PgConnectionConfig,
      pool: { min: 0, max, idleTimeoutMillis: 30_000 },
      acquireConnectionTimeout: 5000,
      log: knexLog(log),
    })
    const client: KnexClient = instance.client
    const acquire = client.acquireConnection.bind(client)
    const query = client._query.bind(client)
    client.acquireConnection = async () => {
      this.#breaker.check()
      return await acquire().catch((error) => Promise.reject(isPoolFull(error) ? busy() : this.#breaker.opened(error)))
    }
    client._query = (connection, statement) =>
      query(connection, statement).catch((error) => Promise.reject(this.#translated(error)))
    return instance
  }

  /** A connection of its own: those of the pool may hang. A standby that does not take writes is not yet back. */
  async #probe(): Promise<void> {
    const client = new pg.Client({
      ...this.#connection,
      connectionTimeoutMillis: probeTimeoutMs,
      query_timeout: probeTimeoutMs,
    })
    client.on('error', () => {})
    try {
      await client.connect()
      const { rows } = await client.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby')
      if (rows[0]?.standby !== false) throw new Error('the database is read-only')
    } finally {
      void client.end().catch(() => {})
    }
  }

  /** Whoever waits for an answer on an old connection is told now. */
  #cutAll(): void {
    for (const client of this.#clients) void client.end().catch(() => {})
  }
}

const busy = () => new Failure('overloaded', 'every connection to the database is in use', { retryAfter: 2 })

const isPoolFull = (error: unknown) => error instanceof Error && error.name === 'KnexTimeoutError'

/** The two methods of knex's client through which everything goes that is not in a transaction. */
interface KnexClient {
  acquireConnection(): Promise<unknown>
  _query(connection: unknown, statement: unknown): Promise<unknown>
}
