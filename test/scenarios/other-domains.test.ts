import { expect, test } from 'vitest'
import { chatSdp, sdpAttribute } from '../support/chat-sdp.ts'
import { notificationOf, sendCpm } from '../support/cpim-text.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import { displayed } from '../support/notify.ts'
import { awaitCalls, PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { startServer } from '../support/start-server.ts'
import { elsewhere, startTwo } from '../support/two-servers.ts'

test.each(['udp', 'tcp'] as const)('users of two domains write to each other over %s', async (transport) => {
  const [parley, other] = await startTwo(transport)
  await using _ = parley
  await using __ = other
  const [alice, bob] = [await parley.online('alice', elsewhere), await other.online('bob', elsewhere)]
  expect((await alice.message(bob.aor, 'from parley.test')).status).toBe(200)
  const there = await bob.receive('MESSAGE')
  expect([there.text, there.header('From')]).toEqual(['from parley.test', expect.stringContaining(alice.aor)])
  expect((await bob.message(alice.aor, 'from other.test')).status).toBe(200)
  const here = await alice.receive('MESSAGE')
  expect([here.text, here.header('From')]).toEqual(['from other.test', expect.stringContaining(bob.aor)])
})

test('the home of an absent user keeps the message, and the notification finds its way back', async () => {
  const [parley, other] = await startTwo('udp')
  await using _ = parley
  await using __ = other
  const alice = await parley.online('alice', elsewhere)
  const sent = await sendCpm(alice, other.aor('bob'), 'across', { id: 'across-1', want: 'display' })
  expect(sent.status).toBe(202)
  const bob = await other.online('bob', elsewhere)
  expect((await displayed(bob, await bob.receive('MESSAGE'))).status).toBe(200)
  expect(notificationOf(await alice.receive('MESSAGE'))).toEqual({ messageId: 'across-1', disposition: 'displayed' })
})

test('towards a peer the identity of the sender is asserted', async () => {
  const peerPort = await freePort('127.0.0.1')
  await using server = await startServer({
    settings: { 'sip.routes': `peer.test=sip:127.0.0.1:${peerPort}`, 'sip.trustedPeers': '127.0.0.9' },
  })
  const [alice, peer] = [await server.phone('alice'), await server.phone('peer', { localPort: peerPort })]
  expect((await alice.message('sip:dave@peer.test', 'over there')).status).toBe(200)
  const received = await peer.receive('MESSAGE')
  expect(received.uri).toBe('sip:dave@peer.test')
  expect(received.text).toBe('over there')
})

test('a peer that is trusted hears who the sender is', async () => {
  const peerPort = await freePort('127.0.0.1')
  await using server = await startServer({
    settings: { 'sip.routes': `peer.test=sip:127.0.0.1:${peerPort}`, 'sip.trustedPeers': '127.0.0.1' },
  })
  const [alice, peer] = [await server.phone('alice'), await server.phone('peer', { localPort: peerPort })]
  const headers = { 'P-Asserted-Identity': '<sip:alice@parley.test>' }
  expect((await alice.message('sip:dave@peer.test', 'asserted', { headers })).status).toBe(200)
  expect((await peer.receive('MESSAGE')).header('P-Asserted-Identity')).toContain('<sip:alice@parley.test>')
})

test('a domain that nobody serves is answered with a failure, and nothing is promised', async () => {
  await using server = await startServer({ settings: { 'sip.routes': 'gone.test=sip:127.0.0.1:1;transport=tcp' } })
  const alice = await server.phone('alice')
  expect((await alice.message('sip:dave@gone.test', 'anybody?')).status).toBeGreaterThanOrEqual(400)
})

test('users of two domains have a session with each other', async () => {
  const [parley, other] = await startTwo('udp')
  await using _ = parley
  await using __ = other
  const [alice, bob] = [await parley.online('alice', elsewhere), await other.online('bob', elsewhere)]
  awaitCalls(bob)
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatSdp({ path: 'msrp://client.invalid:9/alice;tcp' }) })
  const received = await ReceivedCall.next(bob)
  expect(received.invite.header('From')).toContain(alice.aor)
  const answering = received.answer(chatSdp({ path: 'msrp://client.invalid:9/bob;tcp' }))
  const { response, dialog } = await placed.answered()
  expect(sdpAttribute(response.text, 'path')).toContain(`:${parley.msrpPort}/`)
  expect(sdpAttribute(received.invite.text, 'path')).toContain(`:${other.msrpPort}/`)
  await dialog.bye()
  await (await answering).dialog.receive('BYE')
  for (const server of [parley, other]) {
    await eventually(async () => expect(await server.metric('parley_msrp_sessions')).toBe(0))
  }
})
