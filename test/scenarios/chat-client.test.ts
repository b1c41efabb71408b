import { afterEach, expect, test } from 'vitest'
import { buildClient } from '../../src/app/client.ts'
import type { Called, Chat, ChatEvents, Client, Invitation } from '../../src/client/index.ts'
import { chatSdp, sdpAttribute } from '../support/chat-sdp.ts'
import { eventually } from '../support/eventually.ts'
import { MsrpClient } from '../support/msrp-client.ts'
import { awaitCalls, ReceivedCall } from '../support/phone-call.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

const clients: Client[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
})

/** What a chat tells, in order. */
class Heard implements ChatEvents {
  readonly #waiting: ((event: readonly unknown[]) => void)[] = []
  readonly #events: (readonly unknown[])[] = []

  onMessage = ({ from, text }: { from: string; text: string }) => this.#put(['message', from, text])
  onNotification = ({ messageId, status }: { messageId: string; status: string }) =>
    this.#put(['notification', messageId, status])
  onComposing = (composing: boolean) => this.#put(['composing', composing])
  onEnded = (by: string) => this.#put(['ended', by])

  next(): Promise<readonly unknown[]> {
    const event = this.#events.shift()
    return event ? Promise.resolve(event) : new Promise((resolve) => this.#waiting.push(resolve))
  }

  #put(event: readonly unknown[]): void {
    const waiting = this.#waiting.shift()
    if (waiting) waiting(event)
    else this.#events.push(event)
  }
}

async function clientOf(server: TestServer, user: string, transport: 'tcp' | 'udp' = 'tcp'): Promise<Client> {
  const { address, port } = server.address(transport)
  const uri = `sip:${address}:${port};transport=${transport}`
  const client = buildClient({ aor: server.aor(user), password: `${user}-secret`, server: uri })
  clients.push(client)
  await client.start()
  return client
}

/** A registered client, and the first invitation that it gets. */
async function callable(server: TestServer, user: string): Promise<{ readonly invitation: Promise<Invitation> }> {
  const client = await clientOf(server, user)
  const invitation = new Promise<Invitation>((resolve) => client.on('invitation', resolve))
  expect((await client.register()).status).toBe(200)
  return { invitation }
}

const call = (client: Client, to: string, events: ChatEvents, cancelled = new AbortController().signal) =>
  client.chat(to, { events, cancelled })

function chatOf({ chat, status }: Called): Chat {
  if (chat === undefined) throw new Error(`refused: ${status}`)
  return chat
}

async function expectNothingHeld(server: TestServer): Promise<void> {
  await eventually(async () => {
    expect(await server.metric('parley_sessions')).toBe(0)
    expect(await server.metric('parley_msrp_sessions')).toBe(0)
  })
}

test.each([
  ['always', 'both clients connect to the server'],
  ['never', 'one connects to the other'],
])('with session.mediaAnchor %s %s', async (mediaAnchor) => {
  await using server = await startServer({ settings: { 'session.mediaAnchor': mediaAnchor } })
  const alice = await clientOf(server, 'alice', 'udp')
  const bob = await clientOf(server, 'bob')
  const [atAlice, atBob] = [new Heard(), new Heard()]
  const answering = new Promise<Chat>((resolve, reject) => {
    bob.once('invitation', (invitation) => void invitation.accept(atBob).then(resolve, reject))
  })
  await bob.register()
  const placed = chatOf(await call(alice, server.aor('bob'), atAlice))
  const answered = await answering
  expect([placed.peer, answered.peer]).toEqual([server.aor('bob'), server.aor('alice')])
  const id = await placed.send('hello bob 😀')
  expect(await atBob.next()).toEqual(['message', server.aor('alice'), 'hello bob 😀'])
  expect(await atAlice.next()).toEqual(['notification', id, 'delivered'])
  placed.typing(true)
  expect(await atBob.next()).toEqual(['composing', true])
  placed.typing(false)
  expect(await atBob.next()).toEqual(['composing', false])
  await answered.send('x'.repeat(200_000))
  expect(await atAlice.next()).toEqual(['message', server.aor('bob'), 'x'.repeat(200_000)])
  expect((await atBob.next())[2]).toBe('delivered')
  await placed.end()
  expect(await atBob.next()).toEqual(['ended', 'peer'])
  await expectNothingHeld(server)
})

test('a peer that takes plain text only gets that', async () => {
  await using server = await startServer()
  const alice = await clientOf(server, 'alice')
  const bob = await server.phone('bob')
  await bob.register()
  awaitCalls(bob)
  await using msrp = await MsrpClient.connect({ port: server.msrpPort })
  const heard = new Heard()
  const calling = call(alice, bob.aor, heard)
  const received = await ReceivedCall.next(bob)
  expect(received.invite.header('Accept-Contact')).toContain('oma.cpm.session')
  expect(received.invite.header('P-Asserted-Service')).toContain('oma.cpm.session')
  const sdp = chatSdp({ path: msrp.path }).replace('message/cpim text/plain', 'text/plain')
  const answering = received.answer(sdp)
  const chat = chatOf(await calling)
  const { dialog } = await answering
  msrp.send({ to: sdpAttribute(received.invite.text, 'path') ?? '' })
  expect((await msrp.receive()).what).toBe('200 OK')
  const sending = chat.send('hello')
  const frame = await msrp.receive()
  expect([frame.fields['content-type'], frame.body?.toString()]).toEqual(['text/plain;charset=UTF-8', 'hello'])
  msrp.respond(frame)
  await sending
  const refused = expect(chat.send('too much')).rejects.toThrow('413')
  msrp.respond(await msrp.receive(), '413 Enough')
  await refused
  msrp.send({ to: sdpAttribute(received.invite.text, 'path') ?? '', body: 'hello alice' })
  expect(await heard.next()).toEqual(['message', bob.aor, 'hello alice'])
  expect((await dialog.reinvite({ sdp })).status).toBe(200)
  await dialog.bye()
  expect(await heard.next()).toEqual(['ended', 'peer'])
  await expect(chat.send('late')).rejects.toThrow('over')
  await expectNothingHeld(server)
})

test('who declines, who takes no chats, and who gives up', async () => {
  await using server = await startServer()
  const alice = await clientOf(server, 'alice')
  const { invitation } = await callable(server, 'bob')
  const declined = call(alice, server.aor('bob'), new Heard())
  ;(await invitation).refuse(603)
  expect((await declined).status).toBe(603)

  const carol = await server.phone('carol')
  await carol.register()
  awaitCalls(carol)
  const giveUp = new AbortController()
  const given = call(alice, carol.aor, new Heard(), giveUp.signal)
  const received = await ReceivedCall.next(carol)
  received.respond(180)
  giveUp.abort()
  await received.cancelled()
  expect((await given).status).toBe(487)
  const unfit = call(alice, carol.aor, new Heard())
  const { dialog } = await (await ReceivedCall.next(carol)).answer('v=0\r\n')
  await dialog.receive('BYE')
  expect((await unfit).status).toBe(488)
  await expectNothingHeld(server)
})

test('a client that goes says BYE in its chats', async () => {
  await using server = await startServer()
  const alice = await clientOf(server, 'alice')
  const { invitation } = await callable(server, 'bob')
  const [atAlice, atBob] = [new Heard(), new Heard()]
  const calling = call(alice, server.aor('bob'), atAlice)
  await (await invitation).accept(atBob)
  chatOf(await calling)
  await alice.close()
  expect(await atBob.next()).toEqual(['ended', 'peer'])
  await expectNothingHeld(server)
})
