import { afterAll, beforeAll, expect, test } from 'vitest'
import { columns, GroupCommit } from '../../src/database/index.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'

interface Note {
  readonly id: number
  readonly text: string
}

let db: TestDatabase

beforeAll(async () => {
  db = await testDatabase()
  await db.database.knex.raw('CREATE TABLE notes (id bigint PRIMARY KEY, text text NOT NULL CHECK (text <> $$$$))')
})

afterAll(async () => {
  await db.close()
})

/** `text` may slow the statement down; `sizes` gets the size of each. */
function notes(options: { text?: string; maxWaiting?: number; maxBatch?: number } = {}, sizes: number[] = []) {
  return new GroupCommit<Note>({
    database: db.database,
    name: `notes ${options.text?.length ?? 0}`,
    text: 'INSERT INTO notes SELECT * FROM unnest($1::bigint[], $2::text[])',
    toValues: (rows) => [columns.bigints(rows.map(({ id }) => id)), columns.texts(rows.map(({ text }) => text))],
    onBatch: (size) => sizes.push(size),
    ...options,
  })
}

const stored = async (from: number, to: number) => {
  const statement = { name: 'stored', text: 'SELECT id FROM notes WHERE id BETWEEN $1 AND $2 ORDER BY id' }
  return (await db.database.query<Note>(statement, [from, to])).map(({ id }) => id)
}

const note = (id: number, text = 'x'): Note => ({ id, text })
const range = (from: number, length: number) => Array.from({ length }, (_, index) => from + index)

test('rows that come together share a statement, and each is committed when its promise resolves', async () => {
  const sizes: number[] = []
  const group = notes({}, sizes)
  await Promise.all(range(1000, 100).map((id) => group.add(note(id))))
  expect(await stored(1000, 1999)).toEqual(range(1000, 100))
  expect(sizes).toEqual([100])
})

test('what comes while a statement is under way goes with the next, and none is larger than allowed', async () => {
  const sizes: number[] = []
  const slow = 'INSERT INTO notes SELECT i, t FROM unnest($1::bigint[], $2::text[]) u(i, t), pg_sleep(0.05)'
  const group = notes({ text: slow, maxBatch: 30 }, sizes)
  const first = group.add(note(2000))
  await new Promise(setImmediate)
  await Promise.all([first, ...range(2001, 50).map((id) => group.add(note(id)))])
  expect(await stored(2000, 2999)).toEqual(range(2000, 51))
  expect(sizes).toEqual([1, 30, 20])
})

test('a bad row fails alone', async () => {
  const group = notes()
  const results = await Promise.allSettled([
    group.add(note(3000)),
    group.add(note(3001, '')),
    group.add(note(3000)),
    group.add(note(3002)),
  ])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
  expect(results[1]).toMatchObject({ reason: { code: '23514' } })
  expect(await stored(3000, 3999)).toEqual([3000, 3002])
})

test('a row that finds too many waiting is refused at once, and the others are committed', async () => {
  const group = notes({ maxWaiting: 2 })
  const accepted = [group.add(note(4000)), group.add(note(4001))]
  await expect(group.add(note(4002))).rejects.toMatchObject({ condition: 'overloaded', retryAfter: expect.any(Number) })
  await Promise.all(accepted)
  await group.add(note(4003))
  expect(await stored(4000, 4999)).toEqual([4000, 4001, 4003])
})

test('rows whose connection is cut are not said to be committed', async () => {
  const slow = `/* cut */ INSERT INTO notes SELECT i, t FROM unnest($1::bigint[], $2::text[]) u(i, t), pg_sleep(20)`
  const lost = notes({ text: slow }).add(note(5000))
  const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '/* cut */%' AND state = 'active'`
  const failure = expect(lost).rejects.toMatchObject({ condition: 'database-unavailable' })
  await expect.poll(async () => (await db.database.knex.raw(cut)).rowCount).toBe(1)
  await failure
  await expect.poll(() => db.database.available()).toBe(true)
  expect(await stored(5000, 5999)).toEqual([])
})

test('closing waits for the rows that were added and takes no more', async () => {
  const group = notes()
  const added = group.add(note(6000))
  await group.close()
  await expect(added).resolves.toBeUndefined()
  await expect(group.add(note(6001))).rejects.toMatchObject({ condition: 'overloaded' })
})

test('each caller gets the result of its own row', async () => {
  const group = new GroupCommit<Note, number, { id: number; length: number }>({
    database: db.database,
    name: 'notes returning',
    text: 'INSERT INTO notes SELECT * FROM unnest($1::bigint[], $2::text[]) RETURNING id, length(text) AS length',
    toValues: (rows) => [columns.bigints(rows.map(({ id }) => id)), columns.texts(rows.map(({ text }) => text))],
    toResults: (rows, returned) => {
      const lengths = new Map(returned.map(({ id, length }) => [id, length]))
      return rows.map(({ id }) => lengths.get(id) ?? 0)
    },
  })
  expect(await Promise.all([group.add(note(7000, 'ab')), group.add(note(7001, 'ü'))])).toEqual([2, 1])
})
