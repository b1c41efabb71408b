import { chown, mkdir, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { ConfigurationFault } from '../failure.ts'
import { DataDirectoryLock, type Role } from './data-directory-lock.ts'
import type { Log } from './log.ts'
import { accountFor, type PostgresAccount } from './postgres-account.ts'
import { findPostgres } from './postgres-binaries.ts'
import { superuser } from './postgres-cluster.ts'
import { PostgresSupervisor, start } from './postgres-supervisor.ts'
import { type Launch, type Postmaster, runningPostmaster, stopPostmaster } from './postmaster.ts'

export interface EmbeddedPostgresOptions {
  readonly dataDir: string
  readonly log: Log
  readonly role?: Role
  /** Settings of Postgres besides ours. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A Postgres of our own, in `data.dir`. */
export interface EmbeddedPostgres {
  readonly url: string
  /** It was running already: a server that was killed had left it. */
  readonly adopted: boolean
  /** Comes last: after everything that may still write. */
  stop(): Promise<void>
}

const databaseName = 'parley'

const ourSettings = {
  listen_addresses: '',
  port: '5432',
  unix_socket_permissions: '0700',
  max_connections: '64',
  shared_buffers: '128MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  wal_compression: 'on',
  jit: 'off',
  log_min_messages: 'log', // a refused row is the caller's affair
  log_checkpoints: 'off',
  log_timezone: 'UTC',
  timezone: 'UTC',
}

/** Starts Postgres, or adopts the one that runs, and keeps it running. One process at a time has a data directory. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const made = await mkdir(options.dataDir, { recursive: true }).catch((error: Error) => {
    throw new ConfigurationFault('data.dir', `cannot be made (${error.message})`, 'choose another directory', error)
  })
  const dataDir = await realpath(options.dataDir)
  const lock = await takeLock(dataDir, options.role ?? 'server')
  try {
    const left = await adoptable(join(dataDir, 'postgres'))
    const launch = await prepare(dataDir, options.settings ?? {})
    if (made !== undefined) await give(dataDir, await realpath(made), launch.account)
    const postmaster = left ?? (await start(launch))
    await makeDatabase(postmaster.socketDir)
    options.log.info({ pid: postmaster.pid }, left ? 'embedded Postgres adopted' : 'embedded Postgres started')
    const supervisor = new PostgresSupervisor(launch, postmaster, options.log)
    const url = urlOf(postmaster.socketDir, databaseName)
    return { url, adopted: left !== undefined, stop: () => supervisor.stop().finally(() => lock.release()) }
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** Where the embedded Postgres of `dataDir` can be reached, if it runs and this user may. */
export async function embeddedUrl(dataDir: string): Promise<string | undefined> {
  const postmaster = await runningPostmaster(join(dataDir, 'postgres'))
  return postmaster?.stopping === false ? urlOf(postmaster.socketDir, databaseName) : undefined
}

/** For a command: Postgres as a server beside it runs it, else one for the time being. `stop` leaves a server's alone. */
export async function useEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  for (const until = Date.now() + commandsTakeMs; ; await pause(pollMs)) {
    try {
      return await startEmbeddedPostgres({ ...options, role: 'command' })
    } catch (error) {
      if (!(error instanceof DataDirectoryHeld) || Date.now() > until) throw error
      const url = await embeddedUrl(options.dataDir)
      if (url !== undefined) return { url, adopted: true, stop: async () => {} }
      // a server that is just starting, or stopping
    }
  }
}

/** Another process has the data directory. */
export class DataDirectoryHeld extends ConfigurationFault {
  readonly pid: number
  constructor(dataDir: string, pid: number) {
    super('data.dir', `${dataDir} is in use by process ${pid}`, 'stop that one or choose another directory')
    this.name = 'DataDirectoryHeld'
    this.pid = pid
  }
}

const commandsTakeMs = 30_000
const pollMs = 100

/** A command ends soon, so it is waited for; a server is not. */
async function takeLock(dataDir: string, role: Role): Promise<DataDirectoryLock> {
  for (const until = Date.now() + commandsTakeMs; ; await pause(pollMs)) {
    const lock = await DataDirectoryLock.take(dataDir, role)
    if (lock instanceof DataDirectoryLock) return lock
    if (lock.role === 'server' || Date.now() > until) throw new DataDirectoryHeld(dataDir, lock.pid)
  }
}

async function prepare(dataDir: string, settings: Readonly<Record<string, string>>): Promise<Launch> {
  const cluster = join(dataDir, 'postgres')
  const binaries = await findPostgres(join(dataDir, 'postgres-libraries'))
  const account = await accountFor(cluster, binaries.postgres)
  const logFile = join(dataDir, 'postgres.log')
  return { cluster, logFile, settings: { ...ourSettings, ...settings }, binaries, account }
}

/** A Postgres that a server left running; one that does not answer is stopped. */
async function adoptable(cluster: string): Promise<Postmaster | undefined> {
  const running = await runningPostmaster(cluster)
  if (running === undefined || (!running.stopping && (await answers(running)))) return running
  await stopPostmaster(running)
}

const answers = ({ socketDir }: Postmaster) =>
  makeDatabase(socketDir).then(
    () => true,
    () => false,
  )

/** What root has made in the home of another user is that user's, who can then start the server as well. */
async function give(path: string, top: string, account: PostgresAccount): Promise<void> {
  if (process.geteuid?.() === 0 && account.uid !== 0) await chown(path, account.uid, account.gid)
  if (path !== top) await give(dirname(path), top, account)
}

/** Complete, so that neither the environment of this process nor a default has a say. `psql` understands it too. */
function urlOf(socketDir: string, name: string): string {
  return `postgresql:///${name}?host=${encodeURIComponent(socketDir)}&port=5432&user=${superuser}&sslmode=disable`
}

async function makeDatabase(socketDir: string): Promise<void> {
  const client = new pg.Client({ connectionString: urlOf(socketDir, 'postgres'), connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [databaseName])
    if (rowCount === 0) await client.query(`CREATE DATABASE ${databaseName}`)
  } finally {
    await client.end()
  }
}
