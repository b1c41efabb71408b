import { inflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { isNoNotification, isNotification, messageIdOf, notificationOf, sendCpm } from '../support/cpim-text.ts'
import { delivered, displayed } from '../support/notify.ts'
import { startServer } from '../support/start-server.ts'

const both = 'positive-delivery, display'

test('delivered and displayed reach the sender', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.online('bob')]
  await sendCpm(alice, bob.aor, 'read me', { id: 'm1', want: both })
  const message = await bob.receive('MESSAGE')
  expect((await delivered(bob, message)).status).toBe(200)
  expect(notificationOf(await alice.receive('MESSAGE'))).toEqual({ messageId: 'm1', disposition: 'delivered' })
  expect((await displayed(bob, message)).status).toBe(200)
  expect(notificationOf(await alice.receive('MESSAGE'))).toEqual({ messageId: 'm1', disposition: 'displayed' })
})

test.each(['never', 'always'])('with two devices the sender sees one of each (storage %s)', async (storage) => {
  await using server = await startServer({ settings: { 'storage.default': storage } })
  const alice = await server.online('alice')
  const devices = [await server.online('bob'), await server.online('bob')]
  await sendCpm(alice, server.aor('bob'), 'read me', { id: 'm2', want: both })
  for (const device of devices) {
    const message = await device.receive('MESSAGE', isNoNotification)
    expect((await delivered(device, message)).status).toBeLessThan(300)
  }
  for (const device of devices) {
    const message = device.received[0]
    if (message === undefined) throw new Error('nothing received')
    expect((await displayed(device, message)).status).toBeLessThan(300)
  }
  await devices[0]?.message(alice.aor, 'marker')
  await alice.receive('MESSAGE', isNoNotification)
  const seen = alice.received.flatMap((one) => notificationOf(one)?.disposition ?? [])
  expect(seen).toEqual(['delivered', 'displayed'])
})

test('what was displayed does not go back to delivered', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.online('bob')]
  await sendCpm(alice, bob.aor, 'read me', { id: 'm3', want: both })
  const message = await bob.receive('MESSAGE')
  await displayed(bob, message)
  await delivered(bob, message)
  await bob.message(alice.aor, 'marker')
  await alice.receive('MESSAGE', isNoNotification)
  expect(alice.received.flatMap((one) => notificationOf(one)?.disposition ?? [])).toEqual(['displayed'])
})

test('a notification without CPIM, deflated, reaches the sender as the bytes it was', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.online('bob')]
  await alice.message(bob.aor, 'plain text')
  const message = await bob.receive('MESSAGE')
  expect((await delivered(bob, message, { bare: 'deflated' })).status).toBe(200)
  const told = await alice.receive('MESSAGE')
  expect(told.header('Content-Encoding')).toBe('deflate')
  expect(told.header('Content-Type')).toBe('message/imdn+xml')
  expect(inflateSync(told.body).toString()).toContain(`<message-id>${messageIdOf(message)}</message-id>`)
})

test('a notification is kept for a sender who is away', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.online('bob')]
  await sendCpm(alice, bob.aor, 'read me', { id: 'm4', want: both })
  await alice.unregister()
  expect((await displayed(bob, await bob.receive('MESSAGE'))).status).toBe(202)
  await alice.register()
  expect(notificationOf(await alice.receive('MESSAGE'))).toEqual({ messageId: 'm4', disposition: 'displayed' })
})

test('a notification of a message that nobody knows is passed on', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.online('bob')]
  await alice.message(bob.aor, 'hello')
  const message = await bob.receive('MESSAGE')
  expect((await displayed(bob, message, { messageId: 'from-before-the-flood' })).status).toBe(200)
  expect(notificationOf(await alice.receive('MESSAGE'))?.messageId).toBe('from-before-the-flood')
})

test('a notification that expires while kept causes no notification', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.online('bob')]
  await sendCpm(alice, bob.aor, 'read me', { id: 'm5', want: both })
  await alice.unregister()
  const message = await bob.receive('MESSAGE')
  await displayed(bob, message, { headers: { Expires: '1' } })
  await sendCpm(bob, server.aor('carol'), 'expires as well', {
    id: 'm6',
    want: 'negative-delivery',
    headers: { Expires: '2' },
  })
  const told = await bob.receive('MESSAGE', isNotification)
  expect(notificationOf(told)).toEqual({ messageId: 'm6', disposition: 'failed' })
  expect(bob.received.filter(isNotification)).toHaveLength(1)
})
