import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { agreeOnChat, hangUp, msrpPort, sayBothWays } from '../support/chat-pair.ts'
import { chatSdp, sdpAttribute } from '../support/chat-sdp.ts'
import type { Phone } from '../support/phone.ts'
import { awaitCalls, PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { callable, expectNothingHeld } from '../support/sessions.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

const webSockets = { settings: { 'msrp.listen': 'tcp:127.0.0.1:0,ws:127.0.0.1:0,wss:127.0.0.1:0' } }

/** alice and bob, whose SIP goes over WebSockets as well: so the server knows what they speak. */
async function onWebSockets(server: TestServer, transport: 'ws' | 'wss'): Promise<readonly [Phone, Phone]> {
  const phones = [await server.online('alice', { transport }), await server.online('bob', { transport })] as const
  for (const phone of phones) awaitCalls(phone)
  return phones
}

test.each(['ws', 'wss'] as const)('two clients chat over %s', async (transport) => {
  await using server = await startServer(webSockets)
  const chat = await agreeOnChat(server, await onWebSockets(server, transport), [{ transport }])
  await sayBothWays(chat)
  const large = randomBytes(300_000).toString('hex')
  chat.near.client.send({ to: chat.near.to, body: large })
  let heard = ''
  for (let flag = '+'; flag === '+'; ) {
    const frame = await chat.far.client.receive()
    heard += String(frame.body)
    flag = frame.flag
    chat.far.client.respond(frame)
  }
  expect(heard).toBe(large)
  expect((await chat.near.client.receive()).what).toBe('200 OK')
  await hangUp(chat)
  await expectNothingHeld(server)
})

test('over WebSocket the server waits to be connected to: only a client can open one', async () => {
  await using server = await startServer(webSockets)
  const [alice, bob] = await onWebSockets(server, 'ws')
  const described = (setup: string) =>
    chatSdp({ path: 'msrp://client.invalid:9/x;ws', setup }).replace('TCP/MSRP', 'TCP/WS/MSRP')
  const placed = new PlacedCall(alice, bob.aor, { sdp: described('actpass') })
  const received = await ReceivedCall.next(bob)
  expect(sdpAttribute(received.invite.text, 'setup')).toBe('passive')
  expect(sdpAttribute(received.invite.text, 'path')).toMatch(
    new RegExp(`^msrp://127.0.0.1:${msrpPort(server, 'ws')}/\\S+;ws$`),
  )
  void received.answer(described('active'))
  const { response, dialog } = await placed.answered()
  expect(sdpAttribute(response.text, 'setup')).toBe('passive')
  await dialog.bye()
  const refused = await new PlacedCall(alice, bob.aor, { sdp: described('passive') }).final
  expect([refused.status, refused.header('Warning')]).toEqual([488, expect.stringMatching(/^3\d\d /)])
  await expectNothingHeld(server)
})

test('a client on a WebSocket chats with one on TCP', async () => {
  await using server = await startServer(webSockets)
  const [alice] = await onWebSockets(server, 'ws')
  const carol = await callable(server, 'carol')
  const chat = await agreeOnChat(server, [alice, carol], [{ transport: 'ws' }, { transport: 'tcp' }])
  await sayBothWays(chat)
  await hangUp(chat)
  await expectNothingHeld(server)
})
