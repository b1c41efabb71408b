import { expect, test } from 'vitest'
import { isNotification, notificationOf } from '../support/cpim-text.ts'
import { eventually } from '../support/eventually.ts'
import {
  answerLarge,
  icsiOf,
  LargeSession,
  largeCpim,
  largeTag,
  placeLarge,
  receiveLarge,
  sendLarge,
  servicesTag,
  takeMessage,
} from '../support/large-message.ts'
import type { Phone } from '../support/phone.ts'
import { awaitCalls, ReceivedCall } from '../support/phone-call.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { elsewhere, startTwo } from '../support/two-servers.ts'

/** A registered phone with large messages, whose INVITEs the test answers. */
async function able(server: TestServer, user: string, instance?: string): Promise<Phone> {
  const phone = await server.phone(user)
  awaitCalls(phone)
  await register(phone, instance)
  return phone
}

async function register(phone: Phone, instance?: string, params: readonly string[] = [largeTag]): Promise<void> {
  const { status } = await phone.register({ params, ...(instance !== undefined && { instance }) })
  expect(status).toBe(200)
}

/** A session for one message from a phone to another one, which has answered. */
async function openThrough(server: TestServer, from: Phone, to: Phone) {
  const answering = answerLarge(server, to)
  const session = await LargeSession.open(server, from, to.aor)
  const { msrp: msrpAtBob, ...atBob } = await answering
  return { session, atBob, msrpAtBob }
}

/** Nothing is held any more. */
async function expectNothingHeld(server: TestServer): Promise<void> {
  await eventually(async () => {
    for (const name of ['parley_sessions', 'parley_msrp_sessions', 'parley_message_intakes']) {
      expect(await server.metric(name)).toBe(0)
    }
  })
}

const expectNothingWaits = (server: TestServer) =>
  eventually(async () => {
    expect(await server.query('select 1 from deferred')).toEqual([])
    expect(await server.query('select 1 from messages')).toEqual([])
  })

test.each([
  ['100 KB', 100_000],
  ['5 MiB', 5 * 1024 ** 2],
])('a large message of %s goes straight through to a device that is there, byte for byte', async (_, bytes) => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await able(server, 'bob')]
  const body = largeCpim(alice.aor, bob.aor, bytes)
  const receiving = receiveLarge(server, bob)
  expect(await sendLarge(server, alice, bob.aor, body)).toBe('200 OK')
  const { invite, ...message } = await receiving
  expect(message.body.equals(body)).toBe(true)
  expect(message.contentType).toBe('message/cpim')
  expect(invite.header('P-Asserted-Service')).toBe(icsiOf('largemsg'))
  await expectNothingHeld(server)
  await expectNothingWaits(server)
})

test.each([
  ['100 KB', 100_000],
  ['5 MiB', 5 * 1024 ** 2],
])('a large message of %s to somebody absent is kept, and comes in a session when they register', async (_, bytes) => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  awaitCalls(bob)
  const body = largeCpim(alice.aor, bob.aor, bytes)
  const headers = { 'Conversation-ID': 'conversation-1', 'Contribution-ID': 'contribution-1' }
  expect(await sendLarge(server, alice, bob.aor, body, { headers })).toBe('200 OK')
  expect(await server.query('select device from deferred')).toEqual([{ device: '' }])
  await register(bob)
  const { invite, ...message } = await receiveLarge(server, bob)
  expect(message.body.equals(body)).toBe(true)
  expect(message.contentType).toBe('message/cpim')
  for (const [name, value] of Object.entries(headers)) expect(invite.header(name)).toBe(value)
  expect(invite.header('P-Asserted-Service')).toBe(icsiOf('deferred'))
  expect(invite.header('Accept-Contact')).toContain('cpm.deferred')
  expect(invite.header('P-Asserted-Identity')).toBe(`<${alice.aor}>`)
  expect(invite.header('From')).toContain(alice.aor)
  await expectNothingWaits(server)
  await expectNothingHeld(server)
})

test('what its file-selector says to be too large is refused at once with Warning 133', async () => {
  await using server = await startServer({ settings: { 'session.maxLargeMessageSize': '100KiB' } })
  const [alice, bob] = [await server.phone('alice'), await able(server, 'bob')]
  for (const to of [bob.aor, server.aor('carol')]) {
    const sdp = 'a=file-selector:type:message/cpim size:102401\r\n'
    const refused = await placeLarge(alice, to, 'msrp://client.invalid:9/large;tcp', { sdp }).final
    expect(refused.status).toBe(403)
    expect(refused.header('Warning')).toMatch(/^133 \S+ "Size exceeded"$/)
  }
  expect(bob.received).toEqual([])
  await expectNothingHeld(server)
})

test('what turns out too large on its way is refused with 413, and ends that session only', async () => {
  await using server = await startServer({ settings: { 'session.maxLargeMessageSize': '100KiB' } })
  const [alice, bob, carol] = [await server.phone('alice'), await able(server, 'bob'), await able(server, 'carol')]
  const other = await openThrough(server, alice, carol)
  const { session, atBob } = await openThrough(server, alice, bob)
  session.chunk('large-1', Buffer.alloc(200_000, 'x'), 0, 100_000)
  expect((await session.msrp.receive()).what).toBe('413 Message Too Large')
  await session.call.dialog.receive('BYE')
  await atBob.dialog.receive('BYE')
  const body = largeCpim(alice.aor, carol.aor, 50_000)
  const taking = takeMessage(other.msrpAtBob)
  expect(await other.session.send(body)).toBe('200 OK')
  expect((await taking).body.equals(body)).toBe(true)
  await other.session.bye()
  await expectNothingHeld(server)
})

test('what turns out too large while it is taken in is refused with 413, and nothing of it is kept', async () => {
  await using server = await startServer({ settings: { 'session.maxLargeMessageSize': '100KiB' } })
  const alice = await server.phone('alice')
  const session = await LargeSession.open(server, alice, server.aor('bob'))
  const half = Buffer.alloc(60_000, 'x')
  session.chunk('large-1', half, 0, 30_000)
  expect((await session.msrp.receive()).what).toBe('200 OK')
  session.chunk('large-1', Buffer.alloc(200_000, 'x'), 30_000, 180_000)
  expect((await session.msrp.receive()).what).toBe('413 Message Too Large')
  await session.call.dialog.receive('BYE')
  await expectNothingHeld(server)
  await expectNothingWaits(server)
})

test('a second message in the session of one is refused, and ends it', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await able(server, 'bob')]
  const { session, atBob, msrpAtBob } = await openThrough(server, alice, bob)
  const body = largeCpim(alice.aor, bob.aor, 3000)
  const taking = takeMessage(msrpAtBob)
  expect(await session.send(body)).toBe('200 OK')
  await taking
  expect(await session.send(body)).toBe('403 Forbidden')
  await Promise.all([session.call.dialog.receive('BYE'), atBob.dialog.receive('BYE')])
  await expectNothingHeld(server)
})

test('a second message in a session that the server answered is refused as well, and one is kept', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const session = await LargeSession.open(server, alice, server.aor('bob'))
  expect(await session.send(largeCpim(alice.aor, server.aor('bob'), 3000))).toBe('200 OK')
  expect(await session.send(largeCpim(alice.aor, server.aor('bob'), 3000))).not.toBe('200 OK')
  await session.call.dialog.receive('BYE')
  expect(await server.query('select 1 from messages')).toHaveLength(1)
  await expectNothingHeld(server)
})

test('a device that does not answer in time gets the message later, and the sender does not wait for it', async () => {
  await using server = await startServer({
    settings: { 'message.deliverWithin': '300ms', 'message.retry.first': '300ms' },
  })
  const [alice, bob] = [await server.phone('alice'), await able(server, 'bob')]
  const body = largeCpim(alice.aor, bob.aor, 100_000)
  const sending = sendLarge(server, alice, bob.aor, body)
  const unanswered = await ReceivedCall.next(bob)
  unanswered.respond(180)
  await unanswered.cancelled()
  expect(await sending).toBe('200 OK')
  expect((await receiveLarge(server, bob)).body.equals(body)).toBe(true)
  await expectNothingWaits(server)
  await expectNothingHeld(server)
})

test.each([480, 486, 603])('a device that refuses with %i is tried again later', async (status) => {
  await using server = await startServer({
    settings: { 'message.retry.first': '300ms', 'message.retry.longest': '300ms' },
  })
  const [alice, bob] = [await server.phone('alice'), await able(server, 'bob')]
  const body = largeCpim(alice.aor, bob.aor, 20_000)
  const sending = sendLarge(server, alice, bob.aor, body)
  ;(await ReceivedCall.next(bob)).respond(status)
  expect(await sending).toBe('200 OK')
  ;(await ReceivedCall.next(bob)).respond(status)
  expect((await receiveLarge(server, bob)).body.equals(body)).toBe(true)
  await expectNothingWaits(server)
  await expectNothingHeld(server)
})

test('each of two devices that are there gets the message once', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const devices = [await able(server, 'bob', 'urn:uuid:1'), await able(server, 'bob', 'urn:uuid:2')]
  const body = largeCpim(alice.aor, server.aor('bob'), 100_000)
  const receiving = devices.map((phone) => receiveLarge(server, phone))
  expect(await sendLarge(server, alice, server.aor('bob'), body)).toBe('200 OK')
  for (const received of await Promise.all(receiving)) expect(received.body.equals(body)).toBe(true)
  await expectNothingWaits(server)
  for (const [at, phone] of devices.entries()) await register(phone, `urn:uuid:${at + 1}`)
  for (const phone of devices) expect(phone.received.filter(({ method }) => method === 'INVITE')).toHaveLength(1)
  await expectNothingHeld(server)
})

test('a device that is known, and away, gets the message as well when it is back', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const [phone, tablet] = [await able(server, 'bob', 'urn:uuid:1'), await able(server, 'bob', 'urn:uuid:2')]
  await tablet.unregister({ instance: 'urn:uuid:2' })
  const body = largeCpim(alice.aor, phone.aor, 100_000)
  const receiving = receiveLarge(server, phone)
  expect(await sendLarge(server, alice, phone.aor, body)).toBe('200 OK')
  expect((await receiving).body.equals(body)).toBe(true)
  await register(tablet, 'urn:uuid:2')
  expect((await receiveLarge(server, tablet)).body.equals(body)).toBe(true)
  await expectNothingWaits(server)
  await expectNothingHeld(server)
})

test('the same message sent twice is kept once', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  awaitCalls(bob)
  const body = largeCpim(alice.aor, bob.aor, 200_000, 'same-id')
  for (let times = 0; times < 2; times++) expect(await sendLarge(server, alice, bob.aor, body)).toBe('200 OK')
  expect(await server.query('select device from deferred')).toHaveLength(1)
  await register(bob)
  expect((await receiveLarge(server, bob)).body.equals(body)).toBe(true)
  await expectNothingWaits(server)
  expect(bob.received.filter(({ method }) => method === 'INVITE')).toHaveLength(1)
})

test('several that were kept come one after the other, oldest first, between pager messages', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  awaitCalls(bob)
  const bodies = [200_000, 2000, 300_000].map((bytes) => largeCpim(alice.aor, bob.aor, bytes))
  for (const body of bodies) await sendLarge(server, alice, bob.aor, body)
  await alice.message(bob.aor, 'last')
  await register(bob)
  for (const body of bodies) expect((await receiveLarge(server, bob)).body.equals(body)).toBe(true)
  expect((await bob.receive('MESSAGE')).text).toBe('last')
  const methods = bob.received.map(({ method }) => method).filter((method) => method !== 'BYE')
  expect(methods).toEqual(['INVITE', 'INVITE', 'INVITE', 'MESSAGE'])
  await expectNothingWaits(server)
  await expectNothingHeld(server)
})

test('what was kept before a restart is delivered after it', async () => {
  await using first = await startServer()
  const alice = await first.phone('alice')
  const body = largeCpim(alice.aor, first.aor('bob'), 200_000)
  expect(await sendLarge(first, alice, first.aor('bob'), body)).toBe('200 OK')
  await first.stop()
  const second = await startServer({ databaseUrl: first.databaseUrl })
  const bob = await able(second, 'bob')
  expect((await receiveLarge(second, bob)).body.equals(body)).toBe(true)
  await expectNothingWaits(second)
  await second.stop()
})

test('a device that vanishes in the middle of a delivery gets all of it when it is back', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  awaitCalls(bob)
  const body = largeCpim(alice.aor, bob.aor, 400_000)
  await sendLarge(server, alice, bob.aor, body)
  await register(bob)
  const { msrp, dialog } = await answerLarge(server, bob)
  await msrp.receive()
  await dialog.bye()
  await msrp.close()
  await eventually(async () => expect(await server.query('select attempts from deferred')).toEqual([{ attempts: 1 }]))
  await register(bob)
  expect((await receiveLarge(server, bob)).body.equals(body)).toBe(true)
  await expectNothingWaits(server)
  await expectNothingHeld(server)
})

/** Long enough for a connection to come back, were it to. */
const absence = { 'msrp.limits.absence': '1s' }

test('of a sender who vanishes halfway nothing is kept, and everything is free again', async () => {
  await using server = await startServer({ settings: absence })
  const alice = await server.phone('alice')
  const session = await LargeSession.open(server, alice, server.aor('bob'))
  session.chunk('large-1', Buffer.alloc(200_000, 'x'), 0, 100_000)
  expect((await session.msrp.receive()).what).toBe('200 OK')
  expect(await server.metric('parley_message_intakes')).toBe(1)
  await session.msrp.close()
  await session.call.dialog.receive('BYE') // once the connection has not come back
  await expectNothingHeld(server)
  await expectNothingWaits(server)
})

test.each(['sender', 'device'])(
  'a %s that vanishes while a message goes straight through ends it for both',
  async (who) => {
    await using server = await startServer({ settings: absence })
    const [alice, bob] = [await server.phone('alice'), await able(server, 'bob')]
    const { session, atBob, msrpAtBob } = await openThrough(server, alice, bob)
    session.chunk('large-1', Buffer.alloc(200_000, 'x'), 0, 100_000)
    for (let half: Buffer | undefined; half === undefined; ) half = (await msrpAtBob.receive()).body
    await (who === 'sender' ? session.msrp : msrpAtBob).close()
    await Promise.all([session.call.dialog.receive('BYE'), atBob.dialog.receive('BYE')])
    await expectNothingHeld(server)
    await expectNothingWaits(server)
  },
)

test('a device on WebSocket gets what was kept over WebSocket', async () => {
  const settings = { 'msrp.listen': 'tcp:127.0.0.1:0,ws:127.0.0.1:0' }
  await using server = await startServer({ settings })
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob', { transport: 'ws' })]
  awaitCalls(bob)
  const body = largeCpim(alice.aor, bob.aor, 150_000)
  expect(await sendLarge(server, alice, bob.aor, body)).toBe('200 OK')
  await register(bob)
  const { invite, ...message } = await receiveLarge(server, bob, 'ws')
  expect(invite.text).toMatch(/^m=message \d+ TCP\/WS\/MSRP \*\r$/m)
  expect(message.body.equals(body)).toBe(true)
  await expectNothingWaits(server)
  await expectNothingHeld(server)
})

test('a sender who says no BYE hears the server say it', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const session = await LargeSession.open(server, alice, server.aor('bob'))
  expect(await session.send(largeCpim(alice.aor, server.aor('bob'), 3000))).toBe('200 OK')
  await session.call.dialog.receive('BYE')
  await expectNothingHeld(server)
})

const pagerTag = servicesTag('msg')

test('a device with pager messages only gets what fits as one, and not in a session', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  awaitCalls(bob)
  await register(bob, undefined, [pagerTag])
  const body = largeCpim(alice.aor, bob.aor, 1300)
  expect(await sendLarge(server, alice, bob.aor, body)).toBe('200 OK')
  const message = await bob.receive('MESSAGE')
  expect(message.body.equals(body)).toBe(true)
  expect(message.header('Content-Type')).toBe('message/cpim')
  expect(message.header('P-Asserted-Service')).toBe(icsiOf('msg'))
  expect(message.header('Accept-Contact')).toContain('cpm.msg')
  expect(bob.received.map(({ method }) => method)).toEqual(['MESSAGE'])
  await expectNothingWaits(server)
  await expectNothingHeld(server)
})

test('over a connection a device with pager messages only gets what is as large as they may be', async () => {
  await using server = await startServer({ settings: { 'message.maxBytes': '20KiB' } })
  const [alice, bob] = [await server.online('alice'), await server.phone('bob', { transport: 'tcp' })]
  await register(bob, undefined, [pagerTag])
  const fits = largeCpim(alice.aor, bob.aor, 20_480)
  await sendLarge(server, alice, bob.aor, fits)
  expect((await bob.receive('MESSAGE')).body.equals(fits)).toBe(true)
  await sendLarge(server, alice, bob.aor, largeCpim(alice.aor, bob.aor, 20_481, 'too-large', 'negative-delivery'))
  const told = await alice.receive('MESSAGE', isNotification)
  expect(notificationOf(told)).toEqual({ messageId: 'too-large', disposition: 'failed' })
  await expectNothingWaits(server)
})

test.each([undefined, 488, 501])(
  'who has no way to get it: the sender who asked is told (INVITE refused with %s)',
  async (status) => {
    await using server = await startServer()
    const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
    bob.answer = (request) => (request.method === 'INVITE' ? (status ?? 500) : 200)
    await register(bob, undefined, status === undefined ? [pagerTag] : [])
    for (const [id, want] of [
      ['not-asked', 'positive-delivery'],
      ['asked', 'negative-delivery'],
    ] as const) {
      const body = largeCpim(alice.aor, bob.aor, 150_000, id, want)
      expect(await sendLarge(server, alice, bob.aor, body)).toBe('200 OK')
    }
    const told = await alice.receive('MESSAGE', isNotification)
    expect(notificationOf(told)).toEqual({ messageId: 'asked', disposition: 'failed' })
    expect(told.header('From')).toContain(bob.aor)
    await expectNothingWaits(server)
    await expectNothingHeld(server)
    expect(bob.received.some(({ method }) => method === 'MESSAGE')).toBe(false)
  },
)

test.each([405, 415, 488, 501])(
  'a plain device that refuses the session with %i gets what fits as a pager message',
  async (status) => {
    await using server = await startServer()
    const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
    bob.answer = (request) => (request.method === 'INVITE' ? status : 200)
    await bob.register()
    const body = largeCpim(alice.aor, bob.aor, 1200)
    expect(await sendLarge(server, alice, bob.aor, body)).toBe('200 OK')
    expect((await bob.receive('MESSAGE')).body.equals(body)).toBe(true)
    await expectNothingWaits(server)
    await expectNothingHeld(server)
  },
)

test('of two devices the one that has no way to get it does not keep the other from it', async () => {
  await using server = await startServer()
  const [alice, phone] = [await server.online('alice'), await server.phone('bob')]
  await register(phone, 'urn:uuid:1', [pagerTag])
  const tablet = await able(server, 'bob', 'urn:uuid:2')
  const body = largeCpim(alice.aor, tablet.aor, 150_000, 'one-of-two', 'negative-delivery')
  const receiving = receiveLarge(server, tablet)
  expect(await sendLarge(server, alice, tablet.aor, body)).toBe('200 OK')
  expect((await receiving).body.equals(body)).toBe(true)
  await expectNothingWaits(server)
  expect(alice.received.filter(isNotification)).toEqual([])
})

test('a large message past its Expires is not delivered, and the sender who asked is told', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const body = largeCpim(alice.aor, bob.aor, 200_000, 'expiring', 'negative-delivery')
  expect(await sendLarge(server, alice, bob.aor, body, { headers: { Expires: '1' } })).toBe('200 OK')
  const told = await alice.receive('MESSAGE', isNotification)
  expect(notificationOf(told)).toEqual({ messageId: 'expiring', disposition: 'failed' })
  await expectNothingWaits(server)
})

const always = { 'storage.default': 'always' }
const history = 'select direction, stored, octet_length(request) as bytes from messages order by 1'
const rowOf = (direction: 'in' | 'out') => ({ direction, stored: true })

test('with storage.default=always sender and recipient have a row each before the sender hears of success', async () => {
  await using server = await startServer({ settings: always })
  const [alice, bob] = [await server.phone('alice'), await able(server, 'bob')]
  const body = largeCpim(alice.aor, bob.aor, 200_000)
  const receiving = receiveLarge(server, bob)
  const session = await LargeSession.open(server, alice, bob.aor)
  expect(await session.send(body)).toBe('200 OK')
  const rows = await server.query(history)
  expect(rows).toMatchObject([rowOf('in'), rowOf('out')])
  for (const { bytes } of rows) expect(bytes).toBeGreaterThan(body.length)
  await session.bye()
  expect((await receiving).body.equals(body)).toBe(true)
  await expectNothingHeld(server)
})

test('with storage.default=always what was kept stays in both histories when it was delivered', async () => {
  await using server = await startServer({ settings: always })
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  awaitCalls(bob)
  const body = largeCpim(alice.aor, bob.aor, 200_000)
  expect(await sendLarge(server, alice, bob.aor, body)).toBe('200 OK')
  await register(bob)
  expect((await receiveLarge(server, bob)).body.equals(body)).toBe(true)
  await eventually(async () => expect(await server.query('select 1 from deferred')).toEqual([]))
  expect(await server.query(history)).toMatchObject([rowOf('in'), rowOf('out')])
  await expectNothingHeld(server)
})

test('with storage.default=always each home of two has the row of its own user', async () => {
  const [parley, other] = await startTwo('tcp', always)
  await using _ = parley
  await using __ = other
  const [alice, bob] = [await parley.phone('alice', elsewhere), await other.phone('bob', elsewhere)]
  awaitCalls(bob)
  await register(bob)
  const body = largeCpim(alice.aor, bob.aor, 300_000)
  const receiving = receiveLarge(other, bob)
  expect(await sendLarge(parley, alice, bob.aor, body)).toBe('200 OK')
  expect(await parley.query(history)).toMatchObject([rowOf('out')])
  expect(await other.query(history)).toMatchObject([rowOf('in')])
  expect((await receiving).body.equals(body)).toBe(true)
  for (const server of [parley, other]) await expectNothingHeld(server)
})

test('with message.absent=discard a large message to somebody absent is answered 480', async () => {
  await using server = await startServer({ settings: { 'message.absent': 'discard' } })
  const alice = await server.phone('alice')
  expect((await placeLarge(alice, server.aor('bob'), 'msrp://client.invalid:9/large;tcp').final).status).toBe(480)
  await expectNothingHeld(server)
})

test('a large message to a user of another domain goes through both servers', async () => {
  const [parley, other] = await startTwo('tcp')
  await using _ = parley
  await using __ = other
  const alice = await parley.phone('alice', elsewhere)
  const bob = await other.phone('bob', elsewhere)
  awaitCalls(bob)
  await register(bob)
  const body = largeCpim(alice.aor, bob.aor, 300_000)
  const receiving = receiveLarge(other, bob)
  expect(await sendLarge(parley, alice, bob.aor, body)).toBe('200 OK')
  expect((await receiving).body.equals(body)).toBe(true)
  for (const server of [parley, other]) await expectNothingHeld(server)
})

test('to an absent user of another domain it is kept there', async () => {
  const [parley, other] = await startTwo('tcp')
  await using _ = parley
  await using __ = other
  const alice = await parley.phone('alice', elsewhere)
  const body = largeCpim(alice.aor, other.aor('bob'), 100_000)
  expect(await sendLarge(parley, alice, other.aor('bob'), body)).toBe('200 OK')
  const bob = await other.phone('bob', elsewhere)
  awaitCalls(bob)
  await register(bob)
  const { invite, ...message } = await receiveLarge(other, bob)
  expect(message.body.equals(body)).toBe(true)
  expect(invite.header('P-Asserted-Identity')).toBe(`<${alice.aor}>`)
  for (const server of [parley, other]) await expectNothingHeld(server)
})
