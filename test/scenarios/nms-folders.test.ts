import { describe, expect, test } from 'vitest'
import type { Structure } from '../../src/protocols/nms/structures.ts'
import { sendCpm } from '../support/cpim-text.ts'
import { attachments, attribute, formats, NmsClient, type NmsReply, newObject } from '../support/nms-client.ts'
import { startServer } from '../support/start-server.ts'

const root = '/folders/00000000-0000-0000-0000-000000000000'
const told = ({ status, fault }: NmsReply) => [status, fault.messageId, ...fault.variables]

describe.each(formats)('in %s', (format) => {
  const create = (client: NmsClient, folder: Partial<Structure<'Folder'>>, headers = {}) =>
    client.send('POST', '/folders', 'folder', { attributes: {}, ...folder }, { format, headers })
  const folderAt = async (client: NmsClient, parent: string, name: string) =>
    (await create(client, { parentFolderPath: parent, name })).read('folder')

  test('a folder is created below another one, named by path or URL', async () => {
    await using server = await startServer()
    const alice = await NmsClient.open(server, 'alice')
    const made = await create(alice, { parentFolderPath: '/', name: 'main' })
    expect(made.status, made.text).toBe(201)
    const main = made.read('folder')
    expect(made.location).toBe(main.resourceURL)
    expect(main).toMatchObject({ parentFolder: `${alice.http}${alice.box}${root}`, path: '/main', name: 'main' })
    expect(main.lastModSeq).toBeGreaterThan(0)
    expect(attribute(main, 'Name')).toEqual(['main'])
    expect(attribute(main, 'Date')[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)

    const below = { parentFolder: main.resourceURL ?? '', name: 'Trip to Zürich' }
    const reference = await create(alice, below, { prefer: 'return=minimal' })
    expect(reference.read('reference')).toEqual({ resourceURL: reference.location, path: '/main/Trip to Zürich' })
    const unnamed = (await create(alice, { parentFolderPath: '/main' })).read('folder')
    expect(unnamed.name).toMatch(/./)
    expect(unnamed.path).toBe(`/main/${unnamed.name}`)
    const found = await alice.get(`${reference.location}?path=Yes`, { format })
    expect(found.read('folder')).toMatchObject({ ...below, path: '/main/Trip to Zürich' })
    expect((await alice.get(reference.location, { format })).read('folder').path).toBeUndefined()
  })

  test('a folder that cannot be is refused with what is wrong with it', async () => {
    await using server = await startServer()
    const alice = await NmsClient.open(server, 'alice')
    await create(alice, { parentFolderPath: '/', name: 'main' })
    const refused = async (folder: Partial<Structure<'Folder'>>) => told(await create(alice, folder))
    expect(await refused({ name: 'Vegas' })).toEqual([400, 'SVC0002', 'Parent folder (missing)'])
    expect(await refused({ parentFolderPath: '/main/none', name: 'a' })).toEqual([400, 'SVC0002', '/main/none'])
    expect(await refused({ parentFolderPath: '/Default', name: 'a' })).toEqual([403, 'POL1031', '/Default'])
    expect(await refused({ parentFolderPath: '/Default/tel:+1', name: 'a' })).toEqual([403, 'POL1031', '/Default'])
    expect(await refused({ parentFolderPath: '/', name: 'a/b' })).toEqual([400, 'SVC0002', 'folder.name'])
    expect(await refused({ parentFolderPath: '/', name: '' })).toEqual([400, 'SVC0002', 'folder.name'])
    expect(await refused({ parentFolderPath: '/', name: 'main' })).toEqual([
      409,
      'SVC0002',
      'folder.name (main is taken)',
    ])
    const named = { attribute: [{ name: 'Name', value: ['x'] }] }
    expect(await refused({ parentFolderPath: '/', attributes: named })).toEqual([
      400,
      'SVC0002',
      'folder.attributes (Name)',
    ])
    expect(await refused({ parentFolderPath: '/', lastModSeq: 1 })).toEqual([
      400,
      'SVC0002',
      'folder.lastModSeq (not in a request)',
    ])
    const unknown = `${alice.http}${alice.box}/folders/6c9d2f0e-0000-4000-8000-000000000000`
    expect(await refused({ parentFolder: unknown, name: 'a' })).toEqual([400, 'SVC0002', unknown])
    const missing = await alice.get(unknown, { format })
    expect(told(missing)).toEqual([404, 'SVC0004', 'Request-URI'])
    expect(missing.read('requestError').link).toEqual([{ rel: 'folder', href: unknown }])
  })

  test('a folder gets another name, and what is in it is found under that', async () => {
    await using server = await startServer()
    const alice = await NmsClient.open(server, 'alice')
    const { resourceURL = '' } = await folderAt(alice, '/', 'Board')
    const { location } = await alice.send('POST', '/objects', 'object', newObject({}, { parentFolderPath: '/Board' }))
    const name = `${resourceURL}/folderName`
    expect((await alice.get(name, { format })).read('name')).toBe('Board')
    const renamed = await alice.send('PUT', name, 'name', 'Session & more', { format })
    expect([renamed.status, renamed.read('name')]).toEqual([200, 'Session & more'])
    expect((await alice.get(location)).read('object').path).toMatch(/^\/Session & more\//)
    await folderAt(alice, '/', 'taken')
    expect(told(await alice.send('PUT', name, 'name', 'taken', { format }))[0]).toBe(409)
    expect(told(await alice.send('PUT', name, 'name', 'a/b', { format }))).toEqual([400, 'SVC0002', 'name'])
    const ofRoot = await alice.send('PUT', `${root}/folderName`, 'name', 'mine', { format })
    expect(told(ofRoot)).toEqual([403, 'POL1030'])
    await alice.send('POST', '/objects', 'object', newObject({ From: 'tel:+15550002' }))
    const standard = await folderNamed(alice, 'Default')
    expect(told(await alice.send('PUT', `${standard}/folderName`, 'name', 'mine', { format }))).toEqual([
      403,
      'POL1030',
    ])
    expect(told(await alice.delete(standard, { format }))).toEqual([403, 'POL0001', 'not-permitted'])
    expect(told(await alice.delete(root, { format }))).toEqual([403, 'POL0001', 'not-permitted'])
  })

  test('a folder is deleted with all that is in it', async () => {
    await using server = await startServer()
    const alice = await NmsClient.open(server, 'alice')
    const into = newObject({}, { parentFolderPath: '/old/older' })
    const { location } = await alice.upload(into, [attachments('image/gif', 'GIF89a')])
    const old = await folderNamed(alice, 'old')
    const answer = await alice.delete(old, { format })
    expect([answer.status, answer.text]).toEqual([204, ''])
    expect((await alice.get(location)).status).toBe(404)
    for (const { status } of [await alice.get(old), await alice.delete(old)]) expect(status).toBe(404)
    expect(await server.query('select 1 from messages union all select 1 from message_parts')).toEqual([])
  })

  test('what is in a folder is listed page by page, each once', async () => {
    await using server = await startServer()
    const alice = await NmsClient.open(server, 'alice')
    const made = new Set<string>()
    const { resourceURL: parentFolder = '' } = await folderAt(alice, '/', 'list')
    for (const name of ['a', 'b', 'c', 'd']) made.add((await folderAt(alice, '/list', name)).resourceURL ?? '')
    for (let at = 0; at < 3; at++) {
      made.add(
        (await alice.send('POST', '/objects', 'object', newObject({ Subject: `${at}` }, { parentFolder }))).location,
      )
    }
    const pages = await pagesOf(alice, `${parentFolder}?listFilter=All&maxEntries=3`, format)
    expect(pages.map((page) => page.length)).toEqual([3, 3, 1])
    expect(new Set(pages.flat())).toEqual(made)
    const folders = (await alice.get(`${parentFolder}?listFilter=Subfolders`, { format })).read('folder')
    expect(folders.subFolders?.folderReference).toHaveLength(4)
    expect(folders.objects).toBeUndefined()
    const objects = (await alice.get(`${parentFolder}?listFilter=Objects&path=Yes`, { format })).read('folder')
    expect(objects.objects?.objectReference?.map(({ path }) => path)).toEqual(
      objects.objects?.objectReference?.map(({ resourceURL }) => `/list/${resourceURL.split('/').at(-1)}`),
    )
    expect(objects.subFolders).toBeUndefined()
    const plain = (await alice.get(root, { format })).read('folder')
    expect([plain.subFolders, plain.objects, plain.parentFolder]).toEqual([undefined, undefined, undefined])
    expect([attribute(plain, 'Root'), plain.name]).toEqual([['Yes'], ''])
  })

  test('what has to be counted is told to those who ask for it', async () => {
    await using server = await startServer()
    const alice = await NmsClient.open(server, 'alice')
    const here = { parentFolderPath: '/box', flags: { flag: ['\\Seen'] } }
    await alice.upload(newObject({}, here), [attachments('image/gif', Buffer.alloc(100))])
    await alice.upload(newObject({}, { parentFolderPath: '/box' }), [attachments('image/gif', Buffer.alloc(10))])
    await alice.upload(newObject({}, { parentFolderPath: '/box/in/side' }), [attachments('image/gif', Buffer.alloc(1))])
    const box = await folderNamed(alice, 'box')
    const counted = async (...names: string[]) => {
      const query = names.map((name) => `attrFilter=${name}`).join('&')
      const { attributes } = (await alice.get(`${box}?${query}`, { format })).read('folder')
      const some = attributes.attribute?.filter(({ name }) => /Count|Size/.test(name)) ?? []
      return Object.fromEntries(some.map(({ name, value = [] }) => [name, value.join()]))
    }
    expect(await counted()).toEqual({})
    expect(await counted('MsgCount', 'UnreadMsgCount', 'Size')).toEqual({
      MsgCount: '2',
      UnreadMsgCount: '1',
      Size: '110',
    })
    expect(await counted('SubtreeMsgCount', 'subtreesize', 'SubtreeUnreadMsgCount', 'Colour')).toEqual({
      SubtreeMsgCount: '3',
      SubtreeSize: '111',
      SubtreeUnreadMsgCount: '2',
    })
  })
})

test('a message that came over SIP is in the folder of its conversation', async () => {
  await using server = await startServer({ settings: { 'storage.default': 'always' } })
  const [alice, bob] = [await server.online('alice'), await server.online('bob')]
  const sent = alice.message(bob.aor, 'are you there?')
  const received = await bob.receive('MESSAGE')
  expect((await sent).status, received.text).toBe(200)
  const store = await NmsClient.open(server, 'bob')
  const standard = await folderNamed(store, 'Default')
  const [[conversation = ''] = []] = await pagesOf(store, `${standard}?listFilter=Subfolders`)
  const [[message = ''] = []] = await pagesOf(store, `${conversation}?listFilter=Objects`)
  const object = (await store.get(message)).read('object')
  expect(attribute(object, 'TextContent')).toEqual(['are you there?'])
  expect(attribute(object, 'Direction')).toEqual(['In'])
  expect(attribute(object, 'From')).toEqual([expect.stringContaining('alice')])
  expect(object.flags.flag).toEqual([])
  expect((await store.ask('PUT', `${message}/flags/%5CSeen`)).status).toBe(201)
})

test('a message/cpim of a CPM client has its text as an attribute, and itself as payload', async () => {
  await using server = await startServer({ settings: { 'storage.default': 'always' } })
  const [alice, bob] = [await server.online('alice'), await server.online('bob')]
  const sent = sendCpm(alice, bob.aor, 'are you there?', { id: 'cpim-1' })
  const { body } = await bob.receive('MESSAGE')
  expect((await sent).status).toBe(200)
  const store = await NmsClient.open(server, 'bob')
  const [[conversation = ''] = []] = await pagesOf(
    store,
    `${await folderNamed(store, 'Default')}?listFilter=Subfolders`,
  )
  const [[message = ''] = []] = await pagesOf(store, `${conversation}?listFilter=Objects`)
  const object = (await store.get(message)).read('object')
  expect([object.correlationId, attribute(object, 'TextContent')]).toEqual(['cpim-1', ['are you there?']])
  const payload = await store.get(object.payloadURL ?? '')
  expect([payload.type, payload.bytes]).toEqual(['message/cpim', body])
})

/** URLs of what is listed, page by page. */
async function pagesOf(client: NmsClient, url: string, format: 'json' | 'xml' = 'json'): Promise<string[][]> {
  const pages: string[][] = []
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const from = cursor === undefined ? '' : `&fromCursor=${encodeURIComponent(cursor)}`
    const folder = (await client.get(`${url}${from}`, { format })).read('folder')
    const listed = [folder.subFolders?.folderReference ?? [], folder.objects?.objectReference ?? []].flat()
    pages.push(listed.map(({ resourceURL }) => resourceURL))
    cursor = folder.cursor
  }
  return pages
}

/** The URL of a folder below the root. */
async function folderNamed(client: NmsClient, name: string): Promise<string> {
  const folder = (await client.get(`${root}?listFilter=Subfolders&path=Yes`)).read('folder')
  const found = folder.subFolders?.folderReference?.find(({ path }) => path === `/${name}`)
  if (found === undefined) throw new Error(`there is no folder ${name}`)
  return found.resourceURL
}
