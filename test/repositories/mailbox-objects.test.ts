import { randomBytes, randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { afterAll, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { anObject, mailboxesOn } from '../support/mailbox.ts'

const db: TestDatabase = await testDatabase()
const boxes = mailboxesOn(db)
afterAll(async () => {
  boxes.close()
  await db.close()
})
let lastOwner = 0
const newOwner = () => ++lastOwner

test('an object is found as it was created, in a folder that came with it', async () => {
  const owner = newOwner()
  const expiresAt = Date.parse('2030-01-01T00:00:00Z')
  const given = anObject({
    flags: ['\\seen', 'Important', '\\SEEN'],
    correlationId: 'msg-1',
    correlationTag: 'tag',
    conversationId: 'conv',
    contributionId: 'contrib',
    expiresAt,
  })
  const made = await boxes.create(owner, given)
  expect(await boxes.find(owner, made.id)).toEqual(made)
  const { id, folder, modseq } = made
  expect(made).toEqual({
    ...{ owner, id, folder, kind: 'message', modseq, created: modseq, date: given.date, direction: 'in', expiresAt },
    ...{ peer: given.peer, flags: ['\\Seen', 'Important'], correlationId: 'msg-1', correlationTag: 'tag' },
    ...{ conversationId: 'conv', contributionId: 'contrib', attributes: given.attributes },
    ...{ contentType: 'text/plain', size: 14, parts: [], disposition: 0 },
  })
  expect((await boxes.folder(owner, folder))?.path).toBe('Default/tel:+15550100')
  expect(await boxes.textsOf(owner, [id])).toEqual(new Map([[id, 'are you there?']]))
})

test('nobody finds an object of somebody else, by its id or its path', async () => {
  const [owner, other] = [newOwner(), newOwner()]
  const { id } = await boxes.create(owner, anObject())
  expect(await boxes.find(other, id)).toBeUndefined()
  expect(await boxes.content(other, id)).toBeUndefined()
  expect(await boxes.byPath(other, `Default/tel:+15550100/${id}`)).toBeUndefined()
  expect(await boxes.remove(other, [id])).toBe(0)
  expect(await boxes.change(other, [id], { add: ['\\Seen'] })).toEqual([])
  await expect(boxes.update(other, id, { attributes: {} })).rejects.toMatchObject({ condition: 'object-unknown' })
  expect((await boxes.find(owner, id))?.flags).toEqual([])
})

test('an object and a folder are found by their paths, and not by one that leads elsewhere', async () => {
  const owner = newOwner()
  const { id, folder } = await boxes.create(owner, anObject())
  expect(await boxes.byPath(owner, `/Default/tel:+15550100/${id}`)).toEqual({ kind: 'object', id })
  expect(await boxes.byPath(owner, 'Default/tel:+15550100')).toEqual({ kind: 'folder', id: folder })
  expect(await boxes.byPath(owner, `Default/${id}`)).toBeUndefined()
  expect(await boxes.byPath(owner, `Default/tel:+15550100/${randomUUID()}`)).toBeUndefined()
  expect((await boxes.byPath(owner, '/'))?.kind).toBe('folder')
})

test('the same id again is the object that there is, whatever is said of it', async () => {
  const owner = newOwner()
  const id = randomUUID()
  const first = await boxes.create(owner, anObject({ id }))
  expect(await boxes.create(owner, anObject({ id, text: 'another' }))).toEqual(first)
  expect((await boxes.state(owner)).objects).toBe(1)
})

test('what is large comes back byte by byte, whole and in ranges, and leaves nothing when its object goes', async () => {
  const owner = newOwner()
  const bytes = randomBytes(1_000_000)
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += 70_001) yield bytes.subarray(at, at + 70_001)
  }
  const payload = { contentType: 'image/png', content: pieces() }
  const { id, size } = await boxes.create(
    owner,
    anObject({ payload, parts: [{ contentType: 'audio/amr', content: bytes }] }),
  )
  expect(size).toBe(2_000_000)
  const content = await boxes.content(owner, id)
  expect(content?.size).toBe(1_000_000)
  expect((await content?.buffer(1_000_000))?.equals(bytes)).toBe(true)
  const range = await content?.read({ first: 262_143, last: 600_000 }).toArray()
  expect(Buffer.concat(range ?? []).equals(bytes.subarray(262_143, 600_001))).toBe(true)
  await expect(content?.buffer(999_999)).rejects.toMatchObject({ condition: 'size-exceeded' })
  expect((await (await boxes.part(owner, id, 1))?.buffer(1_000_000))?.equals(bytes)).toBe(true)
  expect(await boxes.remove(owner, [id])).toBe(1)
  expect(await db.database.knex('chunks').where({ owner })).toEqual([])
  expect(await db.database.knex('message_parts').where({ owner })).toEqual([])
  expect(await boxes.state(owner)).toMatchObject({ objects: 0, bytes: 0 })
})

test('parts have their headers and their bytes', async () => {
  const owner = newOwner()
  const parts = [
    { contentType: 'text/plain', contentId: '<a>', content: Buffer.from('one') },
    {
      contentType: 'image/png',
      contentLocation: 'x.png',
      disposition: 'attachment',
      fileName: 'x.png',
      content: Buffer.from('two!'),
    },
  ]
  const { id, parts: said, size } = await boxes.create(owner, anObject({ parts }))
  expect(said).toEqual([
    { number: 1, contentType: 'text/plain', contentId: '<a>', size: 3 },
    {
      number: 2,
      contentType: 'image/png',
      contentLocation: 'x.png',
      disposition: 'attachment',
      fileName: 'x.png',
      size: 4,
    },
  ])
  expect(size).toBe(14 + 7)
  const second = await boxes.part(owner, id, 2)
  expect(second?.contentType).toBe('image/png')
  expect(second && (await text(second.read()))).toBe('two!')
  expect((await boxes.content(owner, id))?.size).toBe(14)
  expect(await boxes.part(owner, id, 3)).toBeUndefined()
})

test('a stream that breaks off leaves nothing, and takes no room', async () => {
  const owner = newOwner()
  async function* breaking() {
    yield randomBytes(600_000)
    throw new Error('the client is gone')
  }
  const payload = { contentType: 'image/png', content: breaking() }
  await expect(boxes.create(owner, anObject({ payload }))).rejects.toThrow('the client is gone')
  for (const table of ['chunks', 'staged_chunks', 'messages']) {
    expect(await db.database.knex(table).where({ owner })).toEqual([])
  }
})

test('of many objects each comes about by itself', async () => {
  const owner = newOwner()
  const bad = anObject({ folder: randomUUID() })
  const made = await boxes.createMany(owner, [anObject(), bad, anObject({ id: 'no uuid' }), anObject()])
  expect(made.map((one) => (one instanceof Failure ? one.condition : 'made'))).toEqual([
    'made',
    'folder-unknown',
    'malformed',
    'made',
  ])
  expect((await boxes.state(owner)).objects).toBe(2)
})

test('flags are set, added and removed without regard to case; what does not change keeps its sequence', async () => {
  const owner = newOwner()
  const [a, b] = [await boxes.create(owner, anObject()), await boxes.create(owner, anObject({ flags: ['\\Seen'] }))]
  const changed = await boxes.change(owner, [a.id, b.id], { add: ['\\SEEN'] })
  expect(changed.map(({ flags }) => flags)).toEqual([['\\Seen'], ['\\Seen']])
  expect(changed.find(({ id }) => id === b.id)?.modseq).toBe(b.modseq)
  expect(changed.find(({ id }) => id === a.id)?.modseq).toBe(b.modseq + 1)
  const [set] = await boxes.change(owner, [a.id], { set: ['zebra', 'Apple'] })
  expect(set?.flags).toEqual(['Apple', 'zebra'])
  const [removed] = await boxes.change(owner, [a.id], { remove: ['ZEBRA', 'unknown'] })
  expect(removed?.flags).toEqual(['Apple'])
  const [same] = await boxes.change(owner, [a.id], { set: ['aPPLE'] })
  expect(same?.modseq).toBe(removed?.modseq)
  await expect(boxes.change(owner, [a.id], { add: ['two words'] })).rejects.toMatchObject({ condition: 'malformed' })
})

test('an edit replaces payload and attributes, and the object is found by its new words', async () => {
  const owner = newOwner()
  const { id, modseq } = await boxes.create(owner, anObject({ text: 'zucchini' }))
  const payload = { contentType: 'text/plain', content: Buffer.from('aubergine') }
  const edited = await boxes.update(owner, id, {
    payload,
    text: 'aubergine',
    attributes: { Subject: ['dinner'], Edited: ['yes'], To: [] },
    disposition: 3,
  })
  expect(edited).toMatchObject({ size: 9, disposition: 3, modseq: modseq + 1 })
  expect(edited.attributes).toEqual({ From: ['tel:+15550100'], Subject: ['dinner'], Edited: ['yes'] })
  expect((await boxes.update(owner, id, { disposition: 1 })).disposition).toBe(3)
  expect((await (await boxes.content(owner, id))?.buffer(100))?.toString()).toBe('aubergine')
  const found = async (value: string) =>
    (await boxes.search(owner, { criteria: { type: 'text', value }, limit: 10 })).objects.length
  expect([await found('zucchini'), await found('aubergine'), await found('dinner')]).toEqual([0, 1, 1])
  expect(await boxes.state(owner)).toMatchObject({ objects: 1, bytes: 9 })
})

test('a full mailbox takes nothing more until something goes', async () => {
  const owner = newOwner()
  const small = mailboxesOn(db, { maxBytes: 40, maxObjects: 3 })
  const first = await small.create(owner, anObject())
  await small.create(owner, anObject())
  await expect(small.create(owner, anObject())).rejects.toMatchObject({ condition: 'mailbox-full' })
  await small.create(owner, anObject({ text: 'x' }))
  await expect(small.create(owner, anObject({ text: 'y' }))).rejects.toMatchObject({ condition: 'mailbox-full' })
  const { folder } = first
  await expect(small.copy(owner, { objects: [first.id] }, folder)).rejects.toMatchObject({ condition: 'mailbox-full' })
  const larger = { payload: { contentType: 'text/plain', content: Buffer.alloc(30) } }
  await expect(small.update(owner, first.id, larger)).rejects.toMatchObject({ condition: 'mailbox-full' })
  await small.remove(owner, [first.id])
  await small.create(owner, anObject({ text: 'y' }))
  async function* endless() {
    for (;;) yield Buffer.alloc(1000)
  }
  const payload = { contentType: 'image/png', content: endless() }
  await expect(small.create(owner, anObject({ payload }))).rejects.toMatchObject({ condition: 'mailbox-full' })
  small.close()
})

test('texts that no database takes are stored without what it does not take', async () => {
  const owner = newOwner()
  const { id } = await boxes.create(
    owner,
    anObject({
      text: 'nul\0l \ud800 half',
      peer: 'a/b\0',
      attributes: { Subject: ['\0x\udfff'] },
      flags: ['fl\u00e4g'],
    }),
  )
  const found = await boxes.find(owner, id)
  expect(found?.attributes).toEqual({ Subject: ['x\ufffd'] })
  expect((await boxes.folder(owner, found?.folder ?? ''))?.path).toBe('Default/a%2Fb')
})

test('what is asked of things without a UUID, or not there, is simply not there', async () => {
  const owner = newOwner()
  expect(await boxes.find(owner, 'operations')).toBeUndefined()
  expect(await boxes.findMany(owner, [])).toEqual([])
  expect(await boxes.remove(owner, ['x', randomUUID()])).toBe(0)
  expect(await boxes.folder(owner, "' or true --")).toBeUndefined()
  expect(await boxes.part(owner, randomUUID(), Number.NaN)).toBeUndefined()
})

test('an erased mailbox has left nothing, and begins anew', async () => {
  const owner = newOwner()
  const { id } = await boxes.create(
    owner,
    anObject({ payload: { contentType: 'x/y', content: Buffer.alloc(100_000) } }),
  )
  await boxes.create(owner, anObject())
  await boxes.remove(owner, [id])
  const { epoch } = await boxes.state(owner)
  await boxes.erase(owner)
  for (const table of ['messages', 'message_parts', 'chunks', 'staged_chunks', 'tombstones', 'folders', 'mailboxes']) {
    expect(await db.database.knex(table).where({ owner })).toEqual([])
  }
  expect((await boxes.state(owner)).epoch).not.toBe(epoch)
})
