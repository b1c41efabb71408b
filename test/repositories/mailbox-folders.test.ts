import { randomUUID } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { rootId } from '../../src/enablers/message-store/index.ts'
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
const pathOf = async (owner: number, id: string) => (await boxes.folder(owner, id))?.path
const pathsOf = async (owner: number) => (await boxes.folders(owner, { limit: 100 })).folders.map(({ path }) => path)

test('a mailbox begins with its root and Default, which nobody renames, moves or removes', async () => {
  const owner = newOwner()
  const root = await boxes.root(owner)
  expect(root).toMatchObject({ owner, id: rootId, name: '', path: '' })
  const { folders } = await boxes.folders(owner, { parent: rootId, limit: 10 })
  expect(folders).toMatchObject([{ name: 'Default', path: 'Default', parent: rootId }])
  const other = await boxes.createFolder(owner, rootId, 'Other')
  for (const id of [rootId, folders[0]?.id ?? '']) {
    const refused = { condition: 'not-permitted' }
    await expect(boxes.renameFolder(owner, id, 'x')).rejects.toMatchObject(refused)
    await expect(boxes.removeFolder(owner, id)).rejects.toMatchObject(refused)
    await expect(boxes.move(owner, { folders: [id] }, other.id)).rejects.toMatchObject(refused)
  }
})

test('a folder is made once, under a name that can stand in a path', async () => {
  const owner = newOwner()
  const made = await boxes.createFolder(owner, rootId, 'Work')
  expect(made).toMatchObject({ name: 'Work', path: 'Work', parent: rootId, created: made.modseq })
  await expect(boxes.createFolder(owner, rootId, 'Work')).rejects.toMatchObject({ condition: 'conflict' })
  await expect(boxes.createFolder(owner, randomUUID(), 'x')).rejects.toMatchObject({ condition: 'folder-unknown' })
  for (const name of ['', 'a/b', 'x\0', '..', 'n'.repeat(256)]) {
    await expect(boxes.createFolder(owner, made.id, name)).rejects.toMatchObject({ condition: 'malformed' })
  }
  const deep = Array.from({ length: 33 }, (_, n) => `f${n}`)
  await expect(boxes.folderAt(owner, deep)).rejects.toMatchObject({ condition: 'malformed' })
})

test('of two who make one folder at once, both get the same', async () => {
  const owner = newOwner()
  const made = await Promise.all(Array.from({ length: 8 }, () => boxes.folderAt(owner, ['Default', 'conv', 'contrib'])))
  expect(new Set(made.map(({ id }) => id)).size).toBe(1)
  expect(await pathsOf(owner)).toEqual(['Default', 'Default/conv', 'Default/conv/contrib'])
})

test('a renamed folder takes with it what is in it, and no other whose name begins alike', async () => {
  const owner = newOwner()
  const inner = await boxes.folderAt(owner, ['Wörk', 'a', 'b'])
  await boxes.folderAt(owner, ['Wörk2'])
  const work = await boxes.byPath(owner, 'Wörk')
  const renamed = await boxes.renameFolder(owner, work?.id ?? '', 'Leisure')
  expect(renamed).toMatchObject({ name: 'Leisure', path: 'Leisure' })
  expect(await pathOf(owner, inner.id)).toBe('Leisure/a/b')
  expect(await pathsOf(owner)).toEqual(['Default', 'Leisure', 'Leisure/a', 'Leisure/a/b', 'Wörk2'])
  await expect(boxes.renameFolder(owner, renamed.id, 'Wörk2')).rejects.toMatchObject({ condition: 'conflict' })
  await expect(boxes.renameFolder(owner, randomUUID(), 'x')).rejects.toMatchObject({ condition: 'folder-unknown' })
})

test('a removed folder takes with it all that is below it', async () => {
  const owner = newOwner()
  const inner = await boxes.create(owner, anObject({ folderPath: ['Work', 'a'] }))
  const outer = await boxes.create(owner, anObject({ folderPath: ['Work'] }))
  const other = await boxes.create(owner, anObject({ folderPath: ['Work2'] }))
  await boxes.removeFolder(owner, outer.folder)
  expect(await boxes.findMany(owner, [inner.id, outer.id, other.id])).toMatchObject([{ id: other.id }])
  expect(await pathsOf(owner)).toEqual(['Default', 'Work2'])
  expect(await boxes.state(owner)).toMatchObject({ objects: 1, bytes: 14 })
})

test('folders of a parent come in pages, and a cursor fits no other question and no other owner', async () => {
  const owner = newOwner()
  for (const name of ['a', 'b', 'c', 'd', 'e']) await boxes.createFolder(owner, rootId, name)
  const first = await boxes.folders(owner, { parent: rootId, limit: 4 })
  expect(first.folders.map(({ name }) => name)).toEqual(['Default', 'a', 'b', 'c'])
  const cursor = first.cursor ?? ''
  const second = await boxes.folders(owner, { parent: rootId, cursor, limit: 4 })
  expect(second).toMatchObject({ folders: [{ name: 'd' }, { name: 'e' }] })
  expect(second.cursor).toBeUndefined()
  const refused = { condition: 'malformed' }
  await expect(boxes.folders(owner, { cursor, limit: 4 })).rejects.toMatchObject(refused)
  const stranger = newOwner()
  await boxes.root(stranger)
  await expect(boxes.folders(stranger, { parent: rootId, cursor, limit: 4 })).rejects.toMatchObject(refused)
})

test('what a folder holds is counted, with and without what is below it', async () => {
  const owner = newOwner()
  const { folder } = await boxes.create(owner, anObject({ folderPath: ['Work'] }))
  await boxes.create(owner, anObject({ folderPath: ['Work', 'a'], flags: ['\\Seen'] }))
  expect(await boxes.folderSizes(owner, folder, false)).toEqual({ objects: 1, unread: 1, bytes: 14 })
  expect(await boxes.folderSizes(owner, folder, true)).toEqual({ objects: 2, unread: 1, bytes: 28 })
  expect(await boxes.folderSizes(owner, rootId, true)).toMatchObject({ objects: 2 })
})

test('objects and folders move, and keep their ids', async () => {
  const owner = newOwner()
  const moved = await boxes.create(owner, anObject({ folderPath: ['From', 'in'] }))
  const single = await boxes.create(owner, anObject())
  const target = await boxes.folderAt(owner, ['To'])
  const from = await boxes.byPath(owner, 'From')
  const folders = [from?.id ?? '']
  await boxes.move(owner, { folders, objects: [single.id] }, target.id)
  expect(await pathsOf(owner)).toEqual(['Default', 'Default/tel:+15550100', 'To', 'To/From', 'To/From/in'])
  expect(await boxes.find(owner, single.id)).toMatchObject({ folder: target.id })
  expect(await boxes.find(owner, moved.id)).toEqual(moved)
  expect(await boxes.byPath(owner, `To/From/in/${moved.id}`)).toEqual({ kind: 'object', id: moved.id })
  const again = await boxes.find(owner, single.id)
  await boxes.move(owner, { folders, objects: [single.id] }, target.id)
  expect(await boxes.find(owner, single.id)).toEqual(again)
})

test('copies are of their own, with all bytes and parts', async () => {
  const owner = newOwner()
  const bytes = Buffer.alloc(300_000, 7)
  const payload = { contentType: 'image/png', content: bytes }
  const parts = [{ contentType: 'text/plain', content: Buffer.from('part') }]
  const object = await boxes.create(
    owner,
    anObject({ folderPath: ['From', 'in'], payload, parts, flags: ['\\Flagged'] }),
  )
  const target = await boxes.folderAt(owner, ['To'])
  const from = (await boxes.byPath(owner, 'From'))?.id ?? ''
  const [folder, single] = await boxes.copy(owner, { folders: [from], objects: [object.id] }, target.id)
  expect(folder).toMatchObject({ kind: 'folder', from })
  expect(await pathOf(owner, folder?.to ?? '')).toBe('To/From')
  await boxes.remove(owner, [object.id])
  const copy = await boxes.find(owner, single?.to ?? '')
  expect(copy).toMatchObject({ folder: target.id, flags: ['\\Flagged'], parts: [{ size: 4 }], size: 300_004 })
  expect((await (await boxes.content(owner, copy?.id ?? ''))?.buffer(1_000_000))?.equals(bytes)).toBe(true)
  expect((await (await boxes.part(owner, copy?.id ?? '', 1))?.buffer(10))?.toString()).toBe('part')
  const inner = await boxes.byPath(owner, 'To/From/in')
  const found = await boxes.search(owner, { scope: inner?.id ?? '', limit: 10 })
  expect(found.objects).toMatchObject([{ size: 300_004 }])
  expect(await boxes.state(owner)).toMatchObject({ objects: 2, bytes: 600_008 })
})

test('what cannot be moved or copied leaves everything where it was', async () => {
  const owner = newOwner()
  const { id, folder } = await boxes.create(owner, anObject({ folderPath: ['Work', 'a'] }))
  const work = (await boxes.byPath(owner, 'Work'))?.id ?? ''
  const other = await boxes.folderAt(owner, ['Other', 'Work'])
  const before = await boxes.state(owner)
  const fails = async (work: Promise<unknown>, condition: string) =>
    await expect(work).rejects.toMatchObject({ condition })
  await fails(boxes.move(owner, { folders: [work] }, folder), 'not-permitted')
  await fails(boxes.copy(owner, { folders: [work] }, folder), 'not-permitted')
  await fails(boxes.move(owner, { folders: [work] }, other.parent ?? ''), 'conflict')
  await fails(boxes.copy(owner, { folders: [work] }, other.parent ?? ''), 'conflict')
  await fails(boxes.move(owner, { objects: [id, randomUUID()] }, other.id), 'object-unknown')
  await fails(boxes.copy(owner, { objects: [id, randomUUID()] }, other.id), 'object-unknown')
  await fails(boxes.move(owner, { objects: [id] }, randomUUID()), 'folder-unknown')
  await fails(boxes.copy(owner, { objects: ['x'] }, other.id), 'object-unknown')
  expect(await boxes.state(owner)).toEqual(before)
})

test('nobody moves, copies or removes what is in the mailbox of somebody else', async () => {
  const [owner, other] = [newOwner(), newOwner()]
  const { id, folder } = await boxes.create(owner, anObject({ folderPath: ['Work'] }))
  const { id: theirs } = await boxes.folderAt(other, ['Mine'])
  await expect(boxes.move(other, { objects: [id] }, theirs)).rejects.toMatchObject({ condition: 'object-unknown' })
  await expect(boxes.copy(other, { objects: [id] }, theirs)).rejects.toMatchObject({ condition: 'object-unknown' })
  await expect(boxes.copy(other, { folders: [folder] }, theirs)).rejects.toMatchObject({ condition: 'folder-unknown' })
  await expect(boxes.removeFolder(other, folder)).rejects.toMatchObject({ condition: 'folder-unknown' })
  await expect(boxes.move(owner, { objects: [id] }, theirs)).rejects.toMatchObject({ condition: 'folder-unknown' })
  expect(await boxes.find(owner, id)).toMatchObject({ folder })
})
