import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chatSdp } from '../support/chat-sdp.ts'
import { eventually } from '../support/eventually.ts'
import { awaitCalls, PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { XcapClient } from '../support/xcap-client.ts'

const type = 'application/vnd.parley.service-settings+xml'
const document = (content: string) =>
  `<service-settings xmlns="urn:parley:service-settings">${content}</service-settings>`
const place = (server: TestServer, user: string) => `/org.parley.service-settings/users/${server.aor(user)}/index`

/** From now on, that user has these settings. */
async function set(server: TestServer, user: string, content: string): Promise<void> {
  const { status, text } = await new XcapClient(server, user).put(place(server, user), document(content), type)
  expect(status, text).toBeLessThan(300)
}

const blocked = (content: string) => `<senders><blocked>${content}</blocked></senders>`
const rules = (content: string) => `<reception>${content}</reception>`
const desk = 'urn:uuid:00000000-0000-1000-8000-00000000000a'
const pocket = 'urn:uuid:00000000-0000-1000-8000-00000000000b'

describe('senders', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('a sender is blocked, and let in again, from the very next message on', async () => {
    const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
    expect((await alice.message(bob.aor, 'first')).status).toBe(200)
    await set(server, 'bob', blocked(`<sender uri="${alice.aor}"/>`))
    expect((await alice.message(bob.aor, 'second')).status).toBe(403)
    await set(server, 'bob', blocked(`<sender uri="tel:+15550001"/>`))
    expect((await alice.message(bob.aor, 'from the other address')).status).toBe(403)
    const { status } = await new XcapClient(server, 'bob').delete(place(server, 'bob'))
    expect(status).toBe(200)
    expect((await alice.message(bob.aor, 'third')).status).toBe(200)
    expect(bob.received.map(({ text }) => text)).toEqual(['first', 'third'])
  })

  test('a change of one element is a change', async () => {
    const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
    await set(server, 'bob', blocked(''))
    expect((await alice.message(bob.aor, 'before')).status).toBe(200)
    const client = new XcapClient(server, 'bob')
    const node = `${place(server, 'bob')}/~~/service-settings/senders/blocked/domain`
    expect((await client.putElement(node, `<domain name="${server.domain}"/>`)).status).toBe(201)
    expect((await alice.message(bob.aor, 'after')).status).toBe(403)
    expect((await client.delete(node)).status).toBe(200)
    expect((await alice.message(bob.aor, 'again')).status).toBe(200)
  })

  test('only those who are allowed come through where others are blocked, and what tells of one’s own messages', async () => {
    const [alice, carol, bob] = [await server.online('alice'), await server.phone('carol'), await server.online('bob')]
    await set(server, 'bob', `<senders others="block"><allowed><sender uri="${carol.aor}"/></allowed></senders>`)
    expect((await alice.message(bob.aor, 'a')).status).toBe(403)
    expect((await carol.message(bob.aor, 'c')).status).toBe(200)
    const told =
      '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>m1</message-id><datetime>2010-11-13T23:29:00Z</datetime>' +
      '<delivery-notification><status><delivered/></status></delivery-notification></imdn>'
    const notification = { contentType: 'message/imdn+xml', headers: { 'Content-Disposition': 'notification' } }
    expect((await alice.message(bob.aor, told, notification)).status).toBe(200)
  })

  test('anonymous senders are blocked, and who is blocked is so in disguise', async () => {
    const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
    await set(server, 'bob', blocked('<anonymous/>'))
    const disguise = { headers: { Privacy: 'id', From: '<sip:anonymous@anonymous.invalid>;tag=a' } }
    expect((await alice.message(bob.aor, 'who am I', disguise)).status).toBe(403)
    expect((await alice.message(bob.aor, 'it is me')).status).toBe(200)
    await set(server, 'bob', blocked(`<sender uri="${alice.aor}"/>`))
    expect((await alice.message(bob.aor, 'who am I now', disguise)).status).toBe(403)
  })

  test('a caller who is blocked reaches no device', async () => {
    const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
    awaitCalls(bob)
    await set(server, 'bob', blocked(`<sender uri="${alice.aor}"/>`))
    const sdp = chatSdp({ path: 'msrp://client.invalid:9/a;tcp' })
    expect((await new PlacedCall(alice, bob.aor, { sdp }).final).status).toBe(403)
    expect(bob.received.filter(({ method }) => method === 'INVITE')).toEqual([])
    await set(server, 'bob', blocked(''))
    const placed = new PlacedCall(alice, bob.aor, { sdp })
    const received = await ReceivedCall.next(bob)
    void received.answer(chatSdp({ path: 'msrp://client.invalid:9/b;tcp' }))
    const { dialog } = await placed.answered()
    await dialog.bye()
  })
})

describe('devices, addresses and media', () => {
  test('a message is delivered to one device, kept for another and refused for a third', async () => {
    await using server = await startServer()
    const alice = await server.phone('alice')
    const [atDesk, inPocket, plain] = [await server.phone('bob'), await server.phone('bob'), await server.online('bob')]
    await atDesk.register({ instance: desk })
    await inPocket.register({ instance: pocket })
    const kept = `<rule device="${pocket}" media="message" action="keep"/>`
    await set(server, 'bob', rules(`${kept}<rule device="${desk}" action="deliver"/><rule action="refuse"/>`))
    expect((await alice.message(server.aor('bob'), 'one')).status).toBe(200)
    await atDesk.receive('MESSAGE')
    expect(await server.query('select device, attempts from deferred')).toEqual([{ device: pocket, attempts: 1 }])
    await inPocket.register({ instance: pocket })
    expect((await inPocket.receive('MESSAGE')).text).toBe('one')
    expect(plain.received).toEqual([])
  })

  test('a message that all devices are to have later is taken, and comes with their next registration', async () => {
    await using server = await startServer()
    const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
    await bob.register({ instance: pocket })
    await set(server, 'bob', rules('<rule media="message" action="keep"/>'))
    expect((await alice.message(bob.aor, 'for later')).status).toBe(202)
    // As after an attempt: nothing but a registration brings it.
    const waiting = [
      { device: '', attempts: 1 },
      { device: pocket, attempts: 1 },
    ]
    expect(await server.query('select device, attempts from deferred order by device')).toEqual(waiting)
    expect(bob.received).toEqual([])
    await bob.register({ instance: pocket })
    expect((await bob.receive('MESSAGE')).text).toBe('for later')
    await eventually(async () => expect(await server.query('select 1 from deferred')).toEqual([]))
  })

  test('a message that no device is to have is refused', async () => {
    await using server = await startServer()
    const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
    await set(server, 'bob', rules('<rule media="message" action="refuse"/>'))
    expect((await alice.message(bob.aor, 'no')).status).toBe(403)
    expect(bob.received).toEqual([])
  })

  test('what was kept for anybody does not go to a device that is to have nothing', async () => {
    await using server = await startServer()
    const [alice, atDesk, inPocket] = [
      await server.phone('alice'),
      await server.phone('bob'),
      await server.phone('bob'),
    ]
    await set(server, 'bob', rules(`<rule device="${desk}" action="refuse"/>`))
    expect((await alice.message(server.aor('bob'), 'kept')).status).toBe(202)
    await atDesk.register({ instance: desk })
    await inPocket.register({ instance: pocket })
    expect((await inPocket.receive('MESSAGE')).text).toBe('kept')
    expect(atDesk.received).toEqual([])
  })

  test('one address of a user takes messages, another does not', async () => {
    await using server = await startServer()
    const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
    await set(server, 'bob', rules('<rule contact="tel:+15550002" action="refuse"/>'))
    expect((await alice.message('tel:+15550002', 'by number')).status).toBe(403)
    expect((await alice.message(bob.aor, 'by name')).status).toBe(200)
  })

  test('voice is refused for a device that takes chats', async () => {
    await using server = await startServer()
    const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
    awaitCalls(bob)
    await set(server, 'bob', rules('<rule media="voice" action="refuse"/>'))
    const voice = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9000 RTP/AVP 0\r\n'
    expect((await new PlacedCall(alice, bob.aor, { sdp: voice }).final).status).toBe(403)
    const placed = new PlacedCall(alice, bob.aor, { sdp: chatSdp({ path: 'msrp://client.invalid:9/a;tcp' }) })
    void (await ReceivedCall.next(bob)).answer(chatSdp({ path: 'msrp://client.invalid:9/b;tcp' }))
    await (await placed.answered()).dialog.bye()
  })
})

describe('absence and storage', () => {
  const owners = 'select s.username from messages m join subscribers s on s.id = m.owner where m.stored order by 1'

  test('messages to somebody who wants none kept are refused while they are away', async () => {
    await using server = await startServer()
    const alice = await server.phone('alice')
    await set(server, 'bob', '<absent>discard</absent>')
    expect((await alice.message(server.aor('bob'), 'gone')).status).toBe(480)
    await set(server, 'bob', '<absent>keep</absent>')
    expect((await alice.message(server.aor('bob'), 'kept')).status).toBe(202)
    expect((await (await server.online('bob')).receive('MESSAGE')).text).toBe('kept')
  })

  test('a history is kept for whoever wants one, where there is none by default', async () => {
    await using server = await startServer()
    const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
    await set(server, 'alice', '<storage>always</storage>')
    expect((await alice.message(bob.aor, 'for the sender')).status).toBe(200)
    expect(await server.query(owners)).toEqual([{ username: 'alice' }])
    expect((await alice.message(server.aor('carol'), 'to somebody absent')).status).toBe(202)
    expect(await server.query(owners)).toEqual([{ username: 'alice' }, { username: 'alice' }])
    expect((await (await server.online('carol')).receive('MESSAGE')).text).toBe('to somebody absent')
    await eventually(async () => expect(await server.query('select 1 from deferred')).toEqual([]))
    expect(await server.query(owners)).toHaveLength(2)
  })

  test('no history is kept for whoever wants none, or wants to be asked, where there is one by default', async () => {
    await using server = await startServer({ settings: { 'storage.default': 'always' } })
    const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
    await set(server, 'alice', '<storage>never</storage>')
    expect((await alice.message(bob.aor, 'for bob')).status).toBe(200)
    expect(await server.query(owners)).toEqual([{ username: 'bob' }])
    await set(server, 'bob', '<storage>ask</storage>')
    expect((await alice.message(bob.aor, 'for nobody')).status).toBe(200)
    expect(await server.query(owners)).toEqual([{ username: 'bob' }])
  })
})

test('another node knows of a change as soon as it is told', async () => {
  await using server = await startServer()
  await using other = await startServer({ databaseUrl: server.databaseUrl, domain: server.domain })
  const [alice, bob] = [await other.phone('alice'), await other.online('bob')]
  expect((await alice.message(bob.aor, 'before')).status).toBe(200)
  await set(server, 'bob', blocked(`<sender uri="${alice.aor}"/>`))
  await eventually(async () => expect((await alice.message(bob.aor, 'after')).status).toBe(403))
})
