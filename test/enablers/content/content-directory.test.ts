import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ContentDirectory } from '../../../src/enablers/content/index.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'parley-directory-'))
})
afterAll(() => rm(dir, { recursive: true }))

const sizes: number[] = []
const progress = async (_: unknown, size: number) => void sizes.push(size)
const newWriting = (owner: number) => ({ owner, id: randomBytes(32), writer: randomUUID(), reserved: 100, size: 0 })

test('what has no row any more goes from the disk, and the folder of a user who has nothing', async () => {
  const directory = new ContentDirectory({ dir, progress })
  const [kept, orphan, ofNobody] = [newWriting(1), newWriting(1), newWriting(2)]
  for (const writing of [kept, orphan, ofNobody]) {
    const writer = await directory.writer(writing)
    await writer.write(Buffer.alloc(10))
    await writer.stop()
  }
  await directory.tidy(async (owner) => (owner === 1 ? [kept] : []))
  expect(await readdir(dir)).toEqual(['1'])
  expect(await readdir(join(dir, '1'))).toHaveLength(1)
  await directory.remove(kept)
  expect(await readdir(join(dir, '1'))).toEqual([])
})

test('bytes that were not committed are cut off when somebody goes on, and the one before writes no more', async () => {
  const directory = new ContentDirectory({ dir, progress })
  const first = { ...newWriting(3), reserved: 3_000_000 }
  const before = await directory.writer(first)
  await before.write(Buffer.alloc(1_500_000, 'a')) // on disk, most of it, and not committed
  const after = await directory.writer({ ...first, writer: randomUUID(), size: 4 })
  await expect(before.write(Buffer.from('late'))).rejects.toMatchObject({ status: 409 })
  await before.stop().catch(() => {})
  await after.write(Buffer.from('bcd'))
  await after.stop()
  expect(sizes.at(-1)).toBe(7)
  const file = {
    ...first,
    role: 'file',
    name: undefined,
    contentType: 'x/y',
    complete: true,
    created: 0,
    until: 0,
  } as const
  const pieces = await directory.read({ ...file, size: 7 }, { start: 0, end: 100 }).toArray()
  expect(Buffer.concat(pieces).toString()).toBe('aaaabcd')
})
