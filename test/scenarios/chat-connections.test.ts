import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { agreeOnChat, hangUp, msrpPort, say, sayBothWays } from '../support/chat-pair.ts'
import { chatSdp, sdpAttribute } from '../support/chat-sdp.ts'
import { eventually } from '../support/eventually.ts'
import { MsrpClient } from '../support/msrp-client.ts'
import { PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { callable, expectNothingHeld } from '../support/sessions.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

const both = async (server: TestServer) => [await callable(server, 'alice'), await callable(server, 'bob')] as const

test('a client whose connection broke comes back, and the chat goes on', async () => {
  await using server = await startServer()
  const chat = await agreeOnChat(server, await both(server))
  await sayBothWays(chat)
  await chat.near.client.close()
  await eventually(async () => expect(await server.metric('parley_msrp_connections')).toBe(1))
  expect(await server.metric('parley_msrp_sessions')).toBe(2)
  await chat.near.reconnect()
  await sayBothWays(chat)
  await hangUp(chat)
  await expectNothingHeld(server)
})

test('a client that does not come back ends the session for both, and all is free', async () => {
  await using server = await startServer({ settings: { 'msrp.limits.absence': '200ms' } })
  const chat = await agreeOnChat(server, await both(server))
  await sayBothWays(chat)
  const byes = [chat.atNear.receive('BYE'), chat.atFar.receive('BYE')]
  await chat.near.client.close()
  await Promise.all(byes)
  await chat.far.client.close()
  await expectNothingHeld(server)
  expect(await server.metric('parley_msrp_connections')).toBe(0)
})

test('where the server is the one that connects, it connects again when the connection is lost', async () => {
  await using server = await startServer()
  const [alice, bob] = await both(server)
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const path = `msrp://127.0.0.1:${port}/waiting;tcp`
  const accepting = once(listener, 'connection') as Promise<[Socket]>
  const near = await MsrpClient.connect({ port: server.msrpPort })
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatSdp({ path: near.path }) })
  const received = await ReceivedCall.next(bob)
  void received.answer(chatSdp({ path, setup: 'passive' }))
  const { response, dialog } = await placed.answered()
  const [first] = await accepting
  await heard(first, /^MSRP \S+ SEND/)
  const again = once(listener, 'connection') as Promise<[Socket]>
  first.destroy()
  const [second] = await again
  await heard(second, /^MSRP \S+ SEND/)
  const to = sdpAttribute(response.text, 'path') ?? ''
  near.send({ to, body: 'are you back?' })
  await heard(second, /are you back\?/)
  await dialog.bye()
  await near.close()
  second.destroy()
  listener.close()
  await expectNothingHeld(server)
})

/** Reads until this came. */
async function heard(socket: Socket, pattern: RegExp): Promise<void> {
  let text = ''
  while (!pattern.test(text)) text += String((await once(socket, 'data'))[0])
}

test('with all message sessions taken a call is 503 with Retry-After, and holds nothing', async () => {
  await using server = await startServer({ settings: { 'msrp.limits.sessions': '3' } })
  const phones = await both(server)
  const chat = await agreeOnChat(server, phones)
  const [alice, bob] = phones
  const sdp = chatSdp({ path: 'msrp://client.invalid:9/x;tcp' })
  const placed = new PlacedCall(alice, bob.aor, { sdp })
  void (await ReceivedCall.next(bob)).answer(sdp) // the first end is to be had, the second is not
  const refused = await placed.final
  expect([refused.status, Number(refused.header('Retry-After')) > 0]).toEqual([503, true])
  await eventually(async () => expect(await server.metric('parley_msrp_sessions')).toBe(2))
  await sayBothWays(chat)
  await hangUp(chat)
  const next = await agreeOnChat(server, phones)
  await hangUp(next)
  await expectNothingHeld(server)
})

test('an empty SEND keeps a connection open, and is answered by the server', async () => {
  await using server = await startServer()
  const chat = await agreeOnChat(server, await both(server))
  await sayBothWays(chat)
  for (let count = 0; count < 3; count++) expect(await chat.near.bind()).toBe('200 OK')
  await say(chat.near, chat.far, 'nothing came between')
  await hangUp(chat)
  await expectNothingHeld(server)
})

test('a peer that connects and says nothing is let go', async () => {
  await using server = await startServer({ settings: { 'msrp.limits.silence': '200ms' } })
  const silent = await MsrpClient.connect({ port: server.msrpPort })
  await silent.closed
})

test('a client that does not read what it is sent is given up, and its session ends; the others go on', async () => {
  await using server = await startServer({ settings: { 'msrp.limits.stall': '500ms', 'msrp.limits.absence': '200ms' } })
  const phones = await both(server)
  const [chat, other] = [await agreeOnChat(server, phones), await agreeOnChat(server, phones)]
  await sayBothWays(chat)
  await sayBothWays(other)
  chat.far.client.pause()
  const byes = [chat.atNear.receive('BYE'), chat.atFar.receive('BYE')]
  chat.near.client.send({ to: chat.near.to, body: Buffer.alloc(32 * 1024 * 1024, 'x') })
  await say(other.near, other.far, 'we go on')
  await Promise.all(byes)
  await say(other.far, other.near, 'and on')
  await hangUp(other)
  chat.far.client.resume()
  await Promise.all([chat.near.client.close(), chat.far.client.close()])
  await expectNothingHeld(server)
})

test('a transaction id that comes twice is answered twice, and each message arrives', async () => {
  await using server = await startServer()
  const chat = await agreeOnChat(server, await both(server))
  await sayBothWays(chat)
  const { near, far } = chat
  for (const body of ['one', 'two']) near.client.send({ to: near.to, body, transactionId: 'same1' })
  for (const body of ['one', 'two']) {
    const frame = await far.client.receive()
    expect(String(frame.body)).toBe(body)
    far.client.respond(frame)
    const answer = await near.client.receive()
    expect([answer.transactionId, answer.what]).toEqual(['same1', '200 OK'])
  }
  await hangUp(chat)
  await expectNothingHeld(server)
})

test('what no session knows is 481, and what is no MSRP is cut off; the sessions go on', async () => {
  await using server = await startServer()
  const chat = await agreeOnChat(server, await both(server))
  await sayBothWays(chat)
  const [lost, rude] = [
    await MsrpClient.connect({ port: server.msrpPort }),
    await MsrpClient.connect({ port: server.msrpPort }),
  ]
  lost.send({ to: `msrp://127.0.0.1:${msrpPort(server)}/nobody;tcp`, body: 'hello?' })
  expect((await lost.receive()).what).toMatch(/^481/)
  rude.write('GET / HTTP/1.1\r\n\r\n')
  await rude.closed
  await lost.close()
  await say(chat.far, chat.near, 'did you hear something?')
  await hangUp(chat)
  await expectNothingHeld(server)
})
