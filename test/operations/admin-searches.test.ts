import { afterAll, beforeAll, expect, test } from 'vitest'
import { AdminSearches } from '../../src/operations/admin/admin-searches.ts'
import { MessageSearch } from '../../src/operations/admin/message-search.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'

let db: TestDatabase
let searches: AdminSearches
let messages: MessageSearch
const ids: Record<string, number> = {}

const m1 = '00000000-0000-4000-8000-000000000001'
const m2 = '00000000-0000-4000-8000-000000000002'
const cpim =
  'MESSAGE sip:bob@parley.test SIP/2.0\r\nCall-ID: call-2\r\nSubject: gr\u00fc\u00dfe\r\nContent-Type: message/cpim\r\n\r\n' +
  'From: <sip:alice@parley.test>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: msg-2\r\n\r\n' +
  'Content-Type: text/plain\r\n\r\ncall-1'

beforeAll(async () => {
  db = await testDatabase()
  searches = new AdminSearches(db.database)
  messages = new MessageSearch(db.database)
  for (const name of ['bob', 'alice', 'carol']) ids[name] = await addSubscriber(name)
  const soon = new Date(Date.now() + 60_000)
  for (const name of ['alice', 'bob']) {
    for (const key of ['k1', 'k2']) await addBinding(ids[name] ?? 0, key, soon)
  }
  await addBinding(ids.carol ?? 0, 'expired', new Date(Date.now() - 60_000))
  const plain = 'MESSAGE sip:bob@parley.test SIP/2.0\r\nCall-ID: call-1\r\nContent-Type: text/plain\r\n\r\nhi'
  await addMessage(ids.alice ?? 0, m1, 'out', plain)
  await addMessage(ids.bob ?? 0, m1, 'in', plain)
  await addMessage(ids.bob ?? 0, m2, 'in', cpim)
  for (const device of ['', 'urn:uuid:1']) await addDeferred(ids.bob ?? 0, device, m1)
  await addDeferred(ids.bob ?? 0, '', m2)
  await addDeferred(ids.carol ?? 0, '', m1)
})
afterAll(() => db.close())

async function insert(table: string, row: object): Promise<void> {
  await db.database.knex(table).insert(row)
}

async function addSubscriber(name: string): Promise<number> {
  const [row] = await db.database.knex('subscribers').insert({ username: name, name }).returning<{ id: number }[]>('id')
  const subscriber = row?.id ?? 0
  await insert('identities', { uri: `tel:+1555${subscriber}`, subscriber, position: 1 })
  await insert('identities', { uri: `sip:${name}@parley.test`, subscriber, position: 0 })
  return subscriber
}

async function addBinding(owner: number, key: string, expires_at: Date): Promise<void> {
  const strings = {
    contact: 'sip:x@192.0.2.1',
    params: '',
    call_id: '1',
    user_agent: 'phone',
    transport: 'udp',
    flow: '',
  }
  const numbers = { reg_id: 0, cseq: 1, q: 1, received_port: 5060 }
  const rest = { has_instance: false, received_address: '192.0.2.1', path: [], registered_at: new Date() }
  const aor = 'sip:someone@parley.test'
  await insert('bindings', { owner, key, device: key, aor, ...strings, ...numbers, ...rest, expires_at })
}

async function addMessage(owner: number, id: string, direction: string, request: string): Promise<void> {
  const fixed = { arrived: 1_700_000_000_000_000, peer: 'sip:peer@parley.test', stored: true, waiting: 0 }
  await insert('messages', { owner, id, direction, request: Buffer.from(request), ...fixed })
}

async function addDeferred(owner: number, device: string, message: string): Promise<void> {
  const times = {
    next_at: new Date(0),
    leased_until: device === '' ? null : new Date(1000),
    expires_at: new Date(2000),
  }
  await insert('deferred', { owner, device, message, arrived: 1_700_000_000_000_000, attempts: 1, ...times })
}

/** All pages, one after the other. */
async function allPages<Entry>(
  search: (options: { limit: number; cursor?: string }) => Promise<{ entries: readonly Entry[]; next?: string }>,
  limit: number,
): Promise<Entry[][]> {
  const pages: Entry[][] = []
  let cursor: string | undefined
  do {
    const { entries, next }: { entries: readonly Entry[]; next?: string } = await search({
      limit,
      ...(cursor === undefined ? {} : { cursor }),
    })
    pages.push([...entries])
    cursor = next
  } while (cursor !== undefined)
  return pages
}

test('users come in pages, by URI, with all their identities', async () => {
  const pages = await allPages((options) => searches.users(options), 2)
  expect(pages.map((page) => page.map(({ uri }) => uri))).toEqual([
    ['sip:alice@parley.test', 'sip:bob@parley.test'],
    ['sip:carol@parley.test'],
  ])
  expect(pages[0]?.[0]).toEqual({
    uri: 'sip:alice@parley.test',
    identities: ['sip:alice@parley.test', `tel:+1555${ids.alice}`],
    name: 'alice',
  })
})

test('a last page that is full has no next', async () => {
  expect((await allPages((options) => searches.users(options), 3)).length).toBe(1)
})

test('bindings come in pages, of all users or of one, without those that expired', async () => {
  const pages = await allPages((options) => searches.bindings(options), 3)
  expect(pages.map((page) => page.map(({ user, key }) => `${user} ${key}`))).toEqual([
    ['sip:bob@parley.test k1', 'sip:bob@parley.test k2', 'sip:alice@parley.test k1'],
    ['sip:alice@parley.test k2'],
  ])
  const owner = ids.alice ?? 0
  const ofAlice = await allPages((options) => searches.bindings({ ...options, owner }), 1)
  expect(ofAlice.flat().map(({ key }) => key)).toEqual(['k1', 'k2'])
  expect(await searches.countBindings()).toBe(4)
})

test('deliveries come in pages, with whom they are from', async () => {
  const pages = await allPages((options) => searches.deferred(options), 1)
  expect(pages.flat().map(({ user, device, message }) => [user, device, message])).toEqual([
    ['sip:bob@parley.test', '', m1],
    ['sip:bob@parley.test', '', m2],
    ['sip:bob@parley.test', 'urn:uuid:1', m1],
    ['sip:carol@parley.test', '', m1],
  ])
  expect(pages[2]?.[0]).toMatchObject({
    peer: 'sip:peer@parley.test',
    attempts: 1,
    arrivedAt: '2023-11-14T22:13:20.000Z',
    leasedUntil: '1970-01-01T00:00:01.000Z',
  })
  expect((await searches.deferred({ limit: 10, owner: ids.carol ?? 0 })).entries.length).toBe(1)
  expect(await searches.countDeferred()).toBe(4)
})

test('the keys of deliveries are those of the owner, or of one message of theirs', async () => {
  expect((await searches.deferredKeys(ids.bob ?? 0, undefined, 10)).length).toBe(3)
  expect((await searches.deferredKeys(ids.bob ?? 0, m1, 10)).map(({ device }) => device).sort()).toEqual([
    '',
    'urn:uuid:1',
  ])
})

test.each([
  ['no JSON', Buffer.from('{').toString('base64url')],
  ['the cursor of another list', Buffer.from('[1,"k1"]').toString('base64url')],
  ['what Postgres cannot hold', Buffer.from('["a\\u0000"]').toString('base64url')],
])('a cursor that is none is malformed: %s', async (_what, cursor) => {
  await expect(searches.users({ limit: 1, cursor })).rejects.toMatchObject({ condition: 'malformed' })
})

test('a message is found by the id of its rows, one copy for each owner', async () => {
  const copies = await messages.copies({ id: m1 }, true)
  expect(copies.map(({ user, direction }) => [user, direction]).sort()).toEqual([
    ['sip:alice@parley.test', 'out'],
    ['sip:bob@parley.test', 'in'],
  ])
  expect(copies[0]).toMatchObject({
    contentType: 'text/plain',
    bytes: 2,
    content: Buffer.from('hi').toString('base64'),
  })
  expect(await messages.keys({ id: m1, owner: ids.bob ?? 0 })).toEqual([{ owner: ids.bob, id: m1 }])
})

test('a message is found by what its sender calls it, and not by what somebody writes', async () => {
  expect(await messages.keys({ id: 'msg-2' })).toEqual([{ owner: ids.bob, id: m2 }])
  const byCallId = await messages.copies({ id: 'call-1', owner: ids.bob ?? 0 }, false)
  expect(byCallId.map(({ id, message }) => [id, message])).toEqual([['call-1', m1]])
  expect(byCallId[0]).not.toHaveProperty('content')
  expect(await messages.copies({ id: 'msg' }, false)).toEqual([])
})

test('header fields are text again', async () => {
  const [copy] = await messages.copies({ id: m2 }, false)
  expect(copy?.id).toBe('msg-2')
  expect(copy?.headers).toContainEqual({ name: 'Subject', value: 'grüße' })
})
