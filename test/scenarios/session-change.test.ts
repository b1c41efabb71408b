import { expect, test } from 'vitest'
import { chatSdp, sdpAttribute } from '../support/chat-sdp.ts'
import { MsrpClient } from '../support/msrp-client.ts'
import { awaitCalls, PlacedCall, ReceivedCall, respondTo } from '../support/phone-call.ts'
import {
  acceptOffer,
  callable,
  chatOf,
  connect,
  expectNothingHeld,
  replacesCallee,
  replacesCaller,
} from '../support/sessions.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

const audio = (port: number) => `m=audio ${port} RTP/AVP 0\r\na=rtcp-mux\r\n`
const video = (port: number) => `m=video ${port} RTP/AVP 31\r\na=rtcp-mux\r\n`

/** The ports of the m= lines. */
const portsOf = (sdp: string) => [...sdp.matchAll(/^m=(\w+) (\d+)/gm)].map(([, kind, port]) => [kind, Number(port)])
const used = expect.toSatisfy((port: number) => port > 0)

async function aliceAndBob(server: TestServer) {
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  awaitCalls(alice)
  return { alice, bob, session: await connect(alice, bob) }
}

test('voice and video join a chat and leave it; what is refused has port 0 and the rest goes on', async () => {
  await using server = await startServer()
  const { alice, bob, session } = await aliceAndBob(server)
  const { atCaller, atCallee, response } = session
  const path = sdpAttribute(response.text, 'path')
  const offer = (version: number, more: string) => ({ sdp: chatOf('alice', { version, more }) })

  const refusing = acceptOffer(bob, atCallee, chatOf('bob', { version: 2, more: audio(5000) + video(0) }))
  const joined = await atCaller.reinvite(offer(2, audio(4000) + video(4002)))
  expect(portsOf((await refusing).text)).toEqual([
    ['message', used],
    ['audio', used],
    ['video', used],
  ])
  expect(portsOf(joined.text)).toEqual([
    ['message', used],
    ['audio', used],
    ['video', 0],
  ])
  expect(sdpAttribute(joined.text, 'path')).toBe(path)

  const back = acceptOffer(alice, atCaller, chatOf('alice', { version: 3, more: audio(0) + video(4002) }))
  const dropped = await atCallee.reinvite({ sdp: chatOf('bob', { version: 3, more: audio(0) + video(5002) }) })
  expect(portsOf((await back).text)).toEqual([
    ['message', used],
    ['audio', 0],
    ['video', used],
  ])
  expect(portsOf(dropped.text)).toEqual([
    ['message', used],
    ['audio', 0],
    ['video', used],
  ])

  const last = acceptOffer(bob, atCallee, chatOf('bob', { version: 4, more: audio(0) + video(0) }))
  expect(portsOf((await atCaller.reinvite(offer(4, audio(0) + video(0)))).text)).toEqual([
    ['message', used],
    ['audio', 0],
    ['video', 0],
  ])
  expect(sdpAttribute((await last).text, 'path')).toBe(sdpAttribute(session.invite.text, 'path'))
  expect(await server.metric('parley_rtp_ports')).toBe(0)
  expect(await server.metric('parley_msrp_sessions')).toBe(2)
  await atCaller.bye()
  await expectNothingHeld(server)
})

test('a re-INVITE without offer brings that of the other party, and the ACK the answer', async () => {
  await using server = await startServer()
  const { bob, session } = await aliceAndBob(server)
  const { atCaller, atCallee, response } = session
  const asked = atCallee.receive('INVITE')
  const reinviting = atCaller.reinvite({}, chatOf('alice', { version: 2 }))
  const invite = await asked
  expect(invite.text).toBe('')
  respondTo(bob, invite, 200, { sdp: chatOf('bob', { version: 2 }) })
  const offered = await reinviting
  expect(sdpAttribute(offered.text, 'path')).toBe(sdpAttribute(response.text, 'path'))
  const ack = await atCallee.receive('ACK')
  expect(sdpAttribute(ack.text, 'path')).toBe(sdpAttribute(session.invite.text, 'path'))
  await atCaller.bye()
  await expectNothingHeld(server)
})

test('an UPDATE without offer is the business of the side that it comes from', async () => {
  await using server = await startServer()
  const { bob, session } = await aliceAndBob(server)
  expect((await session.atCaller.request('UPDATE')).status).toBe(200)
  expect(bob.received.map(({ method }) => method)).not.toContain('UPDATE')
  await session.atCaller.bye()
  await expectNothingHeld(server)
})

test('an UPDATE with an offer goes to who knows it as one, and to others as a re-INVITE', async () => {
  await using server = await startServer()
  const { bob, session } = await aliceAndBob(server)
  const accepting = acceptOffer(bob, session.atCallee, chatOf('bob', { version: 2 }))
  const updated = await session.atCaller.request('UPDATE', { sdp: chatOf('alice', { version: 2 }) })
  expect([updated.status, sdpAttribute(updated.text, 'path')]).toEqual([
    200,
    sdpAttribute(session.response.text, 'path'),
  ])
  await accepting
  await session.atCaller.bye()
  await expectNothingHeld(server)
})

test('a user goes on from another device: the chat moves there, and the first device hears that it is over', async () => {
  await using server = await startServer()
  const [alice, phone, tablet] = [await server.phone('alice'), await callable(server, 'bob'), await server.phone('bob')]
  awaitCalls(alice)
  await using atAlice = await MsrpClient.connect({ port: server.msrpPort })
  await using atPhone = await MsrpClient.connect({ port: server.msrpPort })
  await using atTablet = await MsrpClient.connect({ port: server.msrpPort })
  const placed = new PlacedCall(alice, phone.aor, { sdp: chatSdp({ path: atAlice.path }) })
  const received = await ReceivedCall.next(phone)
  const answering = received.answer(chatSdp({ path: atPhone.path }))
  const { response, dialog: atCaller } = await placed.answered()
  const { ack, dialog: atCallee } = await answering
  const session = { invite: received.invite, response, ack, atCaller, atCallee }
  const towardsAlice = sdpAttribute(response.text, 'path') ?? ''
  atAlice.send({ to: towardsAlice })
  await atAlice.receive()

  const moved = new PlacedCall(tablet, alice.aor, {
    sdp: chatSdp({ path: atTablet.path }),
    headers: { Replaces: replacesCallee(session) },
  })
  const offer = await acceptOffer(alice, atCaller, chatSdp({ path: atAlice.path, version: 2 }))
  expect(sdpAttribute(offer.text, 'path')).toBe(sdpAttribute(response.text, 'path'))
  const { response: toTablet, dialog: fromTablet } = await moved.answered()
  expect((await atCallee.receive('BYE')).header('Reason')).toBe('SIP;cause=200;text="Replaced"')
  const towardsTablet = sdpAttribute(toTablet.text, 'path') ?? ''
  expect(towardsTablet).not.toBe(sdpAttribute(session.invite.text, 'path'))
  atTablet.send({ to: towardsTablet })
  await atTablet.receive()
  atAlice.send({ to: towardsAlice, body: 'are you still there?' })
  const heard = await atTablet.receive()
  expect(heard.body?.toString()).toBe('are you still there?')
  atTablet.respond(heard)
  expect((await atAlice.receive()).what).toBe('200 OK')

  expect(await server.metric('parley_sessions')).toBe(1)
  expect(await server.metric('parley_msrp_sessions')).toBe(2)
  expect((await atCaller.bye()).status).toBe(200)
  await fromTablet.receive('BYE')
  await expectNothingHeld(server)
})

test('a caller goes on from another device as well, and a refusal of the other party leaves all as it was', async () => {
  await using server = await startServer()
  const { alice, bob, session } = await aliceAndBob(server)
  const laptop = await server.phone('alice')
  const said = { sdp: chatOf('laptop'), headers: { Replaces: replacesCaller(session) } }
  const refusing = session.atCallee.receive('INVITE').then((offer) => respondTo(bob, offer, 488))
  expect((await new PlacedCall(laptop, bob.aor, said).final).status).toBe(488)
  await refusing
  expect(await server.metric('parley_msrp_sessions')).toBe(2)
  const moved = new PlacedCall(laptop, bob.aor, said)
  await acceptOffer(bob, session.atCallee, chatOf('bob', { version: 2 }))
  const { dialog } = await moved.answered()
  await session.atCaller.receive('BYE')
  expect(alice.received.filter(({ method }) => method === 'INVITE')).toEqual([])
  const info = session.atCallee.request('INFO', { sdp: 'x', contentType: 'text/plain' })
  expect((await dialog.receive('INFO')).text).toBe('x')
  expect((await info).status).toBe(200)
  await session.atCallee.bye()
  await dialog.receive('BYE')
  await expectNothingHeld(server)
})

test('nobody takes the place of a party but that user, and of no dialog but one that is established', async () => {
  await using server = await startServer()
  const { bob, session } = await aliceAndBob(server)
  const [carol, tablet] = [await server.phone('carol'), await server.phone('bob')]
  const replaces = replacesCallee(session)
  const statusOf = async (phone: typeof carol, value: string | string[]) =>
    (await new PlacedCall(phone, server.aor('alice'), { sdp: chatOf('x'), headers: { Replaces: value } }).final).status
  expect(await statusOf(carol, replaces)).toBe(403)
  expect(await statusOf(tablet, `${replaces};early-only`)).toBe(486)
  expect(await statusOf(tablet, 'nothing;to-tag=a;from-tag=b')).toBe(481)
  expect(await statusOf(tablet, [replaces, replaces])).toBe(400)
  const info = session.atCallee.receive('INFO')
  expect((await session.atCaller.request('INFO', { sdp: 'x', contentType: 'text/plain' })).status).toBe(200)
  await info
  await session.atCaller.bye()
  await session.atCallee.receive('BYE')
  expect(await statusOf(tablet, replaces)).toBe(481)
  expect(bob.received.filter(({ method }) => method === 'INVITE')).toHaveLength(1)
  await expectNothingHeld(server)
})

test('a device that gives up while it is taking over leaves the session as it was', async () => {
  await using server = await startServer()
  const { bob, session } = await aliceAndBob(server)
  const tablet = await server.phone('alice')
  const headers = { Replaces: replacesCaller(session) }
  const moving = new PlacedCall(tablet, bob.aor, { sdp: chatOf('tablet'), headers })
  const offer = await session.atCallee.receive('INVITE')
  respondTo(bob, offer, 180)
  await moving.cancel()
  const cancel = await session.atCallee.receive('CANCEL')
  expect(cancel.header('CSeq')).toBe(`${Number.parseInt(offer.header('CSeq') ?? '', 10)} CANCEL`)
  respondTo(bob, offer, 487)
  expect((await moving.final).status).toBe(487)
  const info = session.atCallee.receive('INFO')
  expect((await session.atCaller.request('INFO', { sdp: 'x', contentType: 'text/plain' })).status).toBe(200)
  await info
  await session.atCaller.bye()
  await expectNothingHeld(server)
})

test('while one device takes over, neither another one nor the one before it changes anything', async () => {
  await using server = await startServer()
  const { bob, session } = await aliceAndBob(server)
  const [tablet, laptop] = [await server.phone('alice'), await server.phone('alice')]
  const headers = { Replaces: replacesCaller(session) }
  const moving = new PlacedCall(tablet, bob.aor, { sdp: chatOf('tablet'), headers })
  const offer = await session.atCallee.receive('INVITE')
  expect((await new PlacedCall(laptop, bob.aor, { sdp: chatOf('laptop'), headers }).final).status).toBe(491)
  expect((await session.atCaller.reinvite({ sdp: chatOf('alice', { version: 2 }) })).status).toBe(491)
  respondTo(bob, offer, 200, { sdp: chatOf('bob', { version: 2 }) })
  const { dialog, response } = await moving.answered()
  expect(sdpAttribute(response.text, 'path')).toContain(`:${server.msrpPort}/`)
  await session.atCaller.receive('BYE')
  await dialog.bye()
  await session.atCallee.receive('BYE')
  await expectNothingHeld(server)
})
