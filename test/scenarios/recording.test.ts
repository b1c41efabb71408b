import { expect, test } from 'vitest'
import { agreeOnChat, type ChatPair, hangUp, say } from '../support/chat-pair.ts'
import { eventually } from '../support/eventually.ts'
import { historyOf, saidTo, setSettings } from '../support/history.ts'
import { ownPostgres } from '../support/own-postgres.ts'
import type { HeaderFields } from '../support/phone.ts'
import { callable, expectNothingHeld } from '../support/sessions.ts'
import { startServer, type TestServer, usualUsers } from '../support/start-server.ts'

const always = { settings: { 'storage.default': 'always' } }
const ids: HeaderFields = { 'Conversation-ID': 'conversation-1', 'Contribution-ID': 'contribution-1', Subject: 'lunch' }

/** alice and bob in a chat, their connections known. */
async function chat(server: TestServer, ofInvite: HeaderFields = ids, ofAnswer: HeaderFields = {}): Promise<ChatPair> {
  const phones = [await callable(server, 'alice'), await callable(server, 'bob')] as const
  const pair = await agreeOnChat(server, phones, [], { ofInvite, ofAnswer })
  expect([await pair.near.bind(), await pair.far.bind()]).toEqual(['200 OK', '200 OK'])
  return pair
}

const sessionsOf = (server: TestServer, user: string) => historyOf(server, user, 'session')
const endsOf = async (server: TestServer, user: string) =>
  (await sessionsOf(server, user)).map(({ attributes }) => attributes['Session-End'] !== undefined)

test('what is said in a chat is in the histories of both before it arrives', async () => {
  await using server = await startServer(always)
  const { near, far, ...dialogs } = await chat(server)
  near.client.send({ to: near.to, body: 'hello bob', messageId: 'm1' })
  const frame = await far.client.receive()
  expect(String(frame.body)).toBe('hello bob')
  expect([await saidTo(server, 'alice'), await saidTo(server, 'bob')]).toEqual([['hello bob'], ['hello bob']])
  far.client.respond(frame)
  expect((await near.client.receive()).what).toBe('200 OK')
  await say(far, near, 'hello alice')
  expect(await saidTo(server, 'alice')).toEqual(['hello bob', 'hello alice'])
  const [first, second] = await historyOf(server, 'bob', 'message')
  expect([first?.direction, second?.direction]).toEqual(['in', 'out'])
  expect([first?.peer, second?.peer]).toEqual([server.aor('alice'), server.aor('alice')])
  await hangUp({ near, far, ...dialogs })
  await expectNothingHeld(server)
})

test('each user has the session as well, with its media and its end', async () => {
  await using server = await startServer(always)
  const pair = await chat(server)
  await eventually(async () => expect(await endsOf(server, 'alice')).toEqual([false]))
  const begun = (await sessionsOf(server, 'alice'))[0]
  expect(begun?.attributes).toMatchObject({
    From: [server.aor('alice')],
    To: [server.aor('bob')],
    Subject: ['lunch'],
    'Session-Type': ['1-1'],
    'Invited-Participants': [`${server.aor('alice')};${server.aor('bob')}`],
  })
  expect(begun?.folder).toBe('Default/tel:+15550002')
  await say(pair.near, pair.far, 'in the same folder')
  expect((await historyOf(server, 'alice')).map(({ folder }) => folder)).toEqual([begun?.folder, begun?.folder])
  expect(begun?.contentType).toMatch(/^multipart\/related;.*type="Application\/X-CPM-Session"/)
  await hangUp(pair)
  await eventually(async () => {
    expect([await endsOf(server, 'alice'), await endsOf(server, 'bob')]).toEqual([[true], [true]])
  })
  const [ended] = await sessionsOf(server, 'bob')
  const text = String(ended?.bytes)
  expect(text).toContain('Content-Type: Application/X-CPM-Session')
  expect(text).toMatch(/<session-type>1-1<\/session-type>.*<start>.*<\/start><end>.*<\/end>.*m=message .* TCP\/MSRP/s)
  expect(ended?.id).not.toBe(begun?.id)
})

test('a message in several chunks is kept whole, and one that is given up is not', async () => {
  await using server = await startServer(always)
  const { near, far, ...dialogs } = await chat(server)
  for (const [body, range, flag] of [
    ['first half, ', '1-12/23', '+'],
    ['second half', '13-23/23', '$'],
  ] as const) {
    near.client.send({ to: near.to, body, range, flag, messageId: 'long' })
    const frame = await far.client.receive()
    expect([String(frame.body), frame.flag]).toEqual([body, flag])
    far.client.respond(frame)
    expect((await near.client.receive()).what).toBe('200 OK')
  }
  near.client.send({ to: near.to, body: 'never m', range: '1-*/20', flag: '#', messageId: 'given-up' })
  expect((await far.client.receive()).flag).toBe('#')
  expect(await saidTo(server, 'bob')).toEqual(['first half, second half'])
  await hangUp({ near, far, ...dialogs })
})

test('messages arrive in the order in which they were sent, long ones among them, and so they are kept', async () => {
  await using server = await startServer(always)
  const { near, far, ...dialogs } = await chat(server)
  const bodies = Array.from({ length: 30 }, (_, at) => `${at} ${'x'.repeat(at % 5 === 4 ? 200_000 : 10)}`)
  const arrived: string[] = []
  far.client.onFrame = (frame) => {
    if (frame.what !== 'SEND') return true
    far.client.respond(frame)
    const text = String(frame.body)
    if (/^\d+ /.test(text)) arrived.push(text)
    else arrived[arrived.length - 1] += text
    return true
  }
  for (const body of bodies) near.client.send({ to: near.to, body })
  for (const _ of bodies) expect((await near.client.receive()).what).toBe('200 OK')
  expect(arrived).toEqual(bodies)
  expect([...(await saidTo(server, 'bob'))].sort()).toEqual([...bodies].sort())
  await hangUp({ near, far, ...dialogs })
})

test('who types is not history, and a notification moves the state of the message it is about', async () => {
  await using server = await startServer(always)
  const { near, far, ...dialogs } = await chat(server)
  const cpim = (id: string, type: string, body: string) =>
    `From: <sip:a@b>\r\nTo: <sip:b@b>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: ${id}\r\n` +
    `DateTime: 2026-01-01T00:00:00Z\r\n\r\nContent-Type: ${type}\r\n\r\n${body}`
  const pass = async (from: typeof near, to: typeof far, contentType: string, body: string) => {
    from.client.send({ to: from.to, body, contentType })
    const frame = await to.client.receive()
    to.client.respond(frame)
    expect([frame.what, (await from.client.receive()).what]).toEqual(['SEND', '200 OK'])
  }
  const typing = '<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state></isComposing>'
  await pass(near, far, 'application/im-iscomposing+xml', typing)
  await pass(near, far, 'message/cpim', cpim('told-1', 'text/plain', 'read me'))
  expect((await historyOf(server, 'alice', 'message')).map(({ disposition }) => disposition)).toEqual([0])
  const displayed =
    '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>told-1</message-id><datetime>2026-01-01T00:00:01Z</datetime>' +
    '<display-notification><status><displayed/></status></display-notification></imdn>'
  await pass(far, near, 'message/cpim', cpim('n1', 'message/imdn+xml', displayed))
  const states = await Promise.all(['alice', 'bob'].map((user) => historyOf(server, user, 'message')))
  expect(states.map((rows) => rows.map(({ disposition }) => disposition > 0))).toEqual([[true], [true]])
  await hangUp({ near, far, ...dialogs })
})

test('a session that ends while the database is away has its end when that is back', { timeout: 120_000 }, async () => {
  await using postgres = await ownPostgres()
  await using server = await startServer({ ...always, databaseUrl: postgres.url, users: usualUsers })
  const pair = await chat(server)
  await eventually(async () => expect(await endsOf(server, 'alice')).toEqual([false]))
  await postgres.stop()
  await hangUp(pair)
  await postgres.startAgain()
  await eventually(async () => {
    expect([await endsOf(server, 'alice'), await endsOf(server, 'bob')]).toEqual([[true], [true]])
  }, 60_000)
})

test('one user wants it and the other does not: each has what they want', async () => {
  await using server = await startServer()
  expect(await setSettings(server, 'bob', '<storage>always</storage>')).toBe(201)
  const pair = await chat(server)
  await say(pair.near, pair.far, 'for bob alone')
  expect([await saidTo(server, 'alice'), await saidTo(server, 'bob')]).toEqual([[], ['for bob alone']])
  await hangUp(pair)
  await eventually(async () => expect(await endsOf(server, 'bob')).toEqual([true]))
  expect(await historyOf(server, 'alice')).toEqual([])
})

test.each([
  ['caller', 'by the header field of the INVITE', { 'Parley-Store': 'yes' }, {}, ['asked for'], []],
  ['callee', 'by the header field of the answer', {}, { 'Parley-Store': 'yes' }, [], ['asked for']],
] as const)(
  'with storage.default=ask the %s asks for it %s, for their own copy',
  async (_who, _how, ofInvite, ofAnswer, alice, bob) => {
    await using server = await startServer({ settings: { 'storage.default': 'ask' } })
    const pair = await chat(server, { ...ids, ...ofInvite }, ofAnswer)
    await say(pair.near, pair.far, 'asked for')
    expect([await saidTo(server, 'alice'), await saidTo(server, 'bob')]).toEqual([alice, bob])
    await hangUp(pair)
  },
)

test('what one user asks for is not told to the other', async () => {
  await using server = await startServer({ settings: { 'storage.default': 'ask' } })
  const [alice, bob] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const pair = await agreeOnChat(server, [alice, bob], [], { ofInvite: { 'Parley-Store': 'yes' } })
  await alice.message(bob.aor, 'kept', { headers: { 'Parley-Store': 'yes' } })
  expect(bob.received.map(({ method }) => method)).toEqual(expect.arrayContaining(['INVITE', 'MESSAGE']))
  expect(bob.received.every((request) => request.header('Parley-Store') === undefined)).toBe(true)
  expect([await saidTo(server, 'alice'), await saidTo(server, 'bob')]).toEqual([['kept'], []])
  await hangUp(pair)
})

test('a session that is kept goes through the server, whatever session.mediaAnchor says', async () => {
  await using server = await startServer({ settings: { 'session.mediaAnchor': 'never', 'storage.default': 'always' } })
  const pair = await chat(server)
  await say(pair.near, pair.far, 'hello')
  expect(await saidTo(server, 'bob')).toContain('hello')
  await hangUp(pair)
})

test('a peer that dies in the middle of a message leaves the session with its end, and nothing of that message', async () => {
  await using server = await startServer({
    settings: { 'storage.default': 'always', 'msrp.limits.absence': '200ms' },
  })
  const { near, far, atNear, atFar } = await chat(server)
  await say(near, far, 'whole')
  near.client.write(
    `MSRP cut1 SEND\r\nTo-Path: ${near.to}\r\nFrom-Path: ${near.path}\r\nMessage-ID: cut\r\nByte-Range: 1-100/100\r\n` +
      'Content-Type: text/plain\r\n\r\nonly so m',
  )
  const byes = Promise.all([atNear.receive('BYE'), atFar.receive('BYE')])
  await near.client.close()
  await byes
  await eventually(async () => expect(await endsOf(server, 'bob')).toEqual([true]))
  expect([await saidTo(server, 'alice'), await saidTo(server, 'bob')]).toEqual([['whole'], ['whole']])
  await far.client.close()
  await expectNothingHeld(server)
})

test('with the database away a message that is to be kept is refused and does not pass, and the chat goes on when it is back', {
  timeout: 120_000,
}, async () => {
  await using postgres = await ownPostgres()
  await using server = await startServer({ ...always, databaseUrl: postgres.url, users: usualUsers })
  const { near, far, ...dialogs } = await chat(server)
  await say(near, far, 'before')
  await postgres.stop()
  near.client.send({ to: near.to, body: 'lost', messageId: 'lost' })
  expect((await near.client.receive()).what).toMatch(/^(?!200)\d{3}/)
  await postgres.startAgain()
  const arrived: string[] = []
  far.client.onFrame = (frame) => {
    arrived.push(String(frame.body))
    far.client.respond(frame)
    return true
  }
  await eventually(async () => {
    near.client.send({ to: near.to, body: 'after' })
    expect((await near.client.receive()).what).toBe('200 OK')
  }, 60_000)
  expect(arrived).toEqual(['after'])
  expect(await saidTo(server, 'bob')).toEqual(['before', 'after'])
  await hangUp({ near, far, ...dialogs })
})
