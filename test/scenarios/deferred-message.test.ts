import { expect, test } from 'vitest'
import { isNotification, messageIdOf, notificationOf, sendCpm } from '../support/cpim-text.ts'
import { startServer } from '../support/start-server.ts'

test('a message to an absent user is accepted, kept, and delivered when they register', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  expect((await alice.message(bob.aor, 'are you there?')).status).toBe(202)
  expect((await bob.register()).status).toBe(200)
  expect((await bob.receive('MESSAGE')).body).toEqual(Buffer.from('are you there?'))
})

test('what was kept arrives as it was sent: From, To, Call-ID, CSeq, Date and unknown header fields', async () => {
  await using server = await startServer()
  const [alice, carol] = [await server.phone('alice'), await server.online('carol')]
  await alice.message(carol.aor, 'brings the challenge')
  const sent = {
    'Call-ID': 'kept@alice',
    CSeq: '99 MESSAGE',
    Date: 'Sat, 13 Nov 2010 23:29:00 GMT',
    'X-Colour': 'blue',
    From: '<sip:alice@parley.test>;tag=kept',
    To: '<sip:bob@parley.test>',
  }
  expect((await alice.message(server.aor('bob'), 'kept', { headers: sent })).status).toBe(202)
  const received = await (await server.online('bob')).receive('MESSAGE')
  for (const [name, value] of Object.entries(sent)) expect(received.header(name)).toBe(value)
})

test('kept messages arrive oldest first, one at a time', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  const texts = Array.from({ length: 20 }, (_, at) => `number ${at}`)
  for (const text of texts) expect((await alice.message(bob.aor, text)).status).toBe(202)
  let open = 0
  let most = 0
  bob.answer = async () => {
    most = Math.max(most, ++open)
    await alice.request('OPTIONS', `sip:${server.domain}`) // time for the next one to come, were it sent
    open--
    return 200
  }
  await bob.register()
  await bob.receive('MESSAGE', (message) => message.text === 'number 19')
  expect(bob.received.map((message) => message.text)).toEqual(texts)
  expect(most).toBe(1)
})

test('a device gets a kept message once, however often it registers', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  await alice.message(bob.aor, 'once')
  for (let times = 0; times < 3; times++) await bob.register()
  await bob.receive('MESSAGE')
  await bob.register()
  await alice.message(bob.aor, 'marker')
  await bob.receive('MESSAGE')
  expect(bob.received.map((message) => message.text)).toEqual(['once', 'marker'])
})

test('each device that is known gets what was kept, each once', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const instances = ['urn:uuid:00000000-0000-1000-8000-000000000001', 'urn:uuid:00000000-0000-1000-8000-000000000002']
  const [desk, mobile] = [await server.phone('bob'), await server.phone('bob')]
  const devices = [desk, mobile].map((phone, at) => ({ phone, instance: instances[at] ?? '' }))
  for (const { phone, instance } of devices) await phone.register({ instance })
  for (const { phone, instance } of devices) await phone.unregister({ instance })
  expect((await alice.message(server.aor('bob'), 'for each')).status).toBe(202)
  for (const { phone, instance } of devices) {
    await phone.register({ instance })
    expect((await phone.receive('MESSAGE')).text).toBe('for each')
  }
  await alice.message(server.aor('bob'), 'marker')
  for (const { phone } of devices) {
    await phone.receive('MESSAGE', (message) => message.text === 'marker')
    expect(phone.received.map((message) => message.text)).toEqual(['for each', 'marker'])
  }
})

test('a device that refuses a kept message is tried again by itself', async () => {
  await using server = await startServer({ settings: { 'message.retry.first': '200ms' } })
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  await alice.message(bob.aor, 'try again')
  bob.answer = () => (bob.received.length < 3 ? 503 : 200)
  await bob.register()
  const copies = [await bob.receive('MESSAGE'), await bob.receive('MESSAGE'), await bob.receive('MESSAGE')]
  expect(new Set(copies.map((copy) => copy.header('Call-ID'))).size).toBe(1)
  await alice.message(bob.aor, 'marker')
  await bob.receive('MESSAGE', (message) => message.text === 'marker')
  expect(bob.received).toHaveLength(4)
})

test('a kept message that is refused does not keep the other devices from theirs', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const [desk, mobile] = [await server.phone('bob'), await server.phone('bob')]
  await desk.register({ instance: 'urn:uuid:00000000-0000-1000-8000-000000000001' })
  await mobile.register({ instance: 'urn:uuid:00000000-0000-1000-8000-000000000002' })
  desk.answer = () => 606
  mobile.answer = () => 606
  expect((await alice.message(server.aor('bob'), 'for one')).status).toBe(202)
  mobile.answer = () => 200
  await mobile.receive('MESSAGE')
  await mobile.register({ instance: 'urn:uuid:00000000-0000-1000-8000-000000000002' })
  expect((await mobile.receive('MESSAGE')).text).toBe('for one')
})

test('a message past its Expires is not delivered, and the sender who asked is told', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const sent = await sendCpm(alice, bob.aor, 'now or never', {
    id: 'expiring-1',
    want: 'negative-delivery',
    headers: { Expires: '1' },
  })
  expect(sent.status).toBe(202)
  const told = await alice.receive('MESSAGE', isNotification)
  expect(notificationOf(told)).toEqual({ messageId: 'expiring-1', disposition: 'failed' })
  await alice.message(bob.aor, 'marker')
  await bob.register()
  expect((await bob.receive('MESSAGE')).text).toBe('marker')
})

test('with message.absent=discard a message to somebody absent is answered 480 and not kept', async () => {
  await using server = await startServer({ settings: { 'message.absent': 'discard' } })
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  expect((await alice.message(bob.aor, 'gone')).status).toBe(480)
  await bob.register()
  expect((await alice.message(bob.aor, 'marker')).status).toBe(200)
  expect((await bob.receive('MESSAGE')).text).toBe('marker')
})

test('a message that is sent again while kept is one message', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  const one = { id: 'same-id' }
  expect((await sendCpm(alice, bob.aor, 'the same', one)).status).toBe(202)
  expect((await sendCpm(alice, bob.aor, 'the same', one)).status).toBe(202)
  await alice.message(bob.aor, 'marker')
  await bob.register()
  await bob.receive('MESSAGE', (message) => message.text === 'marker')
  expect(bob.received.map(messageIdOf).filter((id) => id === 'same-id')).toHaveLength(1)
})
