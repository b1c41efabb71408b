import { expect, test } from 'vitest'
import { sdpAttribute } from '../support/chat-sdp.ts'
import { eventually } from '../support/eventually.ts'
import type { Phone } from '../support/phone.ts'
import { PhoneDialog, PlacedCall, ReceivedCall, respondTo } from '../support/phone-call.ts'
import { callable, chatOf, connect, expectNothingHeld } from '../support/sessions.ts'
import type { SipText } from '../support/sip-text.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

/** Two devices of bob ring. */
async function ringTwo(server: TestServer, alice: Phone) {
  const devices = [
    await callable(server, 'bob', { instance: 'urn:uuid:1' }),
    await callable(server, 'bob', { instance: 'urn:uuid:2' }),
  ]
  const placed = new PlacedCall(alice, server.aor('bob'), { sdp: chatOf('alice') })
  const [phone, tablet] = await Promise.all(devices.map((device) => ReceivedCall.next(device)))
  return { placed, phone: phone as ReceivedCall, tablet: tablet as ReceivedCall }
}

/** Nobody answers in place of those who do not. */
const refusing = { settings: { 'session.absent': 'refuse' } }

const provisional = (placed: PlacedCall, status: number): Promise<SipText> =>
  eventually(() => {
    const found = placed.provisional.find((response) => response.status === status)
    if (found === undefined) throw new Error(`no ${status} yet`)
    return found
  })

/** The dialog of the caller before it is answered. */
function earlyDialog(phone: Phone, response: SipText): PhoneDialog {
  const [callId = '', local = '', remote = ''] = ['Call-ID', 'From', 'To'].map((name) => response.header(name))
  const target = /<([^>]+)>/.exec(response.header('Contact') ?? '')?.[1] ?? ''
  return new PhoneDialog(phone, callId, local, remote, target)
}

const reliable = { Require: '100rel', RSeq: '1' }
const rackOf = (response: SipText) => `${response.header('RSeq')} ${response.header('CSeq')}`

test('a device that redirects does not answer, and nobody is led around the server', async () => {
  await using server = await startServer(refusing)
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatOf('alice') })
  const received = await ReceivedCall.next(bob)
  received.respond(302, { headers: { Contact: '<sip:elsewhere@192.0.2.7>' } })
  const refused = await placed.final
  expect([refused.status, refused.header('Contact')]).toEqual([480, undefined])
  await expectNothingHeld(server)
})

test('a device that redirects leaves the word to one that is busy', async () => {
  await using server = await startServer()
  const { placed, phone, tablet } = await ringTwo(server, await server.phone('alice'))
  phone.respond(302)
  tablet.respond(486)
  expect((await placed.final).status).toBe(486)
})

test.each<[number, number, number]>([
  [407, 486, 407],
  [401, 603, 603],
  [600, 407, 600],
  [480, 486, 486],
  [606, 404, 606],
  [503, 486, 486],
])('%i and %i of two devices are %i to the caller', async (one, other, best) => {
  await using server = await startServer(refusing)
  const alice = await server.phone('alice')
  const { placed, phone, tablet } = await ringTwo(server, alice)
  phone.respond(one)
  tablet.respond(other)
  expect((await placed.final).status).toBe(best)
  await expectNothingHeld(server)
})

test('when nobody answers in time all devices stop ringing, and the caller gets 480', async () => {
  await using server = await startServer({ settings: { ...refusing.settings, 'session.ringFor': '1s' } })
  const { placed, phone, tablet } = await ringTwo(server, await server.phone('alice'))
  for (const ringing of [phone, tablet]) ringing.respond(180)
  await Promise.all([phone.cancelled(), tablet.cancelled()])
  expect((await placed.final).status).toBe(480)
  await expectNothingHeld(server)
})

test('early media of the one device that is called reach the caller, and the answer repeats them', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatOf('alice') })
  const received = await ReceivedCall.next(bob)
  received.respond(183, { sdp: chatOf('bob') })
  const early = await provisional(placed, 183)
  expect(sdpAttribute(early.text, 'path')).toContain(`:${server.msrpPort}/`)
  const answering = received.answer(chatOf('bob'))
  const { response, dialog } = await placed.answered()
  expect(response.text).toBe(early.text)
  await answering
  await dialog.bye()
  await expectNothingHeld(server)
})

test('an answer that differs from the early media takes their place, on the same connection', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatOf('alice') })
  const received = await ReceivedCall.next(bob)
  received.respond(183, { sdp: chatOf('announcement') })
  const early = await provisional(placed, 183)
  const answering = received.answer(chatOf('bob'))
  const { response, dialog } = await placed.answered()
  expect(sdpAttribute(response.text, 'path')).toBe(sdpAttribute(early.text, 'path'))
  await answering
  await dialog.bye()
  await expectNothingHeld(server)
})

test('of several devices that ring the caller hears that they do, and no early media', async () => {
  await using server = await startServer()
  const { placed, phone, tablet } = await ringTwo(server, await server.phone('alice'))
  phone.respond(183, { sdp: chatOf('phone') })
  tablet.respond(180)
  expect((await provisional(placed, 183)).text).toBe('')
  await provisional(placed, 180)
  const answering = tablet.answer(chatOf('tablet'))
  const { dialog } = await placed.answered()
  await phone.cancelled()
  await answering
  await dialog.bye()
  await expectNothingHeld(server)
})

test('a reliable response of the device is one to the caller, whose PRACK leads to the PRACK of the device', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatOf('alice'), headers: { Supported: '100rel' } })
  const received = await ReceivedCall.next(bob)
  received.respond(183, { sdp: chatOf('bob'), headers: reliable })
  const early = await provisional(placed, 183)
  expect(early.header('Require')).toContain('100rel')
  expect(bob.received.map(({ method }) => method)).not.toContain('PRACK')
  const dialog = earlyDialog(alice, early)
  expect((await dialog.request('PRACK', { headers: { RAck: rackOf(early) } })).status).toBe(200)
  expect((await bob.receive('PRACK')).header('RAck')).toBe(`1 ${received.invite.header('CSeq')}`)
  received.respond(200)
  const { response } = await placed.answered()
  expect(response.status).toBe(200)
  await bob.receive('ACK')
  await dialog.bye()
  await expectNothingHeld(server)
})

test('a caller who knows no reliable responses hears them all the same', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatOf('alice') })
  const received = await ReceivedCall.next(bob)
  received.respond(180, { headers: reliable })
  expect((await placed.ringing).header('Require')).toBeUndefined()
  expect((await bob.receive('PRACK')).header('RAck')).toBe(`1 ${received.invite.header('CSeq')}`)
  const answering = received.answer(chatOf('bob'))
  const { dialog } = await placed.answered()
  await answering
  await dialog.bye()
  await expectNothingHeld(server)
})

test('an offer that the device makes reliably is answered in the PRACK', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { headers: { Supported: '100rel' } })
  const received = await ReceivedCall.next(bob)
  received.respond(183, { sdp: chatOf('bob'), headers: reliable })
  const early = await provisional(placed, 183)
  const dialog = earlyDialog(alice, early)
  const said = { sdp: chatOf('alice'), headers: { RAck: rackOf(early) } }
  expect((await dialog.request('PRACK', said)).status).toBe(200)
  expect(sdpAttribute((await bob.receive('PRACK')).text, 'path')).toContain(`:${server.msrpPort}/`)
  received.respond(200, { sdp: chatOf('bob') }) // says again what is agreed on
  expect((await placed.answered()).response.text).toBe('')
  await bob.receive('ACK')
  expect(await server.metric('parley_msrp_sessions')).toBe(2)
  await dialog.bye()
  await expectNothingHeld(server)
})

test('once offer and answer are through, an UPDATE crosses before the call is answered', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const usual = bob.answer
  bob.answer = (request) => (request.method === 'UPDATE' ? 'silence' : usual(request))
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatOf('alice'), headers: { Supported: '100rel' } })
  const received = await ReceivedCall.next(bob)
  received.respond(183, { sdp: chatOf('bob'), headers: { ...reliable, Allow: 'INVITE, UPDATE, PRACK' } })
  const early = await provisional(placed, 183)
  const dialog = earlyDialog(alice, early)
  await dialog.request('PRACK', { headers: { RAck: rackOf(early) } })
  await bob.receive('PRACK')
  const updating = dialog.request('UPDATE', { sdp: chatOf('alice', { version: 2 }) })
  const update = await bob.receive('UPDATE')
  respondTo(bob, update, 200, { sdp: chatOf('bob', { version: 2 }) })
  const updated = await updating
  expect([updated.status, sdpAttribute(updated.text, 'path')]).toEqual([200, sdpAttribute(early.text, 'path')])
  received.respond(200)
  await placed.answered()
  await bob.receive('ACK')
  await dialog.bye()
  await expectNothingHeld(server)
})

test('an UPDATE that comes before there is anybody to take it is to be tried again', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const { placed, phone, tablet } = await ringTwo(server, alice)
  for (const ringing of [phone, tablet]) ringing.respond(180)
  const dialog = earlyDialog(alice, await placed.ringing)
  const refused = await dialog.request('UPDATE', { sdp: chatOf('alice', { version: 2 }) })
  expect(refused.status).toBe(500)
  expect(Number(refused.header('Retry-After'))).toBeLessThanOrEqual(10)
  expect((await placed.cancel()).status).toBe(200)
  await Promise.all([phone.cancelled(), tablet.cancelled()])
  await expectNothingHeld(server)
})

test('a server that has all the sessions it may have says when to try again', async () => {
  await using server = await startServer({ settings: { 'session.maxSessions': '1' } })
  const [alice, bob, carol] = [await server.phone('alice'), await callable(server, 'bob'), await server.phone('carol')]
  const { atCaller } = await connect(alice, bob)
  const full = await new PlacedCall(carol, bob.aor, { sdp: chatOf('carol') }).final
  expect([full.status, Number(full.header('Retry-After')) > 0]).toEqual([503, true])
  expect([await server.metric('parley_sessions'), await server.metric('parley_sessions_limit')]).toEqual([1, 1])
  await atCaller.bye()
  await expectNothingHeld(server)
  const again = await connect(carol, bob)
  await again.atCaller.bye()
  await expectNothingHeld(server)
  expect(await server.metric('parley_sessions_peak')).toBe(1)
})

test('one user has a share of the sessions, and the others have the rest', async () => {
  await using server = await startServer({ settings: { 'session.maxPerUser': '1' } })
  const [alice, bob, carol] = [await server.phone('alice'), await callable(server, 'bob'), await server.phone('carol')]
  const { atCaller } = await connect(alice, bob)
  const refused = await new PlacedCall(alice, bob.aor, { sdp: chatOf('alice') }).final
  expect([refused.status, refused.header('Retry-After')]).toEqual([503, '10'])
  const other = await connect(carol, bob)
  await atCaller.bye()
  await (await connect(alice, bob)).atCaller.bye()
  await other.atCaller.bye()
  await expectNothingHeld(server)
})

test('a phone that says nothing to its INVITE does not hold up a server that closes', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const bob = await server.online('bob')
  bob.answer = () => 'silence'
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatOf('alice') })
  await bob.receive('INVITE')
  const closing = server.app.close().then(() => 'closed')
  expect((await placed.final).status).toBe(503)
  const late = new Promise((resolve) => setTimeout(() => resolve('held up'), 8_000).unref())
  expect(await Promise.race([closing, late])).toBe('closed')
})
