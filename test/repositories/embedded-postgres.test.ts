import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { embeddedUrl, startEmbeddedPostgres, useEmbeddedPostgres } from '../../src/database/index.ts'
import { isAlive } from '../../src/database/postmaster.ts'
import { quiet } from '../support/quiet-log.ts'

const settings = { fsync: 'off', shared_buffers: '16MB' }
const isRoot = process.geteuid?.() === 0
let home: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'parley-home-'))
})

afterEach(async () => {
  await rm(home, { recursive: true, force: true })
})

const start = (dataDir = join(home, 'data')) => startEmbeddedPostgres({ dataDir, log: quiet, settings })

async function ask(url: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query({ text: statement, rowMode: 'array' })
    return rows.flat()
  } finally {
    await client.end()
  }
}

const pidOf = async (dataDir: string) =>
  Number((await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0])

interface Said {
  readonly ready: boolean
  readonly url: string
  readonly adopted: boolean
  readonly problem: string
}

/** A process of its own that owns the Postgres, as a server does. */
async function owner(dataDir: string, as: { uid?: number; gid?: number } = {}): Promise<[ChildProcess, Said]> {
  const script = fileURLToPath(new URL('../support/embedded-owner.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, dataDir], {
    ...as,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(child.stdout as NodeJS.ReadableStream, 'data')
  return [child, JSON.parse(String(line))]
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}

test('the embedded Postgres keeps its data from one start to the next, and leaves no process', async () => {
  const first = await start()
  expect(first.adopted).toBe(false)
  await ask(first.url, 'CREATE TABLE kept AS SELECT 7 AS n')
  const pid = await pidOf(join(home, 'data'))
  await first.stop()
  expect(isAlive(pid)).toBe(false)
  const second = await start()
  expect(await ask(second.url, 'SELECT n FROM kept')).toEqual([7])
  await second.stop()
})

test('after a kill -9 of its owner the Postgres that still runs is adopted', async () => {
  const dataDir = join(home, 'data')
  const [child, said] = await owner(dataDir)
  await ask(said.url, 'CREATE TABLE kept AS SELECT 7 AS n')
  const pid = await pidOf(dataDir)
  await end(child, 'SIGKILL')
  const adopted = await start()
  expect(adopted).toMatchObject({ adopted: true, url: said.url })
  expect(await pidOf(dataDir)).toBe(pid)
  expect(await ask(adopted.url, 'SELECT n FROM kept')).toEqual([7])
  await adopted.stop()
  expect(isAlive(pid)).toBe(false)
})

test('after a kill -9 of both the data is recovered', async () => {
  const dataDir = join(home, 'data')
  const [child, said] = await owner(dataDir)
  await ask(said.url, 'CREATE TABLE kept AS SELECT 7 AS n')
  await end(child, 'SIGKILL')
  process.kill(await pidOf(dataDir), 'SIGKILL')
  const recovered = await start()
  expect(await ask(recovered.url, 'SELECT n FROM kept')).toEqual([7])
  await recovered.stop()
})

test('a pid file whose number now belongs to a stranger does not keep Postgres from starting', async () => {
  const first = await start()
  const pidFile = join(home, 'data/postgres/postmaster.pid')
  const text = await readFile(pidFile, 'utf8')
  await first.stop()
  await writeFile(pidFile, text.replace(/^\d+/, String(process.pid)), { mode: 0o600 })
  const second = await start()
  expect(second.adopted).toBe(false)
  await second.stop()
})

test('a second owner is refused with the number of the first, and a command works beside it', async () => {
  const dataDir = join(home, 'data')
  const [child, said] = await owner(dataDir)
  await expect(start()).rejects.toMatchObject({ key: 'data.dir', pid: child.pid })
  expect(await embeddedUrl(dataDir)).toBe(said.url)
  const used = await useEmbeddedPostgres({ dataDir, log: quiet })
  expect(await ask(used.url, 'SELECT 1')).toEqual([1])
  await used.stop()
  expect(await ask(said.url, 'SELECT 1')).toEqual([1])
  await end(child, 'SIGTERM')
  expect(await embeddedUrl(dataDir)).toBeUndefined()
})

test('a command without a server starts Postgres for itself, and a server waits for it', async () => {
  const dataDir = join(home, 'data')
  const used = await useEmbeddedPostgres({ dataDir, log: quiet, settings })
  const server = start()
  expect(await ask(used.url, 'SELECT 1')).toEqual([1])
  await used.stop()
  await (await server).stop()
})

test('a Postgres that dies is started again', async () => {
  const dataDir = join(home, 'data')
  const postgres = await start()
  const pid = await pidOf(dataDir)
  process.kill(pid, 'SIGKILL')
  const answer = () => ask(postgres.url, 'SELECT 1').catch(() => undefined)
  await expect.poll(answer, { timeout: 30_000 }).toEqual([1])
  expect(await pidOf(dataDir)).not.toBe(pid)
  await postgres.stop()
})

test('data of another major version is refused and left alone', async () => {
  await (await start()).stop()
  await writeFile(join(home, 'data/postgres/PG_VERSION'), '13\n')
  await expect(start()).rejects.toMatchObject({ key: 'data.dir', problem: expect.stringContaining('Postgres 13') })
  expect(await readFile(join(home, 'data/postgres/PG_VERSION'), 'utf8')).toBe('13\n')
})

test('a path too long for a socket works, for a command beside it too', async () => {
  const dataDir = join(home, 'long'.repeat(30), 'data')
  const [child, said] = await owner(dataDir)
  expect(await ask(said.url, 'SELECT 1')).toEqual([1])
  expect(await embeddedUrl(dataDir)).toBe(said.url)
  await expect(start(dataDir)).rejects.toMatchObject({ key: 'data.dir', pid: child.pid })
  await end(child, 'SIGTERM')
})

test('a home that nobody else may enter is no obstacle', async () => {
  await chmod(home, 0o700)
  const postgres = await start(join(home, '.local', 'parley'))
  expect(await ask(postgres.url, 'SELECT 1')).toEqual([1])
  expect((await stat(join(home, '.local/parley/postgres'))).mode & 0o777).toBe(0o700)
  await postgres.stop()
})

test('a directory that may not be written is named', async () => {
  await writeFile(join(home, 'file'), '')
  await expect(start(join(home, 'file', 'data'))).rejects.toMatchObject({ key: 'data.dir' })
})

test('of two that start at once on an empty directory one gets it', async () => {
  const results = await Promise.allSettled([start(), start()])
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  for (const result of results) if (result.status === 'fulfilled') await result.value.stop()
})

const stranger = 65534

/** As in most containers: no user namespaces. */
async function withoutNamespaces<T>(work: () => Promise<T>): Promise<T> {
  const path = process.env.PATH
  process.env.PATH = '/nowhere'
  try {
    return await work()
  } finally {
    process.env.PATH = path
  }
}

test.runIf(isRoot)('where root may not make a namespace another user takes over, and back', async () => {
  await chmod(home, 0o755)
  const first = await start()
  await ask(first.url, 'CREATE TABLE kept AS SELECT 7 AS n')
  await first.stop()
  const second = await withoutNamespaces(start)
  expect(await ask(second.url, 'SELECT n FROM kept')).toEqual([7])
  expect((await stat(join(home, 'data/postgres'))).uid).not.toBe(0)
  await second.stop()
  const third = await start()
  expect(await ask(third.url, 'SELECT n FROM kept')).toEqual([7])
  await third.stop()
})

test.runIf(isRoot)(
  'where nobody but root can reach the place, and may not make a namespace, the remedy is named',
  async () => {
    await expect(withoutNamespaces(start)).rejects.toMatchObject({
      key: 'data.dir',
      remedy: expect.stringContaining('database.url'),
    })
  },
)

test.runIf(isRoot)('root starts the data of another user as that user, who can start it again', async () => {
  const dataDir = join(home, 'data')
  await chown(home, stranger, stranger)
  const postgres = await start(dataDir)
  expect((await stat(join(dataDir, 'postgres'))).uid).toBe(stranger)
  await postgres.stop()
  const [child, said] = await owner(dataDir, { uid: stranger, gid: stranger })
  expect(said.problem).toBeUndefined()
  await end(child, 'SIGTERM')
})
