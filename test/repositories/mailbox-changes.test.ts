import { randomUUID } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import type { ChangesOptions } from '../../src/enablers/message-store/index.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { anObject, mailboxesOn, nobody, who } from '../support/mailbox.ts'

const db: TestDatabase = await testDatabase()
const boxes = mailboxesOn(db)
afterAll(async () => {
  boxes.close()
  await db.close()
})
let lastOwner = 0
const newOwner = () => ++lastOwner
const since = (owner: number, modseq: number, options?: ChangesOptions) => boxes.changes(owner, modseq, 100, options)
const never = new AbortController().signal

test('who asks since a sequence gets what has changed, with its state now, and what has gone', async () => {
  const owner = newOwner()
  const [a, b, c] = await boxes.createMany(owner, [anObject({ correlationId: 'imdn-a' }), anObject(), anObject()])
  if (a instanceof Error || b instanceof Error || c instanceof Error) throw new Error('not created')
  const { modseq: start } = await boxes.state(owner)
  await boxes.change(owner, [b?.id ?? ''], { add: ['\\Seen'] })
  await boxes.remove(owner, [a?.id ?? ''])
  const folder = await boxes.folderAt(owner, ['Work'])
  await boxes.move(owner, { objects: [c?.id ?? ''] }, folder.id)
  const changes = await since(owner, start)
  expect(changes.objects).toMatchObject([
    { id: b?.id, flags: ['\\Seen'] },
    { id: c?.id, folder: folder.id },
  ])
  expect(changes.folders).toEqual([folder])
  expect(changes.removedObjects).toMatchObject([
    { id: a?.id, correlationId: 'imdn-a', expired: false, parent: a?.folder },
  ])
  expect(changes).toMatchObject({ more: false, upTo: start + 4 })
  expect(await since(owner, changes.upTo)).toMatchObject({ objects: [], folders: [], removedObjects: [], more: false })
})

test('changes come in pages that never speak of what was before', async () => {
  const owner = newOwner()
  await boxes.createMany(
    owner,
    Array.from({ length: 10 }, () => anObject()),
  )
  const seen: number[] = []
  let [at, begun] = [0, 0]
  for (let more = true; more; ) {
    const page = await boxes.changes(owner, at, 3, at === 0 ? {} : { begun })
    const modseqs = [...page.objects, ...page.folders].map(({ modseq }) => modseq)
    expect(modseqs.length).toBeLessThanOrEqual(3)
    expect(Math.min(...modseqs)).toBeGreaterThan(at)
    seen.push(...modseqs)
    ;[at, begun, more] = [page.upTo, page.begun, page.more]
  }
  expect(seen).toHaveLength(13) // with the root, Default and the folder of the conversation
  expect(new Set(seen).size).toBe(13)
})

test('after a reset all that clients know is void, and they begin again', async () => {
  const owner = newOwner()
  const { id } = await boxes.create(owner, anObject())
  const before = await boxes.state(owner)
  const after = await boxes.reset(owner)
  expect(after.epoch).not.toBe(before.epoch)
  const gone = { condition: 'cursor-gone' }
  await expect(since(owner, before.modseq)).rejects.toMatchObject(gone)
  await expect(since(owner, after.modseq, { epoch: before.epoch })).rejects.toMatchObject(gone)
  await expect(since(owner, after.modseq + 1)).rejects.toMatchObject(gone)
  await expect(boxes.vanished(owner, before.modseq, 10)).rejects.toMatchObject(gone)
  expect((await since(owner, 0)).objects).toMatchObject([{ id }])
  expect((await since(owner, after.modseq)).objects).toEqual([])
})

test('a listing that began before tombstones were forgotten goes on only where it has missed none', async () => {
  const owner = newOwner()
  const [a] = await boxes.createMany(
    owner,
    Array.from({ length: 6 }, () => anObject()),
  )
  await boxes.remove(owner, [(a as { id: string }).id])
  const forgetting = mailboxesOn(db, { tombstoneDays: 1, now: () => Date.now() + 3 * 86_400_000 })
  const early = await boxes.changes(owner, 0, 2)
  await forgetting.sweep(nobody(), never)
  const late = await boxes.changes(owner, 0, 2)
  expect((await boxes.changes(owner, late.upTo, 2, { begun: late.begun })).objects.length).toBeGreaterThan(0)
  expect((await boxes.changes(owner, early.upTo, 2, { begun: early.begun })).objects.length).toBeGreaterThan(0)
  await expect(boxes.changes(owner, late.upTo, 2)).rejects.toMatchObject({ condition: 'cursor-gone' })
  const begun = early.begun - 1
  await expect(boxes.changes(owner, early.upTo, 2, { begun })).rejects.toMatchObject({ condition: 'cursor-gone' })
  forgetting.close()
})

test('what went is listed by itself, in pages; what came back under its id has not gone', async () => {
  const owner = newOwner()
  const id = randomUUID()
  const made = await boxes.createMany(owner, [anObject({ id }), anObject(), anObject()])
  const ids = made.map((one) => (one as { id: string }).id)
  const { modseq } = await boxes.state(owner)
  await boxes.remove(owner, ids)
  await boxes.create(owner, anObject({ id }))
  const first = await boxes.vanished(owner, modseq, 1)
  expect(first).toMatchObject({ more: true, objects: [{ expired: false }] })
  const second = await boxes.vanished(owner, first.upTo, 10)
  expect(second).toMatchObject({ more: false })
  expect([...first.objects, ...second.objects].map((one) => one.id).sort()).toEqual(ids.slice(1).sort())
  expect((await since(owner, modseq)).removedObjects.map((one) => one.id).sort()).toEqual(ids.slice(1).sort())
})

test('listeners hear of each mailbox that changes, here and at other nodes, and once of what comes together', async () => {
  const [owner, other, last] = [newOwner(), newOwner(), newOwner()]
  await using far = await secondNode()
  const [here, there]: [number[], number[]] = [[], []]
  const stop = boxes.onChanged((changed) => here.push(changed))
  far.boxes.onChanged((changed) => there.push(changed))
  await eventually(() => expect(far.database.notifications.listening('mailboxes')).toBe(true))
  const { id } = await boxes.create(owner, anObject())
  await Promise.all([boxes.change(owner, [id], { add: ['\\Seen'] }), boxes.create(other, anObject())])
  boxes.changed(owner)
  // What another test has changed a moment ago may be told of as well.
  const both = expect.arrayContaining([owner, other])
  await eventually(() => expect(there).toEqual(both))
  expect(here).toEqual(both)
  expect(here.filter((one) => one === owner).length).toBeLessThanOrEqual(3)
  stop()
  await far.boxes.create(last, anObject())
  await eventually(() => expect(there).toContain(last))
  expect(here).not.toContain(last)
})

async function secondNode() {
  const { openDatabase } = await import('../../src/database/index.ts')
  const { quiet } = await import('../support/quiet-log.ts')
  const database = await openDatabase({ url: db.url }, quiet)
  const far = mailboxesOn({ ...db, database })
  const dispose = async () => {
    far.close()
    await database.close()
  }
  return { boxes: far, database, [Symbol.asyncDispose]: dispose }
}

test('the sweep removes what has expired, what is too old for operator or owner, and what nobody may ask for', async () => {
  const [owner, brief] = [newOwner(), newOwner()]
  const day = 86_400_000
  const now = Date.now()
  const aged = (days: number, change = {}) => anObject({ date: now - days * day, ...change })
  const [fresh, , expired] = await boxes.createMany(owner, [aged(1), aged(40), aged(1, { expiresAt: now - 1 })])
  const [kept] = await boxes.createMany(brief, [aged(1), aged(10)])
  const { modseq } = await boxes.state(owner)
  const sweeping = mailboxesOn(db, { keepDays: 30 })
  const changed: number[] = []
  sweeping.onChanged((who) => changed.push(who))
  await sweeping.sweep(who(brief, 7), never)
  const all = async (who: number) => (await boxes.search(who, { limit: 10 })).objects.map(({ id }) => id)
  expect(await all(owner)).toEqual([(fresh as { id: string }).id])
  expect(await all(brief)).toEqual([(kept as { id: string }).id])
  const { removedObjects } = await since(owner, modseq)
  expect(removedObjects.every((one) => one.expired)).toBe(true)
  expect(removedObjects.map(({ id }) => id)).toContain((expired as { id: string }).id)
  await eventually(() => expect(changed).toEqual(expect.arrayContaining([owner, brief])))
  sweeping.close()
})

test('what an upload has left that was cut off goes with the sweep, and not before', async () => {
  const owner = newOwner()
  const contents = randomUUID()
  await db.database.knex('staged_chunks').insert({ owner, content: contents })
  await db.database.knex('chunks').insert({ owner, content: contents, number: 0, bytes: Buffer.alloc(10) })
  const count = async () => (await db.database.knex('chunks').where({ owner })).length
  await boxes.sweep(nobody(), never)
  expect(await count()).toBe(1)
  const later = mailboxesOn(db, { now: () => Date.now() + 7_200_000 })
  await later.sweep(nobody(), never)
  expect(await count()).toBe(0)
  later.close()
})
