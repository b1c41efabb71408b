import { randomUUID } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import type { Failure } from '../../src/failure.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { anObject, mailboxesOn } from '../support/mailbox.ts'

const db: TestDatabase = await testDatabase()
const boxes = mailboxesOn(db)
afterAll(async () => {
  await boxes.close()
  await db.close()
})

test('objects created at one time have sequences of their own, without a gap, and are counted each', async () => {
  const owner = 1
  const before = (await boxes.create(owner, anObject())).modseq
  const made = await Promise.all(Array.from({ length: 250 }, () => boxes.create(owner, anObject())))
  const sequences = made.map(({ modseq }) => modseq).sort((one, other) => one - other)
  expect(sequences).toEqual(made.map((_, index) => before + 1 + index))
  expect(await boxes.state(owner)).toMatchObject({ objects: 251, bytes: 251 * 14 })
  for (const one of made.slice(0, 10)) expect(await boxes.find(owner, one.id)).toEqual(one)
})

test('of objects created at one time one that cannot be does not keep the others from it', async () => {
  const [owner, other] = [2, 3]
  const id = randomUUID()
  const results = await Promise.allSettled([
    boxes.create(owner, anObject()),
    boxes.create(owner, anObject({ folder: randomUUID() })),
    boxes.create(other, anObject({ folderPath: ['Default', 'work', 'plans'] })),
    boxes.create(owner, anObject({ folderPath: ['a/b'] })),
    boxes.create(owner, anObject({ flags: ['\\seen', 'Important'] })),
  ])
  const outcomes = results.map((one) => (one.status === 'rejected' ? (one.reason as Failure).condition : 'made'))
  expect(outcomes).toEqual(['made', 'folder-unknown', 'made', 'malformed', 'made'])
  expect((await boxes.state(owner)).objects).toBe(2)
  expect(await boxes.byPath(other, 'Default/work/plans')).toMatchObject({ kind: 'folder' })
  const twice = await Promise.all([boxes.create(owner, anObject({ id })), boxes.create(owner, anObject({ id }))])
  expect(twice[0]).toEqual(twice[1])
  expect((await boxes.state(owner)).objects).toBe(3)
})

test('objects created at one time do not overfill a mailbox together', async () => {
  const [few, small] = [mailboxesOn(db, { maxObjects: 5 }), mailboxesOn(db, { maxBytes: 14 * 3 })]
  const full = async (owner: number, limited: typeof few) => {
    const made = await Promise.allSettled(Array.from({ length: 10 }, () => limited.create(owner, anObject())))
    const failed = made.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Failure).condition] : []))
    expect(new Set(failed)).toEqual(new Set(['mailbox-full']))
    return (await limited.state(owner)).objects
  }
  expect(await full(4, few)).toBe(5)
  expect(await full(5, small)).toBe(3)
  await Promise.all([few.close(), small.close()])
})

test('an object is found by its words and ids as soon as it is created', async () => {
  const owner = 6
  const [made] = await Promise.all([
    boxes.create(owner, anObject({ text: 'The quetzal sings', conversationId: 'conv-1' })),
    boxes.create(owner, anObject({ text: 'nothing of it' })),
  ])
  const found = async (criteria: Parameters<typeof boxes.search>[1]['criteria']) =>
    (await boxes.search(owner, { limit: 10, ...(criteria && { criteria }) })).objects.map(({ id }) => id)
  expect(await found({ type: 'text', value: 'QUETZ' })).toEqual([made?.id])
  expect(await found({ type: 'whole-word', value: 'sings' })).toEqual([made?.id])
  expect(await found({ type: 'attribute', name: 'Conversation-ID', value: 'conv-1', match: 'equals' })).toEqual([
    made?.id,
  ])
})
