import { expect, test } from 'vitest'
import { cpimText, icsiMessage, icsiTag, sendCpm } from '../support/cpim-text.ts'
import { startServer } from '../support/start-server.ts'

test('a message reaches a registered user, and the sender gets the answer of the device', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const bob = await server.online('bob')
  bob.answer = () => ({ status: 200, reason: 'Gladly' })
  expect(await alice.message(bob.aor, 'hello bob')).toMatchObject({ status: 200 })
  const received = await bob.receive('MESSAGE')
  expect(received.text).toBe('hello bob')
  expect(received.uri).toBe(bob.contact)
})

test('From, To, Call-ID, CSeq and unknown header fields pass unchanged, and one hop is taken', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const bob = await server.online('bob')
  const headers = { 'X-Colour': 'blue', Subject: 'tea', 'Max-Forwards': '20' }
  await alice.message(bob.aor, 'tea?', {
    headers,
    from: '"Alice" <sip:alice@parley.test>;tag=a1',
    to: `Bob <${bob.aor}>`,
  })
  const received = await bob.receive('MESSAGE')
  expect(received.header('From')).toBe('"Alice" <sip:alice@parley.test>;tag=a1')
  expect(received.header('To')).toBe(`Bob <${bob.aor}>`)
  expect(received.header('X-Colour')).toBe('blue')
  expect(received.header('Subject')).toBe('tea')
  expect(received.header('Max-Forwards')).toBe('19')
  expect(received.header('CSeq')).toMatch(/^\d+ MESSAGE$/)
  expect(received.all('Via')).toHaveLength(2)
})

test('Call-ID and CSeq are those that the sender chose', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const bob = await server.online('bob')
  await alice.message(bob.aor, 'one') // brings the challenge, so that the next one goes through at once
  await bob.receive('MESSAGE')
  await alice.message(bob.aor, 'two', { headers: { 'Call-ID': 'mine@alice', CSeq: '4711 MESSAGE' } })
  const received = await bob.receive('MESSAGE')
  expect([received.header('Call-ID'), received.header('CSeq')]).toEqual(['mine@alice', '4711 MESSAGE'])
})

test('what is missing is added: Date, Conversation-ID and Contribution-ID', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const bob = await server.online('bob')
  await alice.message(bob.aor, 'plain')
  const received = await bob.receive('MESSAGE')
  expect(received.header('Date')).toMatch(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
  expect(received.header('Conversation-ID')).toMatch(/^[0-9a-f-]{36}$/)
  expect(received.header('Contribution-ID')).toMatch(/^[0-9a-f-]{36}$/)
})

test('ids and Date that came are kept as they are, malformed ones too', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const bob = await server.online('bob')
  const headers = {
    'Conversation-ID': 'not a uuid!',
    'Contribution-ID': '{42}',
    Date: 'Sat, 13 Nov 2010 23:29:00 GMT',
  }
  expect((await alice.message(bob.aor, 'odd', { headers })).status).toBe(200)
  const received = await bob.receive('MESSAGE')
  for (const [name, value] of Object.entries(headers)) expect(received.header(name)).toBe(value)
})

test('credentials and the preferred identity do not reach the recipient', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const bob = await server.online('bob')
  await alice.message(bob.aor, 'secret', { headers: { 'P-Preferred-Identity': '<sip:alice@parley.test>' } })
  const received = await bob.receive('MESSAGE')
  expect(received.header('Proxy-Authorization')).toBeUndefined()
  expect(received.header('Authorization')).toBeUndefined()
  expect(received.header('P-Preferred-Identity')).toBeUndefined()
})

test('a CPM message keeps its body and its tags, and the service it prefers is asserted', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const bob = await server.phone('bob')
  await bob.register({ params: [icsiTag] })
  expect((await sendCpm(alice, bob.aor, 'hello in CPIM')).status).toBe(200)
  const received = await bob.receive('MESSAGE')
  expect(cpimText(received)).toBe('hello in CPIM')
  expect(received.header('P-Asserted-Service')).toBe(icsiMessage)
  expect(received.header('P-Preferred-Service')).toBeUndefined()
  expect(received.header('Accept-Contact')).toBe(`*;${icsiTag};require;explicit`)
})

test('every device of a user gets a message, and one that declines for all does not stop the others', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const [desk, mobile] = [await server.online('bob'), await server.online('bob', { transport: 'tcp' })]
  desk.answer = () => 603
  expect((await alice.message(server.aor('bob'), 'to both')).status).toBe(200)
  expect((await desk.receive('MESSAGE')).text).toBe('to both')
  expect((await mobile.receive('MESSAGE')).text).toBe('to both')
})

test('Accept-Contact chooses among the devices of a user that tell what they can do', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const [camera, cpm] = [await server.phone('bob'), await server.phone('bob')]
  await camera.register({ params: ['video', '+g.oma.sip-im'] })
  await cpm.register({ params: [icsiTag] })
  await sendCpm(alice, server.aor('bob'), 'for CPM clients')
  expect(cpimText(await cpm.receive('MESSAGE'))).toBe('for CPM clients')
  await alice.message(server.aor('bob'), 'for all')
  expect((await cpm.receive('MESSAGE')).text).toBe('for all')
  await camera.receive('MESSAGE', (message) => message.text === 'for all')
  expect(camera.received).toHaveLength(1)
})

test('a plain client that tells nothing of itself gets what is for CPM clients as well (RFC 3841 §7.2.1)', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const [plain, cpm] = [await server.online('bob'), await server.phone('bob')]
  await cpm.register({ params: [icsiTag] })
  expect((await sendCpm(alice, server.aor('bob'), 'for CPM clients')).status).toBe(200)
  for (const phone of [plain, cpm]) expect(cpimText(await phone.receive('MESSAGE'))).toBe('for CPM clients')
})

test('when no device matches Accept-Contact, all devices get the message', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const bob = await server.phone('bob')
  await bob.register({ params: ['video', '+g.oma.sip-im'] })
  expect((await sendCpm(alice, bob.aor, 'to whoever is there')).status).toBe(200)
  expect(cpimText(await bob.receive('MESSAGE'))).toBe('to whoever is there')
})

test('somebody unknown in our domain is answered 404', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  expect((await alice.message(server.aor('nobody'), 'hello?')).status).toBe(404)
})

test.each([
  'tel:+15550002',
  'tel:+1-555-0002',
  'sip:+15550002@parley.test;user=phone',
  'sip:+1(555)0002@parley.test;user=phone',
  'sip:bob@PARLEY.TEST',
])('%s is bob', async (uri) => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const bob = await server.online('bob')
  expect((await alice.message(uri, 'by number')).status).toBe(200)
  expect((await bob.receive('MESSAGE')).text).toBe('by number')
})

test('when no device answers in time the message is accepted, and delivered at the next registration', async () => {
  await using server = await startServer({ settings: { 'message.deliverWithin': '300ms' } })
  const alice = await server.phone('alice')
  const bob = await server.online('bob')
  bob.answer = () => 'silence'
  expect((await alice.message(bob.aor, 'later then')).status).toBe(202)
  bob.answer = () => 200
  await bob.receive('MESSAGE')
  await bob.register()
  expect((await bob.receive('MESSAGE')).text).toBe('later then')
})

test('when every device refuses, the message is accepted and kept', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const bob = await server.online('bob')
  bob.answer = () => 486
  expect((await alice.message(bob.aor, 'busy?')).status).toBe(202)
  bob.answer = () => 200
  await bob.receive('MESSAGE')
  await bob.register()
  expect((await bob.receive('MESSAGE')).text).toBe('busy?')
})

test('a device that did not answer while another accepted gets the message when it comes back', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const [quick, slow] = [await server.online('bob'), await server.online('bob')]
  slow.answer = () => 'silence'
  expect((await alice.message(server.aor('bob'), 'for both')).status).toBe(200)
  await slow.receive('MESSAGE')
  slow.answer = () => 200
  await slow.register()
  expect((await slow.receive('MESSAGE')).text).toBe('for both')
  await alice.message(server.aor('bob'), 'marker')
  await quick.receive('MESSAGE', (message) => message.text === 'marker')
  expect(quick.received.map((message) => message.text)).toEqual(['for both', 'marker'])
})

test('a message to oneself reaches the own devices', async () => {
  await using server = await startServer()
  const alice = await server.online('alice')
  expect((await alice.message(alice.aor, 'note to self')).status).toBe(200)
  expect((await alice.receive('MESSAGE')).text).toBe('note to self')
})
