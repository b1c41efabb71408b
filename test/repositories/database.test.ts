import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Database, GroupCommit, migrate, openDatabase, startEmbeddedPostgres } from '../../src/database/index.ts'
import { createDatabase, testDatabase } from '../support/database.ts'
import { quiet } from '../support/quiet-log.ts'

let dataDir: string
let closings: (() => Promise<void>)[] = []

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'parley-outage-'))
})

afterEach(async () => {
  for (const close of closings.reverse()) await close()
  closings = []
  await rm(dataDir, { recursive: true, force: true })
})

const startPostgres = () => startEmbeddedPostgres({ dataDir, log: quiet, settings: { fsync: 'off' } })

async function open(url: string, answerTimeoutMs?: number): Promise<Database> {
  const database = await openDatabase({ url, ...(answerTimeoutMs !== undefined && { answerTimeoutMs }) }, quiet)
  closings.push(() => database.close())
  return database
}

const one = { name: 'one', text: 'SELECT 1 AS n' }
const unavailable = { condition: 'database-unavailable', retryAfter: expect.any(Number) }

test('while Postgres is stopped everything is refused at once, and service comes back with it', async () => {
  const first = await startPostgres()
  const database = await open(first.url)
  await database.knex.raw('CREATE TABLE notes (id bigint)')
  const notes = new GroupCommit<number>({
    database,
    name: 'notes',
    text: 'INSERT INTO notes SELECT * FROM unnest($1::bigint[])',
    toValues: (rows) => [rows],
  })
  await notes.add(1)
  await first.stop()
  await expect.poll(() => database.available()).toBe(false)
  await expect(database.query(one, [])).rejects.toMatchObject(unavailable)
  await expect(notes.add(2)).rejects.toMatchObject(unavailable)
  await expect(database.knex('notes').select()).rejects.toMatchObject(unavailable)
  await expect(database.transaction((trx) => trx('notes').select())).rejects.toMatchObject(unavailable)
  const second = await startPostgres()
  closings.unshift(() => second.stop())
  await expect.poll(() => database.available(), { timeout: 10_000 }).toBe(true)
  await notes.add(3)
  expect(await database.knex('notes').select()).toEqual([{ id: 1 }, { id: 3 }])
})

test('a Postgres that does not answer counts as away, until it answers', async () => {
  const postgres = await startPostgres()
  closings.push(() => postgres.stop())
  const database = await open(postgres.url, 500)
  await database.query(one, [])
  const frozen = await processesIn(join(dataDir, 'postgres'))
  for (const pid of frozen) process.kill(pid, 'SIGSTOP')
  try {
    await expect(database.query(one, [])).rejects.toMatchObject(unavailable)
    expect(database.available()).toBe(false)
  } finally {
    for (const pid of frozen) process.kill(pid, 'SIGCONT')
  }
  await expect.poll(() => database.available(), { timeout: 10_000 }).toBe(true)
  expect(await database.query(one, [])).toEqual([{ n: 1 }])
})

test('a Postgres that is killed in the middle of a statement fails that statement and comes back by itself', async () => {
  const postgres = await startPostgres()
  closings.push(() => postgres.stop())
  const database = await open(postgres.url)
  const cut = expect(database.query({ name: 'slow', text: 'SELECT pg_sleep(60)' }, [])).rejects.toMatchObject(
    unavailable,
  )
  const cutToo = expect(database.transaction((trx) => trx.raw('SELECT pg_sleep(60)'))).rejects.toMatchObject(
    unavailable,
  )
  const asleep = { name: 'asleep', text: `SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'` }
  await expect.poll(async () => (await database.query(asleep, [])).length).toBe(2)
  for (const pid of await processesIn(join(dataDir, 'postgres'))) process.kill(pid, 'SIGKILL')
  await Promise.all([cut, cutToo])
  const answer = () => database.query(one, []).catch(() => undefined)
  await expect.poll(answer, { timeout: 30_000 }).toEqual([{ n: 1 }])
})

test('a table that has changed under a prepared statement fails it once', async () => {
  await using db = await testDatabase()
  const all = { name: 'all', text: 'SELECT * FROM notes' }
  await db.database.knex.raw('CREATE TABLE notes (id bigint)')
  await db.database.query(all, [])
  await db.database.knex.raw('ALTER TABLE notes ADD COLUMN text text')
  await expect(db.database.query(all, [])).rejects.toMatchObject({ code: '0A000' })
  expect(await db.database.query(all, [])).toEqual([])
})

async function processesIn(directory: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const places = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')))
  return pids.filter((_, index) => places[index] === directory).map(Number)
}

test('one connection that is cut leaves the others alone', async () => {
  await using db = await testDatabase()
  const slow = db.database.query({ name: 'slow', text: 'SELECT 2 AS n FROM pg_sleep(0.5)' }, [])
  const cut = db.database.query({ name: 'cut', text: 'SELECT pg_terminate_backend(pg_backend_pid())' }, [])
  await expect(cut).rejects.toMatchObject(unavailable)
  expect(await slow).toEqual([{ n: 2 }])
  await expect.poll(() => db.database.available()).toBe(true)
})

test('a statement that is wrong is not an outage', async () => {
  await using db = await testDatabase()
  await expect(db.database.query({ name: 'wrong', text: 'SELECT nothing' }, [])).rejects.toMatchObject({
    code: '42703',
  })
  expect(db.database.available()).toBe(true)
})

test('a database that cannot be reached at the start is named with its key and a remedy', async () => {
  const fault = { name: 'ConfigurationFault', key: 'database.url', remedy: expect.any(String) }
  await expect(openDatabase({ url: 'postgres://127.0.0.1:1/x' }, quiet)).rejects.toMatchObject(fault)
  await expect(openDatabase({ url: 'postgres://nowhere.invalid/x' }, quiet)).rejects.toMatchObject(fault)
})

test('nodes that start together migrate one after the other, and a second time there is nothing to do', async () => {
  await using db = await testDatabase()
  await db.database.knex.raw('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
  const applied = await Promise.all([migrate(db), migrate(db), migrate(db)])
  expect(applied.filter((names) => names.length > 0)).toHaveLength(1)
  expect(await migrate(db)).toEqual([])
})

test('a lock that a node killed while migrating left behind holds up nobody', async () => {
  const { url, drop } = await createDatabase()
  closings.push(drop)
  const database = await open(url)
  await database.knex('migrations_lock').update({ is_locked: 1 })
  expect(await migrate({ url })).toEqual([])
})

test('a database that a newer version has migrated is left alone', async () => {
  const { url, drop } = await createDatabase()
  closings.push(drop)
  const database = await open(url)
  await database.knex('migrations').insert({ name: '29990101000000-later', batch: 99, migration_time: new Date() })
  await expect(migrate({ url })).rejects.toMatchObject({
    key: 'database.url',
    problem: expect.stringContaining('newer'),
  })
})
