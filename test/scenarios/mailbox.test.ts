import { expect, test } from 'vitest'
import { ConfigurationFault } from '../../src/failure.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { startServer, usualUsers } from '../support/start-server.ts'
import { XcapClient } from '../support/xcap-client.ts'

const always = { 'storage.default': 'always' }
const mine = 'select count(*) from messages m join subscribers s on s.id = m.owner'
const tables = ['messages', 'message_parts', 'chunks', 'staged_chunks', 'tombstones', 'folders', 'mailboxes']
const copies = `select s.username, m.direction, f.path, m.flags::text as flags, m.attributes ->> 'Subject' as subject
  from messages m join subscribers s on s.id = m.owner join folders f on f.owner = m.owner and f.id = m.folder
  order by s.username, m.arrived`

test('a stored message is in the mailboxes of both, in the folder of the conversation with the other', async () => {
  await using server = await startServer({ settings: always })
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  const headers = { Subject: 'lunch' }
  expect((await alice.message(bob.aor, 'are you there?', { headers })).status).toBe(200)
  expect(await server.query(copies)).toEqual([
    { username: 'alice', direction: 'out', path: 'Default/tel:+15550002', flags: '{"\\\\Seen"}', subject: '["lunch"]' },
    { username: 'bob', direction: 'in', path: 'Default/tel:+15550001', flags: '{}', subject: '["lunch"]' },
  ])
})

test('what goes to a number and what comes back from its owner are in one folder', async () => {
  await using server = await startServer({ settings: always })
  const [alice, bob] = [await server.online('alice'), await server.online('bob')]
  await alice.message('tel:+15550002', 'to your number')
  await bob.message(alice.aor, 'from my address')
  expect(await server.query(`select distinct path from folders where path like 'Default/%' order by 1`)).toEqual([
    { path: 'Default/tel:+15550001' },
    { path: 'Default/tel:+15550002' },
  ])
})

test('a full mailbox stops no message: it is delivered, its sender is warned of their own, and the operator sees it', async () => {
  await using server = await startServer({ settings: { ...always, 'storage.maxObjects': '1' } })
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  const carol = await server.online('carol')
  const first = await alice.message(bob.aor, 'one')
  expect([first.status, first.header('Warning')]).toEqual([200, undefined])
  const second = await alice.message(carol.aor, 'two')
  expect(second.status).toBe(200)
  expect(second.header('Warning')).toMatch(/^399 \S+ ".*full/)
  expect((await carol.receive('MESSAGE')).text).toBe('two')
  const third = await carol.message(bob.aor, 'three')
  expect([third.status, third.header('Warning')?.slice(0, 3)]).toEqual([200, '399'])
  expect(await server.query('select owner from messages where stored')).toHaveLength(3)
  expect(await server.metric('parley_mailbox_full_total')).toBe(3)
})

test('what waits for somebody whose mailbox is full is delivered, and leaves nothing', async () => {
  await using server = await startServer({ settings: { ...always, 'storage.maxObjects': '1' } })
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  expect((await alice.message(bob.aor, 'one')).status).toBe(202)
  expect((await alice.message(bob.aor, 'two')).status).toBe(202)
  await bob.register()
  const texts = [(await bob.receive('MESSAGE')).text, (await bob.receive('MESSAGE')).text]
  expect(texts.sort()).toEqual(['one', 'two'])
  await eventually(async () => expect(await server.query('select 1 from deferred')).toEqual([]))
  await eventually(async () => expect(await server.query('select 1 from messages')).toHaveLength(2))
})

test('nothing is left of the mailbox of a user who was removed', async () => {
  await using server = await startServer({ settings: { ...always, 'admin.token': 'a-token-of-operators' } })
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  await alice.message(bob.aor, 'one')
  const [{ id } = { id: 0 }] = await server.query(`select id from subscribers where username = 'bob'`)
  const url = `${server.http}/admin/v1/users/${encodeURIComponent(bob.aor)}`
  const headers = { authorization: 'Bearer a-token-of-operators' }
  expect((await fetch(url, { method: 'DELETE', headers })).status).toBe(204)
  for (const table of tables) {
    expect(await server.query(`select 1 from ${table} where owner = ${id}`)).toEqual([])
  }
  expect(await server.query('select 1 from mailboxes')).toHaveLength(1)
})

test('what a user wants to be kept for a day is gone after it, and clients are told that it has expired', async () => {
  await using database = await testDatabase()
  const settings = { ...always, 'database.url': database.url }
  const first = await startServer({ databaseUrl: database.url, settings, users: usualUsers })
  const [alice, bob] = [await first.phone('alice'), await first.online('bob')]
  const place = `/org.parley.service-settings/users/${bob.aor}/index`
  const document = (days: string) =>
    `<service-settings xmlns="urn:parley:service-settings"><keep-days>${days}</keep-days></service-settings>`
  const xcap = new XcapClient(first, 'bob')
  const type = 'application/vnd.parley.service-settings+xml'
  expect((await xcap.put(place, document('0'), type)).status).toBe(409)
  expect((await xcap.put(place, document('1'), type)).status).toBe(201)
  await alice.message(bob.aor, 'yesterday')
  await first.query(`update messages set arrived = arrived - 2 * 86400000000`)
  await alice.message(bob.aor, 'today')
  await first.stop()
  await using second = await startServer({ databaseUrl: database.url, settings })
  await eventually(async () => {
    expect(await second.query(`${mine} where s.username = 'bob'`)).toEqual([{ count: '1' }])
  })
  expect(await second.query(`${mine} where s.username = 'alice'`)).toEqual([{ count: '2' }])
  expect(await second.query('select kind, expired from tombstones')).toEqual([{ kind: 'object', expired: true }])
  await eventually(async () => expect(await second.metric('parley_mailbox_expired_total')).toBe(1))
})

test('a language that Postgres does not know is said at the start', async () => {
  const starting = startServer({ settings: { 'storage.languages': 'english,klingon' } })
  await expect(starting).rejects.toThrow(ConfigurationFault)
  await expect(starting).rejects.toThrow(/storage\.languages.*klingon.*english/)
})
