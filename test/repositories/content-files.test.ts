import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ContentChunks, ContentFiles } from '../../src/enablers/content/index.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { quiet } from '../support/quiet-log.ts'

const day = 86_400_000
let tables: TestDatabase
let files: ContentFiles
let now = Date.UTC(2030, 0, 1)
beforeAll(async () => {
  tables = await testDatabase()
  const { database } = tables
  files = new ContentFiles({ database, now: () => now, maxUserBytes: 1_000, keepFor: 30 * day, log: quiet })
})
afterAll(async () => {
  await files.close()
  await tables.close()
})

const about = { owner: 7, role: 'file', name: undefined, contentType: 'image/jpeg', exact: true } as const

/** Puts ten bytes up, or fewer than were meant. */
async function put(tid: string, whole: boolean) {
  const writing = await files.begin({ ...about, tid, most: 10 })
  const writer = await new ContentChunks(tables.database).writer(writing)
  await writer.write(Buffer.alloc(whole ? 10 : 4))
  await writer.stop()
  return whole ? await files.finish(writing) : writing
}

const count = async (table: string) => Number((await tables.database.knex(table).count())[0]?.count)

test('a file is known until its days are over, and what came of one until a day is; then all of it is gone', async () => {
  const gone: unknown[] = []
  const stop = files.onGone((one) => gone.push(one))
  const [file, part] = [await put('whole', true), await put('part', false)]
  now += day + 1
  expect(await files.ofUpload(7, 'part')).toEqual([])
  await files.sweep()
  expect(await files.find(file)).toMatchObject({ size: 10 })
  expect([await count('content_files'), await count('content_chunks')]).toEqual([1, 1])
  now += 29 * day
  expect(await files.find(file)).toBeUndefined() // whether it was swept or not
  await files.sweep()
  expect([await count('content_files'), await count('content_chunks')]).toEqual([0, 0])
  await expect
    .poll(() => gone)
    .toEqual([
      { owner: 7, id: part.id },
      { owner: 7, id: file.id },
    ])
  expect(await files.find(part)).toBeUndefined()
  stop()
})

test('what several uploads of one user may take at once is no more than what they may take one after another', async () => {
  const begin = () => files.begin({ ...about, tid: randomUUID(), most: 300 })
  const all = await Promise.allSettled(Array.from({ length: 10 }, begin))
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
  await expect(files.begin({ ...about, owner: 8, tid: 'x', most: 300 })).resolves.toMatchObject({ reserved: 300 })
})

test('whoever begins an upload anew, or goes on with it, is the only one who may write', async () => {
  const first = await files.begin({ ...about, owner: 9, tid: 'same', most: 10 })
  const second = await files.resume(9, 'same', 10, 0)
  await expect(files.progress(first, 5)).rejects.toMatchObject({ status: 409 })
  await expect(files.finish(first)).rejects.toMatchObject({ status: 409 })
  await files.discard(first)
  if (second === undefined) throw new Error('it was discarded by the wrong one')
  await files.progress(second, 5)
  expect(await files.finish(second)).toMatchObject({ size: 5, complete: true })
})
