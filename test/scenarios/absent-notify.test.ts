import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { passwordOf } from '../support/add-users.ts'
import { isNotification, messageIdOf, notificationOf, sendCpm } from '../support/cpim-text.ts'
import { eventually } from '../support/eventually.ts'
import { HttpClient } from '../support/http-client.ts'
import { delivered } from '../support/notify.ts'
import { Phone } from '../support/phone.ts'
import { prepareServer, type SpawnedServer } from '../support/spawn-server.ts'
import { type StartOptions, startServer, type TestServer } from '../support/start-server.ts'
import { XcapClient } from '../support/xcap-client.ts'

const notify: StartOptions = { settings: { 'message.absent': 'notify' } }
const storeTag = '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.systemmsg"'

async function set(server: TestServer, user: string, content: string): Promise<void> {
  const path = `/org.parley.service-settings/users/${server.aor(user)}/index`
  const document = `<service-settings xmlns="urn:parley:service-settings">${content}</service-settings>`
  const { status, text } = await new XcapClient(server, user).put(
    path,
    document,
    'application/vnd.parley.service-settings+xml',
  )
  expect(status, text).toBeLessThan(300)
}

async function importUsers(server: SpawnedServer, users: readonly string[]): Promise<void> {
  const file = join(server.dataDir, 'users.csv')
  await writeFile(
    file,
    ['uri,password', ...users.map((user) => `sip:${user}@parley.test,${passwordOf(user)}`)].join('\n'),
  )
  const { code, errors } = await server.run('user', 'import', file)
  expect(code, errors).toBe(0)
}

const waitingOf = async (server: TestServer, user: string) =>
  JSON.parse((await new HttpClient(server, user).get('/waiting')).text).messages

test('a user who is back is told of what waits, and nothing comes by itself', async () => {
  await using server = await startServer(notify)
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  for (const text of ['one', 'two', 'three']) expect((await alice.message(bob.aor, text)).status).toBe(202)
  expect((await bob.register()).status).toBe(200)
  const told = await bob.receive('MESSAGE')
  expect(told.text).toBe('You have 3 messages waiting for you.')
  expect(told.header('From')).toMatch(new RegExp(`^<sip:${server.domain}>`))
  expect(told.header('P-Asserted-Identity')).toBe(`<sip:${server.domain}>`)
  expect(await waitingOf(server, 'bob')).toHaveLength(3)
  await alice.message(bob.aor, 'while you are here')
  expect((await bob.receive('MESSAGE')).text).toBe('while you are here')
  expect(bob.received).toHaveLength(2)
})

test('a user is told once, when they refresh as well, and again after they were away', async () => {
  await using server = await startServer(notify)
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  await alice.message(bob.aor, 'one')
  await bob.register()
  await bob.receive('MESSAGE')
  await bob.register()
  await alice.message(bob.aor, 'marker')
  await bob.receive('MESSAGE', ({ text }) => text === 'marker')
  expect(bob.received).toHaveLength(2)
  await bob.unregister()
  await alice.message(bob.aor, 'two')
  await bob.register()
  expect((await bob.receive('MESSAGE')).text).toBe('You have 2 messages waiting for you.')
})

test('a device that did not take the notice is told when it registers again', async () => {
  await using server = await startServer(notify)
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  await alice.message(bob.aor, 'one')
  bob.answer = () => 503
  await bob.register()
  await bob.receive('MESSAGE')
  await eventually(async () =>
    expect(await server.query('select attempts, leased_until from deferred')).toEqual([
      { attempts: 0, leased_until: null },
    ]),
  )
  bob.answer = () => 200
  await bob.register()
  expect((await bob.receive('MESSAGE')).text).toBe('You have 1 message waiting for you.')
})

test.each([
  ['de', 'Für Sie liegt 1 Nachricht bereit.'],
  ['fr-CA', 'Vous avez 1 message en attente.'],
  ['es', 'Tiene 1 mensaje pendiente.'],
  ['fi', 'You have 1 message waiting for you.'],
])('a user with settings in %s is told in that language, whatever the operator has set', async (language, text) => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  await set(server, 'bob', `<absent>notify</absent><notifications><language>${language}</language></notifications>`)
  expect((await alice.message(bob.aor, 'one')).status).toBe(202)
  await bob.register()
  expect((await bob.receive('MESSAGE')).text).toBe(text)
})

test('a user may have it brought all the same', async () => {
  await using server = await startServer(notify)
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  await set(server, 'bob', '<absent>keep</absent>')
  await alice.message(bob.aor, 'brought')
  await bob.register()
  expect((await bob.receive('MESSAGE')).text).toBe('brought')
})

test('a device that knows of the store is told by an event, which names what waits', async () => {
  await using server = await startServer(notify)
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  const id = randomUUID()
  expect((await sendCpm(alice, bob.aor, 'hello', { id })).status).toBe(202)
  await bob.register({ params: [storeTag] })
  const told = await bob.receive('MESSAGE')
  expect(told.header('Content-Type')).toBe('application/vnd.oma.cpm-eventfw+xml')
  expect(told.header('P-Asserted-Service')).toBe('urn:urn-7:3gpp-service.ims.icsi.oma.cpm.systemmsg')
  expect(told.text).toContain(`<message-id>${id}</message-id>`)
  expect(told.text).toContain(`<other-party>${alice.aor}</other-party>`)
})

test('notifications are brought as ever, and nobody is told of them', async () => {
  await using server = await startServer(notify)
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  await sendCpm(alice, bob.aor, 'hello', { want: 'positive-delivery' })
  const got = await bob.receive('MESSAGE')
  expect((await delivered(bob, got)).status).toBe(202)
  await alice.register()
  const told = await alice.receive('MESSAGE')
  expect(notificationOf(told)).toEqual({ messageId: messageIdOf(got), disposition: 'delivered' })
  expect(alice.received).toHaveLength(1)
})

test('a device that is there and takes no message is told of it, and what it takes later waits no more', async () => {
  const settings = { ...notify.settings, 'message.deliverWithin': '200ms', 'message.retry.first': '4s' }
  await using server = await startServer({ settings })
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  bob.answer = ({ text }) => (text === 'busy' ? 503 : 200)
  expect((await alice.message(bob.aor, 'busy')).status).toBe(202)
  const notice = 'You have 1 message waiting for you.'
  await bob.receive('MESSAGE', ({ text }) => text === notice)
  expect(await waitingOf(server, 'bob')).toHaveLength(1)
  bob.answer = () => 200
  await eventually(async () => expect(await waitingOf(server, 'bob')).toEqual([]))
  expect(bob.received.filter(({ text }) => text === notice)).toHaveLength(1)
})

test('what nobody fetched in its time goes, and its sender is told who asked for it', async () => {
  await using server = await startServer(notify)
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const id = randomUUID()
  await sendCpm(alice, bob.aor, 'soon', { id, want: 'negative-delivery', headers: { Expires: '1' } })
  const told = await alice.receive('MESSAGE', isNotification)
  expect(notificationOf(told)).toEqual({ messageId: id, disposition: 'failed' })
  await eventually(async () => expect(await server.query('select owner from messages')).toEqual([]))
  expect(await waitingOf(server, 'bob')).toEqual([])
})

test('what was kept before the server was killed is told of after it', async () => {
  await using server = await prepareServer({ settings: { 'message.absent': 'notify' } })
  await importUsers(server, ['alice', 'bob'])
  await server.start()
  const open = (user: string) =>
    Phone.open({ user, domain: 'parley.test', password: passwordOf(user), place: server.address('udp') })
  await using alice = await open('alice')
  expect((await alice.message('sip:bob@parley.test', 'kept')).status).toBe(202)
  await server.kill('SIGKILL')
  await server.start()
  await using bob = await open('bob')
  await bob.register()
  expect((await bob.receive('MESSAGE')).text).toBe('You have 1 message waiting for you.')
})
