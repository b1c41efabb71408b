import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startServer } from '../support/start-server.ts'

const copies = 'select s.username, m.stored from messages m join subscribers s on s.id = m.owner order by s.username'

test('with storage.default=always sender and recipient have a row each before the sender has the answer', async () => {
  await using server = await startServer({ settings: { 'storage.default': 'always' } })
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  expect((await alice.message(bob.aor, 'for the record')).status).toBe(200)
  expect(await server.query(copies)).toEqual([
    { username: 'alice', stored: true },
    { username: 'bob', stored: true },
  ])
})

test('with storage.default=never nothing is left of a message that was delivered', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  expect((await alice.message(bob.aor, 'off the record')).status).toBe(200)
  await eventually(async () => expect(await server.query(copies)).toEqual([]))
})

test('what waits for a device holds no content of its own, and goes when it was delivered', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  await alice.message(bob.aor, 'waits')
  expect(await server.query('select device, attempts from deferred')).toEqual([{ device: '', attempts: 0 }])
  expect(await server.query(copies)).toEqual([{ username: 'bob', stored: false }])
  await bob.register()
  await bob.receive('MESSAGE')
  await eventually(async () => expect(await server.query('select 1 from deferred')).toEqual([]))
  await eventually(async () => expect(await server.query(copies)).toEqual([]))
})

test('a stored message stays when it was delivered late', async () => {
  await using server = await startServer({ settings: { 'storage.default': 'always' } })
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  await alice.message(bob.aor, 'stays')
  await bob.register()
  await bob.receive('MESSAGE')
  await eventually(async () => expect(await server.query('select 1 from deferred')).toEqual([]))
  expect(await server.query(copies)).toHaveLength(2)
})
