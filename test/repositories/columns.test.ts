import { afterAll, beforeAll, expect, test } from 'vitest'
import { columns } from '../../src/database/index.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'

let db: TestDatabase

beforeAll(async () => {
  db = await testDatabase()
})

afterAll(async () => {
  await db.close()
})

async function readBack(type: string, column: Buffer): Promise<unknown[]> {
  const statement = {
    name: type,
    text: `SELECT value FROM unnest($1::${type}[]) WITH ORDINALITY t(value, n) ORDER BY n`,
  }
  return (await db.database.query<{ value: unknown }>(statement, [column])).map(({ value }) => value)
}

const uuid = '0190f5d2-7c3e-7a4b-9c1d-00ff12ab34cd'
const moment = Date.UTC(1969, 6, 20, 20, 17, 40, 123)

test.each<[type: string, write: (values: never[]) => Buffer, values: readonly unknown[]]>([
  [
    'bigint',
    columns.bigints,
    [0, 1, -1, 2 ** 32, -(2 ** 32) - 7, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, null],
  ],
  ['integer', columns.integers, [0, -1, 2 ** 31 - 1, -(2 ** 31), null]],
  ['boolean', columns.booleans, [true, false, null]],
  ['text', columns.texts, ['', 'plain', 'Grüße 😀 漢字', '"{},\\', null]],
  ['bytea', columns.bytes, [Buffer.alloc(0), Buffer.from([0, 255, 92]), Buffer.alloc(70_000, 7), null]],
  ['uuid', columns.uuids, [uuid, null]],
])('a column of %s is read as it was written', async (type, write, values) => {
  expect(await readBack(type, write(values as never[]))).toEqual(values)
  expect(await readBack(type, write([]))).toEqual([])
})

test('times are milliseconds, before and after 2000', async () => {
  const times = [moment, 0, Date.UTC(2026, 0, 1, 0, 0, 0, 1)]
  expect(await readBack('timestamptz', columns.times(times))).toEqual(times.map((time) => new Date(time)))
})

test('bigint comes as a number, in arrays too', async () => {
  const [row] = await db.database.query(
    { name: 'n', text: 'SELECT 5::bigint AS n, ARRAY[1, NULL]::bigint[] AS many' },
    [],
  )
  expect(row).toEqual({ n: 5, many: [1, null] })
})
