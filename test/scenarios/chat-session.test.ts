import { expect, test } from 'vitest'
import { chatSdp, sdpAttribute } from '../support/chat-sdp.ts'
import { eventually } from '../support/eventually.ts'
import { MsrpClient } from '../support/msrp-client.ts'
import type { Phone } from '../support/phone.ts'
import { awaitCalls, type PhoneDialog, PlacedCall, ReceivedCall, respondTo, type Said } from '../support/phone-call.ts'
import type { SipText } from '../support/sip-text.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

/** A registered phone whose INVITEs the test answers. */
async function callable(server: TestServer, user: string, instance?: string): Promise<Phone> {
  const phone = await server.phone(user)
  expect((await phone.register(instance === undefined ? {} : { instance })).status).toBe(200)
  awaitCalls(phone)
  return phone
}

const end = (name: string) => chatSdp({ path: `msrp://client.invalid:9/${name};tcp` })

/** With sound beside the chat. */
const withAudio = (name: string, port: number, version = 2) =>
  chatSdp({ path: `msrp://client.invalid:9/${name};tcp`, version, more: `m=audio ${port} RTP/AVP 0\r\n` })

/** Nothing is held any more. */
async function expectNothingHeld(server: TestServer): Promise<void> {
  await eventually(async () => {
    expect(await server.metric('parley_sessions')).toBe(0)
    expect(await server.metric('parley_msrp_sessions')).toBe(0)
    expect(await server.metric('parley_rtp_ports')).toBe(0)
  })
}

/** alice and bob in a session. */
async function establish(server: TestServer) {
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  awaitCalls(alice)
  return { alice, bob, ...(await call(alice, bob)) }
}

async function call(alice: Phone, bob: Phone, said: Said = {}) {
  const placed = new PlacedCall(alice, bob.aor, { sdp: end('alice'), ...said })
  const received = await ReceivedCall.next(bob)
  const answering = received.answer(end('bob'))
  const { response, dialog: atAlice } = await placed.answered()
  return { invite: received.invite, response, atAlice, atBob: (await answering).dialog }
}

/** The answer of a phone to a later INVITE, acknowledged. */
async function acceptOffer(phone: Phone, dialog: PhoneDialog, sdp: string): Promise<SipText> {
  const offer = await dialog.receive('INVITE')
  respondTo(phone, offer, 200, { sdp })
  await dialog.receive('ACK')
  return offer
}

test('two clients chat both ways through the server', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  await using aliceMsrp = await MsrpClient.connect({ port: server.msrpPort })
  await using bobMsrp = await MsrpClient.connect({ port: server.msrpPort })
  const placed = new PlacedCall(alice, bob.aor, { sdp: chatSdp({ path: aliceMsrp.path }) })
  const received = await ReceivedCall.next(bob)
  received.respond(180)
  await placed.ringing
  const answering = received.answer(chatSdp({ path: bobMsrp.path }))
  const { response, dialog } = await placed.answered()
  await answering
  const towardsAlice = sdpAttribute(response.text, 'path') ?? ''
  const towardsBob = sdpAttribute(received.invite.text, 'path') ?? ''
  for (const path of [towardsAlice, towardsBob]) expect(path).toContain(`:${server.msrpPort}/`)
  bobMsrp.send({ to: towardsBob })
  expect((await bobMsrp.receive()).what).toBe('200 OK')
  aliceMsrp.send({ to: towardsAlice, body: 'hello bob' })
  const atBob = await bobMsrp.receive()
  expect(atBob.body?.toString()).toBe('hello bob')
  bobMsrp.respond(atBob)
  expect((await aliceMsrp.receive()).what).toBe('200 OK')
  bobMsrp.send({ to: towardsBob, body: 'hello alice' })
  const atAlice = await aliceMsrp.receive()
  expect(atAlice.body?.toString()).toBe('hello alice')
  aliceMsrp.respond(atAlice)
  expect((await bobMsrp.receive()).what).toBe('200 OK')
  expect((await dialog.bye()).status).toBe(200)
  await expectNothingHeld(server)
})

test('a BYE of either side ends the other, and everything is free again', async () => {
  await using server = await startServer()
  const { alice, bob, ...first } = await establish(server)
  expect(await server.metric('parley_sessions')).toBe(1)
  expect(await server.metric('parley_msrp_sessions')).toBe(2)
  expect((await first.atAlice.bye()).status).toBe(200)
  await first.atBob.receive('BYE')
  await expectNothingHeld(server)
  const second = await call(alice, bob)
  expect((await second.atBob.bye()).status).toBe(200)
  await second.atAlice.receive('BYE')
  await expectNothingHeld(server)
})

test('what the caller says of the session arrives, and who the caller is', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const headers = {
    'Conversation-ID': 'conversation-1',
    'Contribution-ID': 'contribution-1',
    'InReplyTo-Contribution-ID': 'contribution-0',
    'P-Preferred-Service': 'urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session',
    'Accept-Contact': '*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session"',
    Subject: 'lunch',
  }
  const { invite, atAlice } = await call(alice, bob, { headers })
  const { 'P-Preferred-Service': service, ...carried } = headers
  for (const [name, value] of Object.entries(carried)) expect(invite.header(name)).toBe(value)
  expect(invite.header('P-Asserted-Service')).toBe(service)
  expect(invite.header('P-Preferred-Service')).toBeUndefined()
  expect(invite.header('P-Asserted-Identity')).toContain(alice.aor)
  expect(invite.header('From')).toContain(alice.aor)
  expect(invite.header('Call-ID')).not.toBe(atAlice.callId)
  expect(invite.headers.flat().join()).not.toContain(`:${alice.localPort}`)
  await atAlice.bye()
  await expectNothingHeld(server)
})

test('all devices ring; the first that answers has the session, and the other hears why it stops', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const [phone, tablet] = [await callable(server, 'bob', 'urn:uuid:1'), await callable(server, 'bob', 'urn:uuid:2')]
  const placed = new PlacedCall(alice, phone.aor, { sdp: end('alice') })
  const [onPhone, onTablet] = [await ReceivedCall.next(phone), await ReceivedCall.next(tablet)]
  expect(onPhone.callId).not.toBe(onTablet.callId)
  for (const ringing of [onPhone, onTablet]) ringing.respond(180)
  await placed.ringing
  const answering = onTablet.answer(end('tablet'))
  const { dialog } = await placed.answered()
  expect((await onPhone.cancelled()).header('Reason')).toBe('SIP;cause=200;text="Call completed elsewhere"')
  await answering
  expect((await dialog.bye()).status).toBe(200)
  await expectNothingHeld(server)
})

test.each([486, 603, 606])('%i of one device does not keep the other from answering', async (status) => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const [phone, tablet] = [await callable(server, 'bob', 'urn:uuid:1'), await callable(server, 'bob', 'urn:uuid:2')]
  const placed = new PlacedCall(alice, phone.aor, { sdp: end('alice') })
  const [onPhone, onTablet] = [await ReceivedCall.next(phone), await ReceivedCall.next(tablet)]
  onPhone.respond(status)
  await phone.receive('ACK')
  const answering = onTablet.answer(end('tablet'))
  const { dialog } = await placed.answered()
  await answering
  await dialog.bye()
  await expectNothingHeld(server)
})

test('when all devices refuse, the caller gets the best of their answers', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const [phone, tablet] = [await callable(server, 'bob', 'urn:uuid:1'), await callable(server, 'bob', 'urn:uuid:2')]
  const placed = new PlacedCall(alice, phone.aor, { sdp: end('alice') })
  const [onPhone, onTablet] = [await ReceivedCall.next(phone), await ReceivedCall.next(tablet)]
  onPhone.respond(603)
  onTablet.respond(486)
  expect((await placed.final).status).toBe(603)
  await expectNothingHeld(server)
})

test('a busy callee is busy to the caller', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: end('alice') })
  const received = await ReceivedCall.next(bob)
  received.respond(486, { headers: { 'Retry-After': '60' } })
  const refused = await placed.final
  expect([refused.status, refused.header('Retry-After')]).toEqual([486, '60'])
  await expectNothingHeld(server)
})

test('a caller who gives up is heard by every device', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const [phone, tablet] = [await callable(server, 'bob', 'urn:uuid:1'), await callable(server, 'bob', 'urn:uuid:2')]
  const placed = new PlacedCall(alice, phone.aor, { sdp: end('alice') })
  const calls = [await ReceivedCall.next(phone), await ReceivedCall.next(tablet)]
  for (const ringing of calls) ringing.respond(180)
  await placed.ringing
  expect((await placed.cancel()).status).toBe(200)
  await Promise.all(calls.map((ringing) => ringing.cancelled()))
  expect((await placed.final).status).toBe(487)
  await expectNothingHeld(server)
})

test('a later offer of either side crosses to the other, and the chat stays where it was', async () => {
  await using server = await startServer()
  const { alice, bob, atAlice, atBob, response } = await establish(server)
  const path = sdpAttribute(response.text, 'path')
  const accepting = acceptOffer(bob, atBob, withAudio('bob', 5000))
  const accepted = await atAlice.reinvite({ sdp: withAudio('alice', 4000) })
  expect((await accepting).text).toMatch(/^m=audio (?!4000)\d+ RTP\/AVP 0\r$/m)
  expect(accepted.status).toBe(200)
  expect(accepted.text).toMatch(/^m=audio (?!5000)\d+ RTP\/AVP 0\r$/m)
  expect(sdpAttribute(accepted.text, 'path')).toBe(path)
  const back = acceptOffer(alice, atAlice, withAudio('alice', 4002, 3))
  expect(sdpAttribute((await atBob.reinvite({ sdp: withAudio('bob', 5002, 3) })).text, 'path')).toContain('msrp://')
  expect(sdpAttribute((await back).text, 'path')).toBe(path)
  expect(await server.metric('parley_msrp_sessions')).toBe(2)
  await atAlice.bye()
  await expectNothingHeld(server)
})

test('a later offer that is refused leaves the session as it was', async () => {
  await using server = await startServer()
  const { bob, atAlice, atBob } = await establish(server)
  const refusing = atBob.receive('INVITE').then((offer) => respondTo(bob, offer, 488))
  expect((await atAlice.reinvite({ sdp: withAudio('alice', 4000) })).status).toBe(488)
  await refusing
  const info = await Promise.all([
    atAlice.request('INFO', { sdp: 'x', contentType: 'text/plain' }),
    atBob.receive('INFO'),
  ])
  expect([info[0].status, info[1].text]).toEqual([200, 'x'])
  await atBob.bye()
  await expectNothingHeld(server)
})

test.each(['INFO', 'MESSAGE'])(
  '%s within the session reaches the other side, and its answer comes back',
  async (method) => {
    await using server = await startServer()
    const { bob, atAlice, atBob } = await establish(server)
    const usual = bob.answer
    bob.answer = (request) => (request.method === method ? 415 : usual(request))
    const asked = atAlice.request(method, { sdp: 'inside', contentType: 'text/plain' })
    expect((await atBob.receive(method)).text).toBe('inside')
    expect((await asked).status).toBe(415)
    await atAlice.bye()
    await expectNothingHeld(server)
  },
)

test('a caller without an offer gets one, and its ACK brings the answer', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor)
  const received = await ReceivedCall.next(bob)
  expect(received.invite.text).toBe('')
  const answering = received.answer(end('bob'))
  const { response, dialog } = await placed.answered(end('alice'))
  expect(sdpAttribute(response.text, 'path')).toContain(`:${server.msrpPort}/`)
  expect(sdpAttribute((await answering).ack.text, 'path')).toContain(`:${server.msrpPort}/`)
  await dialog.bye()
  await expectNothingHeld(server)
})

test('a session description beside other parts is the one that is answered', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const part = (type: string, body: string) => `--cut\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`
  const sdp = `${part('application/sdp', end('alice'))}${part('text/plain', 'first words')}--cut--\r\n`
  const { invite, atAlice } = await call(alice, bob, { sdp, contentType: 'multipart/mixed;boundary=cut' })
  expect(invite.text).toContain('first words')
  expect(sdpAttribute(invite.text, 'path')).toContain(`:${server.msrpPort}/`)
  await atAlice.bye()
  await expectNothingHeld(server)
})

test('with session.mediaAnchor never the session descriptions pass untouched', async () => {
  await using server = await startServer({ settings: { 'session.mediaAnchor': 'never' } })
  const { atAlice, invite, response } = await establish(server)
  expect([invite.text, response.text]).toEqual([end('alice'), end('bob')])
  await atAlice.bye()
  await expectNothingHeld(server)
})

test('nobody is called whom there is not', async () => {
  await using server = await startServer({ settings: { 'session.absent': 'refuse' } })
  const alice = await server.phone('alice')
  const unknown = await new PlacedCall(alice, server.aor('nobody'), { sdp: end('alice') }).final
  const absent = await new PlacedCall(alice, server.aor('bob'), { sdp: end('alice') }).final
  expect([unknown.status, absent.status]).toEqual([404, 480])
  await expectNothingHeld(server)
})

test('a session description that is none is refused, and the refusal names the line', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const malformed = await new PlacedCall(alice, bob.aor, { sdp: 'v=0\r\nnonsense\r\n' }).final
  expect([malformed.status, malformed.header('Warning')]).toEqual([400, expect.stringContaining('line 2')])
  const other = await new PlacedCall(alice, bob.aor, { sdp: end('alice').replace('TCP/MSRP', 'TCP/TLS/MSRP') }).final
  expect([other.status, other.header('Warning')]).toEqual([488, expect.stringMatching(/^3\d\d /)])
  await expectNothingHeld(server)
})

test('an answer that is none ends with the device that gave it, and the caller is refused', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: end('alice') })
  const received = await ReceivedCall.next(bob)
  const { dialog } = await received.answer('v=0\r\n')
  await dialog.receive('BYE')
  expect((await placed.final).status).toBe(488)
  await expectNothingHeld(server)
})

test('an INVITE without credentials is challenged', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const headers = { Contact: `<${alice.contact}>` }
  expect((await alice.request('INVITE', server.aor('bob'), { authenticate: false, headers })).status).toBe(407)
})

test('a server that stops says BYE to both sides', async () => {
  const server = await startServer()
  await using _ = server
  const { atAlice, atBob } = await establish(server)
  await Promise.all([server.app.close(), atAlice.receive('BYE'), atBob.receive('BYE')])
})
