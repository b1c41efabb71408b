import { expect, test } from 'vitest'
import { chatSdp, sdpAttribute } from '../support/chat-sdp.ts'
import { MsrpClient } from '../support/msrp-client.ts'
import { awaitCalls, PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { callable, chatOf, connect, expectNothingHeld } from '../support/sessions.ts'
import { startServer } from '../support/start-server.ts'

const brief = { 'session.minExpires': '2', 'session.expires': '4' }

test('a session that its refresher does not refresh ends, and everything is free', async () => {
  await using server = await startServer({ settings: { ...brief, 'session.expires': '1800' } })
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const headers = { Supported: 'timer', 'Session-Expires': '4;refresher=uac', 'Min-SE': '2' }
  const { response, atCaller, atCallee } = await connect(alice, bob, { headers })
  expect(response.header('Session-Expires')).toBe('4;refresher=uac')
  await Promise.all([atCaller.receive('BYE'), atCallee.receive('BYE')])
  await expectNothingHeld(server)
})

test('a party that answers the refreshes of the server stays in its session, and one that is gone ends it', async () => {
  await using server = await startServer({ settings: brief })
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatOf('alice') })
  const received = await ReceivedCall.next(bob)
  expect(received.invite.header('Session-Expires')).toBe('4;refresher=uac')
  const answering = received.answer(chatOf('bob'), { Allow: 'INVITE, UPDATE, INFO', Supported: 'timer' })
  const { dialog: atCaller } = await placed.answered()
  const { dialog: atCallee } = await answering
  for (let refresh = 0; refresh < 2; refresh++) {
    expect((await atCallee.receive('UPDATE')).header('Session-Expires')).toBe('4;refresher=uac')
  }
  expect(await server.metric('parley_sessions')).toBe(1)
  bob.answer = (request) => (request.method === 'UPDATE' ? 481 : 200)
  await atCaller.receive('BYE')
  await expectNothingHeld(server)
})

test('a phone that answers nothing any more loses its session when the interval is over', async () => {
  await using server = await startServer({ settings: brief })
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const { atCaller } = await connect(alice, bob)
  bob.answer = () => 'silence'
  await atCaller.receive('BYE')
  await expectNothingHeld(server)
})

test('an interval that is too brief is refused with the least there may be', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const headers = { Supported: 'timer', 'Session-Expires': '30' }
  const refused = await new PlacedCall(alice, bob.aor, { sdp: chatOf('alice'), headers }).final
  expect([refused.status, refused.header('Min-SE')]).toEqual([422, '90'])
  await expectNothingHeld(server)
})

test.concurrent('a caller who does not acknowledge has no session, and the callee hears that it is over', {
  timeout: 90_000,
}, async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatOf('alice') })
  const received = await ReceivedCall.next(bob)
  const { dialog } = await received.answer(chatOf('bob'))
  expect((await placed.final).status).toBe(200)
  const bye = bob.receive('BYE', (request) => request.header('Call-ID') === dialog.callId, 50_000)
  expect((await bye).method).toBe('BYE')
  await expectNothingHeld(server)
})

test.concurrent('a client whose connection is gone and does not come back in 30 s has no session', {
  timeout: 90_000,
}, async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  awaitCalls(alice)
  const msrp = await MsrpClient.connect({ port: server.msrpPort })
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatSdp({ path: msrp.path }) })
  const received = await ReceivedCall.next(bob)
  const answering = received.answer(chatOf('bob'))
  const { response, dialog } = await placed.answered()
  await answering
  msrp.send({ to: sdpAttribute(response.text, 'path') ?? '' })
  await msrp.receive()
  await msrp.close()
  await alice.receive('BYE', (request) => request.header('Call-ID') === dialog.callId, 50_000)
  await expectNothingHeld(server)
})
