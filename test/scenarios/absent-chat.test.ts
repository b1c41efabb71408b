import { expect, test } from 'vitest'
import { Chat, chatHeaders, chatTag, pagerTag } from '../support/chat.ts'
import { chatSdp, sdpAttribute } from '../support/chat-sdp.ts'
import {
  cpimText,
  messageIdOf,
  notificationOf,
  writeCpim,
  writeCpimNotification,
  writeImdn,
} from '../support/cpim-text.ts'
import { eventually } from '../support/eventually.ts'
import { icsiOf } from '../support/large-message.ts'
import { MsrpClient } from '../support/msrp-client.ts'
import type { Phone, RegisterOptions } from '../support/phone.ts'
import { awaitCalls, PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { expectNothingHeld } from '../support/sessions.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

/** A phone that chats, registered from now on. */
async function back(phone: Phone, how: RegisterOptions = {}): Promise<Phone> {
  awaitCalls(phone)
  expect((await phone.register({ params: [chatTag], ...how })).status).toBe(200)
  return phone
}

async function expectNothingWaits(server: TestServer): Promise<void> {
  await eventually(async () => expect(await server.query('select 1 from deferred')).toEqual([]))
  expect(await server.query('select 1 from messages where not stored')).toEqual([])
}

test('what is said to somebody absent is given to them later, in a session of the server, in order', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  for (const text of ['one', 'two', 'three']) expect(await chat.say(bob.aor, text)).toBe('200 OK')
  await chat.bye()
  await back(bob)
  const given = await Chat.join(server, bob)
  expect(given.peer.header('P-Asserted-Identity')).toBe('<sip:rcse-standfw@parley.test>')
  expect(given.peer.header('Referred-By')).toBe(`<${alice.aor}>`)
  expect(given.peer.header('From')).toContain(alice.aor)
  expect(given.peer.header('Conversation-ID')).toBe('conversation-1')
  expect(given.peer.header('Contribution-ID')).toBe('contribution-1')
  expect(given.peer.header('P-Asserted-Service')).toBe(icsiOf('session'))
  expect(given.peer.header('Accept-Contact')).toContain('cpm.session')
  expect(given.peer.text).toMatch(/^a=accept-wrapped-types:.*message\/imdn\+xml/m)
  for (const text of ['one', 'two', 'three']) expect(await given.hear()).toBe(text)
  await given.ended()
  await expectNothingWaits(server)
  await expectNothingHeld(server)
  expect(bob.received.filter(({ method }) => method === 'INVITE')).toHaveLength(1)
})

test('message/cpim is given as the bytes that it was, and plain text to plain clients as it was', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  const body = writeCpim(alice.aor, bob.aor, 'id-1', 'ü €', 'positive-delivery, display')
  expect(await chat.send(body, 'message/cpim')).toBe('200 OK')
  await chat.bye()
  const plain = await Chat.open(server, alice, bob.aor, { plain: true })
  expect(await plain.send('as it is', 'text/plain')).toBe('200 OK')
  await plain.bye()
  await back(bob)
  const first = await Chat.join(server, bob)
  expect(await first.receive()).toEqual({ contentType: 'message/cpim', body: Buffer.from(body) })
  const second = await Chat.join(server, bob)
  expect(await second.receive()).toEqual({ contentType: 'text/plain', body: Buffer.from('as it is') })
  await expectNothingWaits(server)
  await first.bye()
  await second.bye()
  await expectNothingHeld(server)
})

test('plain text is wrapped for a client that takes nothing else, and taken out for one that knows no CPIM', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const plain = await Chat.open(server, alice, bob.aor, { plain: true })
  expect(await plain.send('to be wrapped', 'text/plain')).toBe('200 OK')
  await plain.bye()
  const chat = await Chat.open(server, alice, bob.aor)
  expect(await chat.say(bob.aor, 'to be taken out')).toBe('200 OK')
  await chat.bye()
  await back(bob)
  const first = await Chat.join(server, bob, { accepts: 'message/cpim', wraps: 'text/plain' })
  const wrapped = await first.receive()
  expect(wrapped.contentType).toBe('message/cpim')
  expect(wrapped.body.toString()).toMatch(/^From: <sip:alice@parley\.test>\r\n/)
  expect(wrapped.body.toString()).toMatch(/\r\n\r\nContent-Type: text\/plain\r\n\r\nto be wrapped$/)
  const second = await Chat.join(server, bob, { accepts: 'text/plain' })
  const taken = await second.receive()
  expect([taken.contentType, taken.body.toString()]).toEqual(['text/plain;charset=UTF-8', 'to be taken out'])
  await expectNothingWaits(server)
  await first.bye()
  await second.bye()
})

test('a message is acknowledged when it is committed', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  for (const text of ['one', 'two']) {
    expect(await chat.say(bob.aor, text)).toBe('200 OK')
    const kept = await server.query('select encode(request, $$escape$$) as request from messages order by arrived')
    expect(String(kept.at(-1)?.request)).toContain(`imdn.Message-ID: ${text}`)
  }
  expect(await chat.say(bob.aor, 'again', 'two')).toBe('200 OK')
  expect(await server.query('select 1 from messages')).toHaveLength(2)
  await chat.bye()
  await expectNothingHeld(server)
})

test('that somebody types is neither stored nor given later', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  expect(await chat.compose()).toBe('200 OK')
  expect(await chat.compose('message/cpim')).toBe('200 OK')
  expect(await server.query('select 1 from messages')).toEqual([])
  expect(await chat.say(bob.aor, 'done')).toBe('200 OK')
  await chat.bye()
  await back(bob)
  const given = await Chat.join(server, bob)
  expect(await given.hear()).toBe('done')
  await given.ended()
  await expectNothingWaits(server)
})

test.each([
  [
    'an ICSI that is none of CPM sessions',
    { 'P-Preferred-Service': icsiOf('filetransfer'), 'Accept-Contact': undefined },
  ],
  ['a file', {}],
])('%s is no chat: the caller gets 480', async (what, headers) => {
  await using server = await startServer()
  const alice = await server.online('alice')
  const file = what === 'a file' ? 'a=file-selector:name:"x" type:text/plain size:3\r\n' : ''
  const sdp = chatSdp({ path: 'msrp://client.invalid:9/x;tcp' }) + file
  const placed = new PlacedCall(alice, server.aor('bob'), { sdp, headers })
  expect((await placed.final).status).toBe(480)
  await expectNothingHeld(server)
})

test.each([
  ['session.absent', 'refuse'],
  ['message.absent', 'discard'],
])('with %s=%s a chat with somebody absent is answered 480', async (key, value) => {
  await using server = await startServer({ settings: { [key]: value } })
  const alice = await server.online('alice')
  await expect(Chat.open(server, alice, server.aor('bob'))).rejects.toThrow('480')
  await expectNothingHeld(server)
})

test('voice beside the chat is refused, and the chat goes on', async () => {
  await using server = await startServer()
  const alice = await server.online('alice')
  const sdp = chatSdp({ path: 'msrp://client.invalid:9/x;tcp', more: 'm=audio 4000 RTP/AVP 0\r\n' })
  const { response, dialog } = await new PlacedCall(alice, server.aor('bob'), { sdp, headers: chatHeaders }).answered()
  expect(response.text).toMatch(/m=message [1-9]\d* TCP\/MSRP/)
  expect(response.text).toContain('m=audio 0 RTP/AVP 0')
  const again = await dialog.reinvite({ sdp: sdp.replace('o=- 77 1', 'o=- 77 2') })
  expect(again.status).toBe(200)
  expect(sdpAttribute(again.text, 'path')).toBe(sdpAttribute(response.text, 'path'))
  await dialog.bye()
  await expectNothingHeld(server)
})

test('a caller without an offer gets one', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  await using msrp = await MsrpClient.connect({ port: server.msrpPort })
  const placed = new PlacedCall(alice, bob.aor, { headers: chatHeaders })
  const { response, dialog } = await placed.answered(chatSdp({ path: msrp.path }))
  msrp.send({ to: sdpAttribute(response.text, 'path') ?? '', body: 'hello' })
  expect((await msrp.receive()).what).toBe('200 OK')
  expect(await server.query('select 1 from messages')).toHaveLength(1)
  await dialog.bye()
  await expectNothingHeld(server)
})

test('a MESSAGE within the session is kept as the others are', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  const said = { sdp: writeCpim(alice.aor, bob.aor, 'sip-1', 'in SIP'), contentType: 'message/cpim' }
  expect((await chat.dialog.request('MESSAGE', said)).status).toBe(202)
  await chat.bye()
  await back(bob)
  const given = await Chat.join(server, bob)
  expect(await given.hear()).toBe('in SIP')
  await given.ended()
})

test.each([408, 480, 503])(
  'devices that answer %i are as good as absent, and get it when they are back',
  async (status) => {
    await using server = await startServer()
    const [alice, bob] = [await server.online('alice'), await back(await server.phone('bob'))]
    const opening = Chat.open(server, alice, bob.aor)
    const ringing = await ReceivedCall.next(bob)
    ringing.respond(180)
    ringing.respond(status)
    const chat = await opening
    expect(await chat.say(bob.aor, 'later then')).toBe('200 OK')
    await back(bob)
    const given = await Chat.join(server, bob)
    expect(await given.hear()).toBe('later then')
    await given.ended()
    await chat.bye()
    await expectNothingWaits(server)
    await expectNothingHeld(server)
  },
)

test('a device that rings until nobody waits any longer is as good as absent', async () => {
  await using server = await startServer({ settings: { 'session.ringFor': '1s' } })
  const [alice, bob] = [await server.online('alice'), await back(await server.phone('bob'))]
  const opening = Chat.open(server, alice, bob.aor)
  const ringing = await ReceivedCall.next(bob)
  ringing.respond(180)
  await ringing.cancelled()
  const chat = await opening
  expect(await chat.say(bob.aor, 'you did not answer')).toBe('200 OK')
  await chat.bye()
  await expectNothingHeld(server)
})

test.each([486, 600, 603])('who declines with %i has answered', async (status) => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await back(await server.phone('bob'))]
  const opening = Chat.open(server, alice, bob.aor)
  const ringing = await ReceivedCall.next(bob)
  ringing.respond(status)
  await expect(opening).rejects.toThrow(String(status))
  await expectNothingHeld(server)
})

test('who registers while the chat goes on gets what was said, and what is said from now on', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  expect(await chat.say(bob.aor, 'before', 'before', 'positive-delivery')).toBe('200 OK')
  await back(bob)
  const given = await Chat.join(server, bob)
  expect(await given.hear()).toBe('before')
  expect(await chat.say(bob.aor, 'after')).toBe('200 OK')
  expect(await given.hear()).toBe('after')
  await given.bye()
  await chat.bye()
  await expectNothingWaits(server)
  await expectNothingHeld(server)
})

test('each device that is known gets all of it, each once', async () => {
  await using server = await startServer()
  const alice = await server.online('alice')
  const devices = [await server.phone('bob'), await server.phone('bob')].map((phone, at) => ({
    ...{ phone, how: { instance: `urn:uuid:00000000-0000-1000-8000-00000000000${at}` } },
  }))
  for (const { phone, how } of devices) {
    await back(phone, how)
    await phone.unregister({ params: [chatTag], ...how })
  }
  const chat = await Chat.open(server, alice, server.aor('bob'))
  for (const text of ['one', 'two']) expect(await chat.say(server.aor('bob'), text)).toBe('200 OK')
  await chat.bye()
  for (const { phone, how } of devices) {
    await back(phone, how)
    const given = await Chat.join(server, phone)
    for (const text of ['one', 'two']) expect(await given.hear()).toBe(text)
    await given.ended()
  }
  await expectNothingWaits(server)
  await expectNothingHeld(server)
  for (const { phone } of devices) expect(phone.received.filter(({ method }) => method === 'INVITE')).toHaveLength(1)
})

test('what several senders have said comes in a session for each of them', async () => {
  await using server = await startServer()
  const [alice, carol, bob] = [await server.online('alice'), await server.online('carol'), await server.phone('bob')]
  const chats = [await Chat.open(server, alice, bob.aor), await Chat.open(server, carol, bob.aor)] as const
  for (const at of [1, 2]) {
    expect(await chats[0].say(bob.aor, `alice ${at}`)).toBe('200 OK')
    expect(await chats[1].say(bob.aor, `carol ${at}`)).toBe('200 OK')
  }
  for (const chat of chats) await chat.bye()
  await back(bob)
  const given = [await Chat.join(server, bob)]
  expect(await given[0]?.hear()).toBe('alice 1')
  given.push(await Chat.join(server, bob))
  expect(await given[1]?.hear()).toBe('carol 1')
  expect(await given[0]?.hear()).toBe('alice 2')
  expect(await given[1]?.hear()).toBe('carol 2')
  expect(given.map(({ peer }) => peer.header('Referred-By'))).toEqual([`<${alice.aor}>`, `<${carol.aor}>`])
  for (const session of given) await session.bye()
  await expectNothingWaits(server)
  await expectNothingHeld(server)
})

test('a device without chats gets pager messages', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  for (const text of ['one', 'two']) expect(await chat.say(bob.aor, text)).toBe('200 OK')
  await chat.bye()
  await bob.register({ params: [pagerTag] })
  for (const text of ['one', 'two']) {
    const message = await bob.receive('MESSAGE')
    expect([cpimText(message), messageIdOf(message)]).toEqual([text, text])
    expect(message.header('Conversation-ID')).toBe('conversation-1')
    expect(message.header('P-Asserted-Identity')).toBe(`<${alice.aor}>`)
    expect(message.header('P-Asserted-Service')).toBe(icsiOf('msg'))
  }
  await expectNothingWaits(server)
  expect(bob.received.map(({ method }) => method)).toEqual(['MESSAGE', 'MESSAGE'])
})

test('a device that says it chats, and refuses the session as it has none, gets pager messages', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  expect(await chat.say(bob.aor, 'either way')).toBe('200 OK')
  await chat.bye()
  bob.answer = (request) => (request.method === 'INVITE' ? 488 : 200)
  await bob.register({ params: [chatTag] })
  expect(cpimText(await bob.receive('MESSAGE'))).toBe('either way')
  await expectNothingWaits(server)
})

test('a notification in the session in which a message was given reaches its sender as a MESSAGE', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  expect(await chat.say(bob.aor, 'tell me', 'id-1', 'positive-delivery')).toBe('200 OK')
  await chat.bye()
  await back(bob)
  const given = await Chat.join(server, bob)
  expect(await given.hear()).toBe('tell me')
  expect(await given.notify(alice.aor, 'id-1')).toBe('200 OK')
  const told = await alice.receive('MESSAGE')
  expect(notificationOf(told)).toEqual({ messageId: 'id-1', disposition: 'delivered' })
  expect(told.header('P-Asserted-Identity')).toBe(`<${bob.aor}>`)
  expect(told.header('Conversation-ID')).toBe('conversation-1')
  await given.ended()
  await expectNothingHeld(server)
})

test.each([
  ['in the session', false],
  ['as a MESSAGE', true],
])('a sender who is still in the chat is notified %s', async (_, deaf) => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor, { deaf })
  expect(await chat.say(bob.aor, 'tell me', 'id-1', 'positive-delivery, display')).toBe('200 OK')
  await back(bob)
  const given = await Chat.join(server, bob)
  expect(await given.hear()).toBe('tell me')
  const notified = [
    given.notify(alice.aor, 'id-1'),
    deaf
      ? alice.receive('MESSAGE').then((message) => message.text)
      : chat.receive().then(({ body }) => body.toString()),
  ] as const
  expect(await notified[1]).toContain('<delivered/>')
  expect(await notified[0]).toBe('200 OK')
  await given.bye()
  const xml = writeCpimNotification(bob.aor, alice.aor, writeImdn('id-1', 'displayed', bob.aor))
  const displayed = bob.message(alice.aor, xml, { contentType: 'message/cpim' })
  const told = deaf ? (await alice.receive('MESSAGE')).text : (await chat.receive()).body.toString()
  expect(told).toContain('<displayed/>')
  expect((await displayed).status).toBe(200)
  await chat.bye()
  await expectNothingHeld(server)
})

test('a notification that a caller sends to somebody absent is kept for them', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  expect(await chat.notify(bob.aor, 'of-bob', 'displayed')).toBe('200 OK')
  await chat.bye()
  await back(bob)
  expect(notificationOf(await bob.receive('MESSAGE'))).toEqual({ messageId: 'of-bob', disposition: 'displayed' })
  await expectNothingWaits(server)
})

test('who answers in the session in which it was given reaches the sender', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  expect(await chat.say(bob.aor, 'a question')).toBe('200 OK')
  await chat.bye()
  await back(bob)
  const given = await Chat.join(server, bob)
  expect(await given.hear()).toBe('a question')
  expect(await given.say(alice.aor, 'an answer')).toBe('200 OK')
  expect(cpimText(await alice.receive('MESSAGE'))).toBe('an answer')
  await given.bye()
})

test('with storage it is part of both histories, and stays there when it was given', async () => {
  await using server = await startServer({ settings: { 'storage.default': 'always' } })
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  expect(await chat.compose()).toBe('200 OK')
  expect(await chat.say(bob.aor, 'for the record', 'id-1', 'positive-delivery')).toBe('200 OK')
  await chat.bye()
  await back(bob)
  const given = await Chat.join(server, bob)
  expect(await given.hear()).toBe('for the record')
  expect(await given.notify(alice.aor, 'id-1')).toBe('200 OK')
  await alice.receive('MESSAGE')
  await given.bye()
  await expectNothingWaits(server)
  const rows = await server.query('select direction, peer, stored, disposition from messages order by direction')
  expect(rows).toEqual([
    { direction: 'in', peer: alice.aor, stored: true, disposition: 3 },
    { direction: 'out', peer: bob.aor, stored: true, disposition: 3 },
  ])
})

test('a device that goes away in the middle gets the rest later, and nothing twice', async () => {
  await using server = await startServer({ settings: { 'message.retry.first': '200ms' } })
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  for (const text of ['one', 'two', 'three']) expect(await chat.say(bob.aor, text)).toBe('200 OK')
  await chat.bye()
  await back(bob)
  const given = await Chat.join(server, bob)
  expect(await given.hear()).toBe('one')
  await given.bye()
  const rest = await Chat.join(server, bob)
  for (const text of ['two', 'three']) expect(await rest.hear()).toBe(text)
  await rest.bye()
  await expectNothingWaits(server)
  await expectNothingHeld(server)
})

test('one message that a device refuses does not keep it from the others', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  for (const text of ['one', 'two', 'three']) expect(await chat.say(bob.aor, text)).toBe('200 OK')
  await chat.bye()
  await back(bob)
  const given = await Chat.join(server, bob)
  expect(await given.hear()).toBe('one')
  given.msrp.respond(await given.msrp.receive(), '413 Too Large')
  expect(await given.hear()).toBe('three')
  await given.bye()
  await eventually(async () => expect(await server.query('select attempts from deferred')).toEqual([{ attempts: 1 }]))
  await expectNothingHeld(server)
})

test('a restart in between loses nothing, and what was given is not given again', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  for (const text of ['one', 'two']) expect(await chat.say(bob.aor, text)).toBe('200 OK')
  await back(bob)
  const given = await Chat.join(server, bob)
  expect(await given.hear()).toBe('one')
  await given.msrp.receive()
  await server.app.close()
  await Promise.all([chat.ended(), given.ended()])
  await server.stop()
  await using next = await startServer({ databaseUrl: server.databaseUrl })
  const later = await back(await next.phone('bob', { localPort: bob.localPort }))
  const rest = await Chat.join(next, later)
  expect(await rest.hear()).toBe('two')
  await rest.bye()
  await expectNothingWaits(next)
  await expectNothingHeld(next)
})

test('a chat with somebody absent in which nothing is said any more ends', async () => {
  await using server = await startServer({ settings: { 'session.absentIdle': '1s' } })
  const alice = await server.online('alice')
  const chat = await Chat.open(server, alice, server.aor('bob'))
  await chat.ended()
  await expectNothingHeld(server)
})

test('a caller who gives up before the answer leaves nothing behind', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await back(await server.phone('bob'))]
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatSdp({ path: 'msrp://client.invalid:9/x;tcp' }) })
  const ringing = await ReceivedCall.next(bob)
  ringing.respond(180)
  await placed.ringing
  const cancelling = placed.cancel()
  ringing.respond(480)
  await cancelling
  expect([200, 487]).toContain((await placed.final).status)
  await expectNothingHeld(server)
})

test('chats that the server answers count against the sessions that a user may have', async () => {
  await using server = await startServer({ settings: { 'session.maxPerUser': '1' } })
  const alice = await server.online('alice')
  const chat = await Chat.open(server, alice, server.aor('bob'))
  expect(await server.metric('parley_sessions')).toBe(1)
  await expect(Chat.open(server, alice, server.aor('bob'))).rejects.toThrow('503')
  await chat.bye()
  await (await Chat.open(server, alice, server.aor('bob'))).bye()
  await expectNothingHeld(server)
})

test('what is larger than a message may be is refused, and the chat goes on', async () => {
  await using server = await startServer({ settings: { 'message.maxBytes': '2000' } })
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const chat = await Chat.open(server, alice, bob.aor)
  expect(await chat.say(bob.aor, 'x'.repeat(3000), 'large')).toMatch(/^413 /)
  expect(await chat.say(bob.aor, 'small')).toBe('200 OK')
  await chat.bye()
  await expectNothingHeld(server)
})

test('a device that is reached over WebSocket is offered that for the messages as well', async () => {
  await using server = await startServer({ settings: { 'msrp.listen': 'tcp:127.0.0.1:0,ws:127.0.0.1:0' } })
  const [alice, bob] = [await server.online('alice'), await server.phone('bob', { transport: 'ws' })]
  const chat = await Chat.open(server, alice, bob.aor)
  expect(await chat.say(bob.aor, 'to a browser')).toBe('200 OK')
  await chat.bye()
  await back(bob)
  const offered = await ReceivedCall.next(bob)
  expect(offered.invite.text).toContain('TCP/WS/MSRP')
  expect(sdpAttribute(offered.invite.text, 'path')).toMatch(/;ws$/)
  offered.respond(480)
  await expectNothingHeld(server)
})

test('a user may be called by another of their names', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice'), await server.phone('bob')]
  const { port } = server.address('udp')
  for (const [at, name] of ['tel:+15550002', `sip:bob@127.0.0.1:${port}`].entries()) {
    const headers = { 'Conversation-ID': `conversation-${at}` }
    const chat = await Chat.open(server, alice, name, { headers })
    expect(await chat.say(name, `id-${at}`, `id-${at}`, 'positive-delivery')).toBe('200 OK')
    await chat.bye()
  }
  await back(bob)
  for (const at of [0, 1]) {
    const given = await Chat.join(server, bob)
    expect(await given.hear()).toBe(`id-${at}`)
    expect(await given.notify(alice.aor, `id-${at}`)).toBe('200 OK')
    expect(notificationOf(await alice.receive('MESSAGE'))?.messageId).toBe(`id-${at}`)
    await given.bye()
  }
  await expectNothingWaits(server)
})
