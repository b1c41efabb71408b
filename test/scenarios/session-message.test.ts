import { expect, test } from 'vitest'
import { callable, connect, expectNothingHeld } from '../support/sessions.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

async function aliceAndBob(server: TestServer) {
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  return { alice, bob, session: await connect(alice, bob) }
}

const text = (body: string) => ({ sdp: body, contentType: 'text/plain' })
const stored = `select owner, direction, peer, disposition from messages where kind = 'message' order by owner`

test('a MESSAGE in a session is answered by the other party, and is part of both histories', async () => {
  await using server = await startServer({ settings: { 'storage.default': 'always' } })
  const { session } = await aliceAndBob(server)
  const sent = session.atCaller.request('MESSAGE', text('hello'))
  const atBob = await session.atCallee.receive('MESSAGE')
  expect([atBob.text, atBob.header('Call-ID')]).toEqual(['hello', session.atCallee.callId])
  expect((await sent).status).toBe(200)
  const back = session.atCallee.request('MESSAGE', text('hello yourself'))
  expect((await session.atCaller.receive('MESSAGE')).text).toBe('hello yourself')
  expect((await back).status).toBe(200)
  expect(await server.query(stored)).toMatchObject([
    { direction: 'out', peer: server.aor('bob') },
    { direction: 'in', peer: server.aor('bob') },
    { direction: 'in', peer: server.aor('alice') },
    { direction: 'out', peer: server.aor('alice') },
  ])
  expect(await server.metric('parley_messages_delivered_total')).toBe(2)
  await session.atCaller.bye()
  await expectNothingHeld(server)
})

test('that somebody is writing passes in the session, and is stored by nobody', async () => {
  await using server = await startServer({ settings: { 'storage.default': 'always' } })
  const { session } = await aliceAndBob(server)
  const composing = { sdp: '<isComposing/>', contentType: 'application/im-iscomposing+xml' }
  const sent = session.atCaller.request('MESSAGE', composing)
  expect((await session.atCallee.receive('MESSAGE')).text).toBe('<isComposing/>')
  expect((await sent).status).toBe(200)
  expect(await server.query(stored)).toEqual([])
  await session.atCaller.bye()
  await expectNothingHeld(server)
})

test('a notification in the session moves the stored message forward, and comes once', async () => {
  await using server = await startServer({ settings: { 'storage.default': 'always' } })
  const { session } = await aliceAndBob(server)
  const cpim = (headers: string, content: string) =>
    `From: <sip:a@x>\r\nTo: <sip:b@x>\r\nNS: imdn <urn:ietf:params:imdn>\r\n${headers}\r\n${content}`
  const message = cpim('imdn.Message-ID: id-1\r\n', 'Content-Type: text/plain\r\n\r\nhello')
  const sent = session.atCaller.request('MESSAGE', { sdp: message, contentType: 'message/cpim' })
  await session.atCallee.receive('MESSAGE')
  expect((await sent).status).toBe(200)
  const imdn =
    '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>id-1</message-id><datetime>2026-01-01T00:00:00Z</datetime>' +
    '<display-notification><status><displayed/></status></display-notification></imdn>'
  const notification = cpim('', `Content-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n${imdn}`)
  const told = session.atCallee.request('MESSAGE', { sdp: notification, contentType: 'message/cpim' })
  expect((await session.atCaller.receive('MESSAGE')).text).toContain('displayed')
  expect((await told).status).toBe(200)
  expect(await server.query(stored)).toMatchObject([{ disposition: 5 }, { disposition: 5 }])
  const again = await session.atCallee.request('MESSAGE', { sdp: notification, contentType: 'message/cpim' })
  expect(again.status).toBe(200)
  expect(await server.metric('parley_messages_absorbed_total')).toBe(1)
  await session.atCaller.bye()
  await expectNothingHeld(server)
})

test('a MESSAGE that is too large is refused before it reaches the other party, and the session goes on', async () => {
  await using server = await startServer({ settings: { 'message.maxBytes': '100' } })
  const { bob, session } = await aliceAndBob(server)
  expect((await session.atCaller.request('MESSAGE', text('x'.repeat(101)))).status).toBe(513)
  const sent = session.atCaller.request('MESSAGE', text('short'))
  await session.atCallee.receive('MESSAGE')
  expect((await sent).status).toBe(200)
  expect(bob.received.filter(({ method }) => method === 'MESSAGE')).toHaveLength(1)
  await session.atCaller.bye()
  await expectNothingHeld(server)
})
