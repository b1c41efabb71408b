import { expect, test } from 'vitest'
import { PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { callable, chatOf, expectNothingHeld } from '../support/sessions.ts'
import { startServer } from '../support/start-server.ts'

const settings = { 'session.mediaAnchor': 'when-needed' }

test('with session.mediaAnchor when-needed a chat goes from client to client where nothing speaks against it', async () => {
  await using server = await startServer({ settings })
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatOf('alice') })
  const received = await ReceivedCall.next(bob)
  expect(received.invite.text).toBe(chatOf('alice'))
  const answering = received.answer(chatOf('bob'))
  const { response, dialog } = await placed.answered()
  expect(response.text).toBe(chatOf('bob'))
  expect(await server.metric('parley_msrp_sessions')).toBe(0)
  await answering
  await dialog.bye()
  await expectNothingHeld(server)
})

test.each([
  ['a caller whose description names another address than it sends from', {}, '192.0.2.9'],
  ['a callee whose Contact names another address than it sends from', { contact: '<sip:bob@192.0.2.9>' }, '127.0.0.1'],
])('and through the server for %s', async (_, how, address) => {
  await using server = await startServer({ settings })
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob', how)]
  const sdp = chatOf('alice').replace('c=IN IP4 127.0.0.1', `c=IN IP4 ${address}`)
  const placed = new PlacedCall(alice, bob.aor, { sdp })
  const received = await ReceivedCall.next(bob)
  expect(received.invite.text).toContain(`:${server.msrpPort}/`)
  const answering = received.answer(chatOf('bob'))
  const { response, dialog } = await placed.answered()
  expect(response.text).toContain(`:${server.msrpPort}/`)
  await answering
  await dialog.bye()
  await expectNothingHeld(server)
})

test('and through the server between a client over TLS and one without', async () => {
  await using server = await startServer({ settings })
  const alice = await server.phone('alice', { transport: 'tls' })
  const bob = await callable(server, 'bob')
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatOf('alice') })
  const received = await ReceivedCall.next(bob)
  expect(received.invite.text).toContain(`:${server.msrpPort}/`)
  received.respond(486)
  expect((await placed.final).status).toBe(486)
  await expectNothingHeld(server)
})
