import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { endsWithUs } from '../support/ends-with-us.ts'

/** The Postgres that both servers of a benchmark share. */
export interface BenchPostgres {
  /** The address of database `name`, made anew. */
  create(name: string): Promise<string>
  /** The postmaster, when it runs on this machine: all backends are below it. */
  readonly pids: readonly number[]
  query(url: string, text: string): Promise<Record<string, unknown>[]>
  close(): Promise<void>
}

/** The given Postgres, or one of our own in a temporary folder, with fsync and synchronous_commit on as they are by default. */
export async function openPostgres(given: string | undefined): Promise<BenchPostgres> {
  if (given === undefined) return startPostgres()
  return handle(given, isLocal(given) ? [await postmasterOf(given)] : [], async () => {})
}

/** The parent of a backend, as long as that is there. */
async function postmasterOf(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    return parentOf(rows[0]?.pid ?? 0)
  } finally {
    await client.end()
  }
}

async function startPostgres(): Promise<BenchPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-postgres-'))
  const port = await freeTcpPort()
  const binaries = findBinaries()
  chmodSync(folder, 0o700)
  const user = process.getuid?.() === 0 ? unprivileged(folder) : {}
  const data = join(folder, 'data')
  execFileSync(join(binaries, 'initdb'), ['-D', data, '-U', 'bench', '-A', 'trust', '-E', 'UTF8', '--locale=C'], {
    ...user,
    cwd: folder,
    stdio: 'ignore',
  })
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`]
  settings.push('max_connections=200', 'fsync=on', 'synchronous_commit=on', 'logging_collector=off')
  const child = spawn(join(binaries, 'postgres'), ['-D', data, ...settings.flatMap((one) => ['-c', one])], {
    ...user,
    cwd: folder,
    stdio: 'ignore',
  })
  endsWithUs(child, { signal: 'SIGKILL', folder })
  const url = `postgres://bench@127.0.0.1:${port}/postgres`
  await answering(url)
  return handle(url, [child.pid ?? 0], () => stop(child, folder))
}

function handle(url: string, pids: readonly number[], close: () => Promise<void>): BenchPostgres {
  return {
    pids,
    query,
    close,
    create: async (name) => {
      await query(url, `drop database if exists ${name} with (force)`)
      await query(url, `create database ${name}`)
      return Object.assign(new URL(url), { pathname: `/${name}` }).href
    },
  }
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const result: unknown = await client.query(text)
    return Array.isArray(result) ? [] : (result as pg.QueryResult).rows
  } finally {
    await client.end()
  }
}

async function answering(url: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await query(url, 'select 1')
      return
    } catch (error) {
      if (tries === 100) throw error
      await sleep(100)
    }
  }
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGINT') // fast shutdown
  await ended
  await rm(folder, { recursive: true, force: true })
}

/** The newest of Debian's. */
function findBinaries(): string {
  const folders = [18, 17, 16, 15].map((version) => `/usr/lib/postgresql/${version}/bin`)
  const found = folders.find((folder) => existsSync(join(folder, 'initdb')))
  if (found === undefined) throw new Error('no Postgres: apt-get install postgresql, or give --database-url')
  return found
}

/** Postgres refuses to run as root. */
function unprivileged(folder: string): { uid: number; gid: number } {
  const id = (kind: string) => Number(execFileSync('id', [kind, 'postgres'], { encoding: 'utf8' }))
  const user = { uid: id('-u'), gid: id('-g') }
  execFileSync('chown', [`${user.uid}:${user.gid}`, folder])
  return user
}

const isLocal = (url: string): boolean => /^(127\.0\.0\.1|localhost|\[::1\]|)$/.test(new URL(url).hostname)
const parentOf = (pid: number): number =>
  Number(execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }))

async function freeTcpPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
