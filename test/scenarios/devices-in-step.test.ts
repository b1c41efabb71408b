import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readStoreEvents } from '../../src/protocols/cpm-event-framework/read-store-events.ts'
import type { StoreEvent } from '../../src/protocols/cpm-event-framework/store-events.ts'
import { writeStoreEvents } from '../../src/protocols/cpm-event-framework/write-store-events.ts'
import { passwordOf } from '../support/add-users.ts'
import { chatHeaders, chatTag } from '../support/chat.ts'
import { agreeOnChat, hangUp } from '../support/chat-pair.ts'
import { cpimText, sendCpm, writeCpim } from '../support/cpim-text.ts'
import { eventually } from '../support/eventually.ts'
import { HttpClient } from '../support/http-client.ts'
import { LargeSession } from '../support/large-message.ts'
import { displayed } from '../support/notify.ts'
import { Phone } from '../support/phone.ts'
import { awaitCalls } from '../support/phone-call.ts'
import type { SipText } from '../support/sip-text.ts'
import { prepareServer } from '../support/spawn-server.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { XcapClient } from '../support/xcap-client.ts'

const eventType = 'application/vnd.oma.cpm-eventfw+xml'
/** What a device registers with that takes messages and knows of the store. */
const able =
  '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg,urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.systemmsg"'
const instance = (number: number) => `urn:uuid:00000000-0000-1000-8000-00000000000${number}`

const isEvent = (message: SipText) => message.header('Content-Type') === eventType
const eventsIn = (message: SipText) => readStoreEvents(message.body)
const isHint = (message: SipText) => isEvent(message) && eventsIn(message).some(({ type }) => type === 'synchronize')

interface Change {
  readonly name: string
  readonly flag: string
  readonly ids: readonly string[]
}

const changesIn = (events: readonly StoreEvent[]): Change[] =>
  events.flatMap((event) =>
    event.type === 'flags'
      ? event.operations.map(({ name, flag, objects }) => ({
          name,
          flag,
          ids: objects.map((one) => one.messageId ?? ''),
        }))
      : [],
  )
const says = (message: SipText, name: string, flag: string, id: string) =>
  isEvent(message) &&
  changesIn(eventsIn(message)).some((one) => one.name === name && one.flag === flag && one.ids.includes(id))

const settings = { 'storage.default': 'always', 'devices.interval': '100ms' }

/** Two devices over TCP that know of the store, both told all there is. */
async function twoDevices(server: TestServer, user: string): Promise<readonly [Phone, Phone]> {
  const phones = [
    await server.phone(user, { transport: 'tcp' }),
    await server.phone(user, { transport: 'tcp' }),
  ] as const
  for (const [number, phone] of phones.entries()) await phone.register({ params: [able], instance: instance(number) })
  await eventually(async () => expect(await server.query('select 1 from device_cursors')).toHaveLength(2))
  await inStep(server)
  for (const phone of phones) while (phone.received.some(isHint)) phone.received.splice(0)
  return phones
}

/** Every device that is there knows all. */
const inStep = (server: TestServer) =>
  eventually(async () => {
    const behind = `select 1 from device_cursors c join mailboxes m on m.owner = c.owner and m.modseq > c.modseq
      where exists (select from bindings b where b.owner = c.owner and b.device = c.device and b.expires_at > now())`
    expect(await server.query(behind)).toEqual([])
  })

const flagsOf = async (server: TestServer, id: string, direction = 'in') => {
  const rows = await server.query(
    `select flags from messages where correlation_id = '${id}' and direction = '${direction}' and folder is not null`,
  )
  return rows[0]?.flags
}

const flag = (phone: Phone, to: string, operation: { name: 'add' | 'remove'; flag: string }, ...ids: string[]) =>
  phone.message(
    to,
    writeStoreEvents([
      { type: 'flags', operations: [{ ...operation, objects: ids.map((messageId) => ({ messageId })) }] },
    ]),
    {
      contentType: eventType,
    },
  )
const seen = { name: 'add', flag: '\\Seen' } as const
const deleted = { name: 'add', flag: '\\Deleted' } as const

async function receiveText(phone: Phone, text: string): Promise<SipText> {
  return await phone.receive('MESSAGE', (message) => message.text.endsWith(text))
}

describe('a change that one device makes', () => {
  let server: TestServer
  let alice: Phone
  let devices: readonly [Phone, Phone]
  beforeAll(async () => {
    server = await startServer({ settings })
    alice = await server.phone('alice')
    devices = await twoDevices(server, 'bob')
  })
  afterAll(() => server[Symbol.asyncDispose]())

  async function delivered(text: string): Promise<string> {
    const id = randomUUID()
    expect((await sendCpm(alice, server.aor('bob'), text, { id })).status).toBe(200)
    for (const phone of devices) await receiveText(phone, text)
    await inStep(server)
    return id
  }

  test('is made in the mailbox, and told to the other device, and not to itself', async () => {
    const [first, second] = devices
    const id = await delivered('to be read')
    expect((await flag(first, `sip:storage@${server.domain}`, seen, id)).status).toBe(200)
    expect(await flagsOf(server, id)).toEqual(['\\Seen'])
    const told = await second.receive('MESSAGE', (message) => says(message, 'add', '\\Seen', id))
    expect(told.header('P-Asserted-Service')).toBe('urn:urn-7:3gpp-service.ims.icsi.oma.cpm.systemmsg')
    expect(told.header('Accept-Contact')).toContain('cpm.systemmsg')
    expect((await flag(second, second.aor, { name: 'remove', flag: '\\Seen' }, id)).status).toBe(200)
    expect(await flagsOf(server, id)).toEqual([])
    await first.receive('MESSAGE', (message) => says(message, 'remove', '\\Seen', id))
    expect(first.received.filter((message) => says(message, 'add', '\\Seen', id))).toEqual([])
    expect(second.received.filter((message) => says(message, 'remove', '\\Seen', id))).toEqual([])
  })

  test('may be a deletion', async () => {
    const [first, second] = devices
    const id = await delivered('to be deleted')
    expect((await flag(first, first.aor, deleted, id)).status).toBe(200)
    await second.receive('MESSAGE', (message) => says(message, 'add', '\\Deleted', id))
    expect(await flagsOf(server, id)).toBeUndefined()
    expect((await flag(second, second.aor, seen, id)).status).toBe(200) // it is not there any more
  })

  test('may be said in message/cpim, and names all that has to be so', async () => {
    const [first] = devices
    const id = await delivered('in an envelope')
    const said = (otherParty: string) => {
      const operations = [{ ...seen, objects: [{ messageId: id, otherParty }] }]
      const xml = writeStoreEvents([{ type: 'flags', operations }]).toString()
      const body = `From: <${first.aor}>\r\nTo: <${first.aor}>\r\n\r\nContent-Type: ${eventType}\r\n\r\n${xml}`
      return first.message(first.aor, body, { contentType: 'message/cpim' })
    }
    expect((await said(server.aor('carol'))).status).toBe(200)
    expect(await flagsOf(server, id)).toEqual([])
    expect((await said(server.aor('alice'))).status).toBe(200)
    expect(await flagsOf(server, id)).toEqual(['\\Seen'])
  })

  test('may be said in a session with the server', async () => {
    const [first, second] = devices
    const id = await delivered('in a session')
    const service = 'urn:urn-7:3gpp-service.ims.icsi.oma.cpm.systemmsg'
    const headers = { 'P-Preferred-Service': service, 'Accept-Contact': `*;${able}` }
    await expect(LargeSession.open(server, first, server.aor('alice'), { headers })).rejects.toThrow('403')
    const session = await LargeSession.open(server, first, `sip:storage@${server.domain}`, { headers })
    const xml = writeStoreEvents([{ type: 'flags', operations: [{ ...seen, objects: [{ messageId: id }] }] }])
    expect(await session.send(xml, { contentType: eventType })).toBe('200 OK')
    await second.receive('MESSAGE', (message) => says(message, 'add', '\\Seen', id))
    expect(await session.send(Buffer.from('no XML'), { contentType: eventType })).not.toBe('200 OK')
    await session.call.dialog.bye()
    await session.msrp.close()
    expect(await server.metric('parley_store_event_sessions')).toBe(0)
    expect(first.received.filter((message) => says(message, 'add', '\\Seen', id))).toEqual([])
  })

  test('is told when it comes by a notification: who has displayed a message has seen it', async () => {
    const [first, second] = devices
    const id = randomUUID()
    await sendCpm(alice, server.aor('bob'), 'displayed', { id, want: 'display' })
    const got = await receiveText(first, 'displayed')
    await receiveText(second, 'displayed')
    expect((await displayed(first, got)).status).toBeLessThan(300)
    await second.receive('MESSAGE', (message) => says(message, 'add', '\\Seen', id))
    expect(await flagsOf(server, id)).toEqual(['\\Seen'])
  })

  test('is told when it comes by REST', async () => {
    const [first, second] = devices
    const id = await delivered('by REST')
    const [row] = await server.query(`select id from messages where correlation_id = '${id}' and direction = 'in'`)
    const path = `/nms/v1/parley/${encodeURIComponent(server.aor('bob'))}/objects/${row?.id}/flags/%5CSeen`
    const { status, text } = await new HttpClient(server, 'bob').ask('PUT', path)
    expect(status, text).toBeLessThan(300)
    for (const phone of [first, second]) await phone.receive('MESSAGE', (message) => says(message, 'add', '\\Seen', id))
  })

  test('is of one’s own mailbox only: others and strangers change nothing', async () => {
    const [first] = devices
    const id = await delivered('for bob')
    expect((await flag(alice, server.aor('bob'), deleted, id)).status).toBe(403)
    expect((await flag(alice, `sip:storage@${server.domain}`, deleted, id)).status).toBe(200)
    expect(await flagsOf(server, id)).toEqual([])
    const stranger = await server.phone('bob', { password: 'wrong' })
    expect((await flag(stranger, first.aor, deleted, id)).status).toBe(407)
    expect(await flagsOf(server, id)).toEqual([])
    expect(await flagsOf(server, id, 'out')).toBeUndefined() // alice has deleted her own copy
  })

  test.each([
    ['<cpm-evfw xmlns="urn:oma:xml:cpm:evfw">'],
    ['<cpm-evfw/>'],
    ['no XML'],
    [writeStoreEvents([{ type: 'flags', operations: [{ ...seen, objects: Array(501).fill({}) }] }]).toString()],
  ])('%# that cannot be read is refused', async (xml) => {
    const [first] = devices
    expect((await first.message(first.aor, xml, { contentType: eventType })).status).toBe(400)
  })

  test('many of them are told together', async () => {
    const [first, second] = devices
    const ids: string[] = []
    for (let number = 0; number < 100; number++) {
      const id = randomUUID()
      await sendCpm(alice, server.aor('bob'), `number ${number}.`, { id })
      ids.push(id)
    }
    for (const phone of devices) await receiveText(phone, 'number 99.')
    await inStep(server)
    second.received.splice(0)
    // Not all at once: that is more than a UDP socket holds, and the phone sends nothing twice.
    for (let at = 0; at < ids.length; at += 20) {
      await Promise.all(ids.slice(at, at + 20).map((id) => flag(first, first.aor, seen, id)))
    }
    await inStep(server)
    const told = second.received.filter(isEvent)
    const known = told.flatMap((message) => changesIn(eventsIn(message)).flatMap((change) => change.ids))
    expect(new Set(known)).toEqual(new Set(ids))
    expect(told.length).toBeLessThan(20)
    expect(first.received.filter(isEvent).flatMap((one) => changesIn(eventsIn(one)))).not.toContainEqual(
      expect.objectContaining({ ids: expect.arrayContaining(ids.slice(0, 1)) }),
    )
  })
})

test('what one device sends appears on the others that understand it, marked as sent, and on no other', async () => {
  await using server = await startServer({ settings })
  const [first, second] = await twoDevices(server, 'alice')
  const [legacy, bob] = [await server.online('alice'), await server.online('bob')]
  const id = randomUUID()
  expect((await sendCpm(first, bob.aor, 'from my desk', { id })).status).toBe(200)
  const copy = await second.receive('MESSAGE', (message) => !isEvent(message))
  expect(copy.header('Message-Direction')).toBe('sent')
  expect(copy.header('P-Asserted-Service')).toBe('urn:urn-7:3gpp-service.ims.icsi.oma.cpm.systemmsg')
  expect(copy.header('From')).toContain(`<${first.aor}>`)
  expect(copy.header('To')).toBe(`<${bob.aor}>`)
  expect(cpimText(copy)).toBe('from my desk')
  await inStep(server)
  await bob.message(first.aor, 'marker')
  for (const phone of [first, second, legacy]) await receiveText(phone, 'marker')
  expect(legacy.received.map(({ text }) => text)).toEqual(['marker'])
  // Who has the copy, or has sent it, need not be told that there is one.
  const told = [...first.received, ...second.received].filter(isEvent)
  expect(told.map(({ text }) => text)).toEqual([])
})

test('what is said in a chat with one device is told to the other', async () => {
  await using server = await startServer({ settings })
  const devices = await twoDevices(server, 'bob')
  for (const device of devices) device.answer = ({ method }) => (method === 'INVITE' ? 480 : 200)
  const [, second] = devices
  const [alice, first] = [await server.phone('alice'), await server.phone('bob')]
  await first.register({ params: [chatTag] })
  awaitCalls(first)
  const pair = await agreeOnChat(server, [alice, first], [], { ofInvite: chatHeaders })
  await Promise.all([pair.near.bind(), pair.far.bind()])
  const id = randomUUID()
  pair.near.client.send({
    to: pair.near.to,
    body: writeCpim(alice.aor, first.aor, id, 'in a chat'),
    contentType: 'message/cpim',
  })
  pair.far.client.respond(await pair.far.client.receive())
  const told = await second.receive('MESSAGE', (message) => isEvent(message) && message.text.includes(id))
  expect(told.text).toContain(`<other-party>${alice.aor}</other-party><message-id>${id}</message-id>`)
  await hangUp(pair)
})

test('a user who wants no copies hears of the stored one', async () => {
  await using server = await startServer({ settings })
  const document = '<service-settings xmlns="urn:parley:service-settings"><copies>never</copies></service-settings>'
  const path = `/org.parley.service-settings/users/${server.aor('alice')}/index`
  const type = 'application/vnd.parley.service-settings+xml'
  expect((await new XcapClient(server, 'alice').put(path, document, type)).status).toBe(201)
  const [first, second] = await twoDevices(server, 'alice')
  const bob = await server.online('bob')
  const id = randomUUID()
  await sendCpm(first, bob.aor, 'hello', { id })
  const told = await second.receive('MESSAGE', (message) => isEvent(message) && !isHint(message))
  expect(eventsIn(told)).toMatchObject([{ type: 'objects', objects: [{ messageId: id, otherParty: bob.aor }] }])
})

test('a device that was away is told what it has missed, once', async () => {
  await using server = await startServer({ settings })
  const alice = await server.phone('alice')
  const [first, second] = await twoDevices(server, 'bob')
  const id = randomUUID()
  await sendCpm(alice, server.aor('bob'), 'both have it', { id })
  for (const phone of [first, second]) await receiveText(phone, 'both have it')
  await inStep(server)
  await second.unregister({ params: [able], instance: instance(1) })
  await flag(first, first.aor, seen, id)
  await inStep(server)
  second.received.splice(0)
  await second.register({ params: [able], instance: instance(1) })
  await second.receive('MESSAGE', (message) => says(message, 'add', '\\Seen', id))
  await second.register({ params: [able], instance: instance(1) })
  await alice.message(server.aor('bob'), 'marker')
  await receiveText(second, 'marker')
  await inStep(server)
  expect(second.received.filter(isEvent)).toHaveLength(1)
})

test('a device that refuses is tried again a few times, and left alone until it registers', async () => {
  await using server = await startServer({ settings })
  const alice = await server.phone('alice')
  const [first, second] = await twoDevices(server, 'bob')
  const id = randomUUID()
  await sendCpm(alice, server.aor('bob'), 'both have it', { id })
  for (const phone of [first, second]) await receiveText(phone, 'both have it')
  await inStep(server)
  second.answer = (request) => (isEvent(request) ? 503 : 200)
  await flag(first, first.aor, seen, id)
  await second.receive('MESSAGE', isEvent)
  const behind = `select attempts, next_at is not null as planned from device_cursors where device = '${instance(1)}'`
  await eventually(async () => expect(await server.query(behind)).toEqual([{ attempts: 1, planned: true }]))
  second.answer = () => 200
  await second.register({ params: [able], instance: instance(1) })
  await second.receive('MESSAGE', (message) => says(message, 'add', '\\Seen', id))
})

test('a new device of a user with a mailbox is told to synchronise, and not what is in it', async () => {
  await using server = await startServer({ settings })
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  for (let number = 0; number < 3; number++) await alice.message(bob.aor, `number ${number}`)
  const device = await server.phone('bob', { transport: 'tcp' })
  await device.register({ params: [able], instance: instance(1) })
  const told = await device.receive('MESSAGE', isEvent)
  expect(eventsIn(told)).toEqual([{ type: 'synchronize' }])
})

test('what a server that was killed had not told is told by the one after it', { timeout: 120_000 }, async () => {
  await using server = await prepareServer({ settings: { ...settings, 'devices.interval': '1h' } })
  const file = join(server.dataDir, 'users.csv')
  const lines = ['alice', 'bob'].map((user) => `sip:${user}@parley.test,${passwordOf(user)}`)
  await writeFile(file, ['uri,password', ...lines].join('\n'))
  expect((await server.run('user', 'import', file)).code).toBe(0)
  await server.start()
  const open = (user: string) =>
    Phone.open({ user, domain: 'parley.test', password: passwordOf(user), place: server.address('udp') })
  await using alice = await open('alice')
  await using bob = await open('bob')
  await alice.message(bob.aor, 'so that there is a mailbox')
  await bob.register({ params: [able], instance: instance(0) })
  await bob.receive('MESSAGE', isHint)
  const id = randomUUID()
  await sendCpm(alice, bob.aor, 'hello', { id })
  await receiveText(bob, 'hello')
  expect((await flag(bob, bob.aor, seen, id)).status).toBe(200)
  await server.kill('SIGKILL')
  await server.start()
  await bob.receive('MESSAGE', (message) => says(message, 'add', '\\Seen', id))
})
