import { expect, onTestFinished, test } from 'vitest'
import { readRtp } from '../../src/protocols/rtp/rtp-packet.ts'
import { writeRtcp } from '../../src/protocols/rtp/write-rtcp.ts'
import { RtpParty } from '../media/rtp/rtp-party.ts'
import { chatSdp, sdpAttribute } from '../support/chat-sdp.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import type { Phone } from '../support/phone.ts'
import { awaitCalls, PlacedCall, ReceivedCall, respondTo } from '../support/phone-call.ts'
import { type StartOptions, startServer, type TestServer } from '../support/start-server.ts'
import { call, mediaSdp, portOf, renew, type Speaker, voiceSdp } from '../support/voice-phone.ts'

let sources = 0

async function openVoice(): Promise<RtpParty> {
  const voice = await RtpParty.open(++sources)
  onTestFinished(() => voice.close())
  return voice
}

/** A registered phone whose INVITEs the test answers, with its voice. */
async function callable(server: TestServer, user: string, instance?: string): Promise<[Phone, RtpParty]> {
  const phone = await server.phone(user)
  expect((await phone.register(instance === undefined ? {} : { instance })).status).toBe(200)
  awaitCalls(phone)
  return [phone, await openVoice()]
}

/** alice and bob, who hear each other. */
async function establish(server: TestServer, lines = '') {
  const [alice, bob] = await call(await callable(server, 'alice'), await callable(server, 'bob'), { lines })
  await talk(alice, bob)
  return { alice, bob }
}

/** A word each way, from the port that each party was told. */
async function talk(one: Speaker, other: Speaker): Promise<void> {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    const word = `word of ${from.phone.user}`
    speak(from, word)
    const heard = await to.voice.rtp.receive()
    expect(readRtp(heard.packet).payload.toString()).toBe(word)
    expect(heard.from).toBe(portOf(to.sdp))
  }
}

const speak = ({ voice, sdp }: Speaker, word: string): void => voice.rtp.send(voice.packet(word), portOf(sdp))

async function expectNothingHeld(server: TestServer): Promise<void> {
  await eventually(async () => {
    for (const name of ['sessions', 'msrp_sessions', 'rtp_ports']) expect(await server.metric(`parley_${name}`)).toBe(0)
  })
}

const pairsInUse = (server: TestServer) => server.metric('parley_rtp_ports')

/** A range of so many pairs, nearly sure to be free. */
async function smallRange(pairs: number): Promise<string> {
  const first = Math.min((await freePort()) & ~1, 65_000)
  return `${first}-${first + 2 * pairs - 1}`
}

test('two phones hear each other through the server, and a BYE frees the ports', async () => {
  await using server = await startServer()
  const { alice, bob } = await establish(server)
  expect(portOf(alice.sdp)).not.toBe(bob.voice.rtp.port)
  expect(portOf(bob.sdp)).not.toBe(alice.voice.rtp.port)
  expect(await pairsInUse(server)).toBe(2)
  expect(await server.metric('parley_rtp_packets_total')).toBe(2)
  expect((await alice.dialog.bye()).status).toBe(200)
  await bob.dialog.receive('BYE')
  await expectNothingHeld(server)
  expect(await server.metric('parley_rtp_ports_peak')).toBe(2)
})

test('RTCP passes, and what it says of loss, jitter and round trip is in the metrics', async () => {
  await using server = await startServer()
  const { alice, bob } = await establish(server)
  const sent = writeRtcp([
    {
      type: 'SR',
      ssrc: 1,
      ntpTime: 0x1111222233334444n,
      rtpTime: 1,
      packets: 1,
      octets: 1,
      reports: [],
      extension: none,
    },
  ])
  alice.voice.rtcp.send(sent, portOf(alice.sdp) + 1)
  expect((await bob.voice.rtcp.receive()).packet).toEqual(sent)
  const block = {
    ssrc: 1,
    fractionLost: 64,
    lost: 10,
    highestSequence: 100,
    jitter: 80,
    lastReport: 0x22223333,
    delay: 0,
  }
  const report = writeRtcp([{ type: 'RR', ssrc: 2, reports: [block], extension: none }])
  bob.voice.rtcp.send(report, portOf(bob.sdp) + 1)
  expect((await alice.voice.rtcp.receive()).packet).toEqual(report)
  expect(await server.metric('parley_rtp_loss_ratio_sum')).toBe(0.25)
  expect(await server.metric('parley_rtp_jitter_seconds_sum')).toBe(0.01)
  expect(await server.metric('parley_rtp_round_trip_seconds_count')).toBe(1)
  await alice.dialog.bye()
  await expectNothingHeld(server)
})

test('a stranger who knows the port neither speaks nor hears', async () => {
  await using server = await startServer()
  const { alice, bob } = await establish(server)
  const stranger = await RtpParty.open(alice.voice.ssrc)
  onTestFinished(() => stranger.close())
  stranger.rtp.send(stranger.packet('mine now'), portOf(alice.sdp))
  await eventually(async () =>
    expect(await (await fetch(`${server.http}/metrics`)).text()).toContain(
      'parley_rtp_dropped_total{reason="strangers"} 1',
    ),
  )
  await talk(alice, bob)
  await bob.dialog.bye()
  await expectNothingHeld(server)
})

test('a re-INVITE adds video, and another one drops it', async () => {
  await using server = await startServer()
  const { alice, bob } = await establish(server)
  const [aliceSees, bobSees] = [await openVoice(), await openVoice()]
  const added = await renew(
    alice,
    bob,
    voiceSdp(alice.voice, { version: 2, more: mediaSdp('video', aliceSees) }),
    voiceSdp(bob.voice, { version: 2, more: mediaSdp('video', bobSees) }),
  )
  expect(portOf(added.offered)).toBe(portOf(bob.sdp))
  expect(await pairsInUse(server)).toBe(4)
  aliceSees.rtp.send(aliceSees.packet('a picture'), portOf(added.answered, 'video'))
  expect(readRtp((await bobSees.rtp.receive()).packet).payload.toString()).toBe('a picture')
  await talk(alice, bob)
  const without = 'm=video 0 RTP/AVP 34\r\n'
  const dropped = await renew(
    bob,
    alice,
    voiceSdp(bob.voice, { version: 3, more: without }),
    voiceSdp(alice.voice, { version: 3, more: without }),
  )
  expect([portOf(dropped.offered, 'video'), portOf(dropped.answered, 'video')]).toEqual([0, 0])
  await eventually(async () => expect(await pairsInUse(server)).toBe(2))
  await talk(alice, bob)
  await alice.dialog.bye()
  await expectNothingHeld(server)
})

test('media that the other party refuses hold nothing, and may be offered again', async () => {
  await using server = await startServer()
  const { alice, bob } = await establish(server)
  const [aliceSees, bobSees] = [await openVoice(), await openVoice()]
  const offer = (version: number) => voiceSdp(alice.voice, { version, more: mediaSdp('video', aliceSees) })
  const refusal = voiceSdp(bob.voice, { version: 2, more: 'm=video 0 RTP/AVP 34\r\n' })
  expect(portOf((await renew(alice, bob, offer(2), refusal)).answered, 'video')).toBe(0)
  await eventually(async () => expect(await pairsInUse(server)).toBe(2))
  const again = await renew(alice, bob, offer(3), voiceSdp(bob.voice, { version: 3, more: mediaSdp('video', bobSees) }))
  bobSees.rtp.send(bobSees.packet('now'), portOf(again.offered, 'video'))
  expect(readRtp((await aliceSees.rtp.receive()).packet).payload.toString()).toBe('now')
  await bob.dialog.bye()
  await expectNothingHeld(server)
})

test('voice joins a chat, and leaves it', async () => {
  await using server = await startServer()
  const [[alice, aliceVoice], [bob, bobVoice]] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const chat = (name: string, version: number, more = '') =>
    chatSdp({ path: `msrp://client.invalid:9/${name};tcp`, version, more })
  const placed = new PlacedCall(alice, bob.aor, { sdp: chat('alice', 1) })
  const received = await ReceivedCall.next(bob)
  const answering = received.answer(chat('bob', 1))
  const { response, dialog } = await placed.answered()
  const atAlice: Speaker = { phone: alice, voice: aliceVoice, dialog, sdp: response.text }
  const atBob: Speaker = { phone: bob, voice: bobVoice, dialog: (await answering).dialog, sdp: received.invite.text }
  expect(await pairsInUse(server)).toBe(0)
  const joined = await renew(
    atAlice,
    atBob,
    chat('alice', 2, mediaSdp('audio', aliceVoice, 'RTP/AVP', 0)),
    chat('bob', 2, mediaSdp('audio', bobVoice, 'RTP/AVP', 0)),
  )
  expect(sdpAttribute(joined.answered, 'path')).toBe(sdpAttribute(response.text, 'path'))
  await talk({ ...atAlice, sdp: joined.answered }, { ...atBob, sdp: joined.offered })
  const without = 'm=audio 0 RTP/AVP 0\r\n'
  await renew(atAlice, atBob, chat('alice', 3, without), chat('bob', 3, without))
  await eventually(async () => expect(await pairsInUse(server)).toBe(0))
  expect(await server.metric('parley_msrp_sessions')).toBe(2)
  await dialog.bye()
  await expectNothingHeld(server)
})

test('a later offer that is refused leaves voice as it was', async () => {
  await using server = await startServer()
  const { alice, bob } = await establish(server)
  const elsewhere = await openVoice()
  const refusing = bob.dialog.receive('INVITE').then((offer) => respondTo(bob.phone, offer, 488))
  const offer = voiceSdp(elsewhere, { version: 2, more: mediaSdp('video', elsewhere) })
  expect((await alice.dialog.reinvite({ sdp: offer })).status).toBe(488)
  await refusing
  await eventually(async () => expect(await pairsInUse(server)).toBe(2))
  await talk(alice, bob)
  await alice.dialog.bye()
  await expectNothingHeld(server)
})

test('a phone that moves to another port is heard and reached there', async () => {
  await using server = await startServer()
  const { alice, bob } = await establish(server)
  const moved = await openVoice()
  const { answered } = await renew(alice, bob, voiceSdp(moved, { version: 2 }), voiceSdp(bob.voice))
  expect(portOf(answered)).toBe(portOf(alice.sdp))
  await talk({ ...alice, voice: moved }, bob)
  await alice.dialog.bye()
  await expectNothingHeld(server)
})

test.each([
  ['sendonly', 'recvonly'],
  ['inactive', 'inactive'],
])('who is on hold (%s) may be silent for longer than others may', async (held, answered) => {
  await using server = await startServer({ settings: { 'media.maxSilence': '2s' } })
  const { alice, bob } = await establish(server)
  const renewed = await renew(
    ...[alice, bob, voiceSdp(alice.voice, { version: 2, lines: `a=${held}\r\n` })],
    voiceSdp(bob.voice, { version: 2, lines: `a=${answered}\r\n` }),
  )
  expect(renewed.offered).toContain(`a=${held}\r\n`)
  expect(renewed.answered).toContain(`a=${answered}\r\n`)
  const music = setInterval(() => held === 'sendonly' && speak(alice, 'music'), 100)
  const [carol] = await call(await callable(server, 'carol'), [bob.phone, await openVoice()])
  await carol.dialog.receive('BYE')
  expect(await server.metric('parley_sessions')).toBe(1)
  await renew(alice, bob, voiceSdp(alice.voice, { version: 3 }), voiceSdp(bob.voice, { version: 3 }))
  clearInterval(music)
  await Promise.all([alice.dialog.receive('BYE'), bob.dialog.receive('BYE')])
  await expectNothingHeld(server)
})

test('a phone that vanishes ends the session for both', async () => {
  await using server = await startServer({ settings: { 'media.maxSilence': '2s' } })
  const { alice, bob } = await establish(server)
  const speaking = setInterval(() => speak(bob, 'still here'), 100)
  await Promise.all([alice.dialog.receive('BYE'), bob.dialog.receive('BYE')])
  clearInterval(speaking)
  await expectNothingHeld(server)
})

test('without a free port the caller gets 503 and when to come again, and the next one is served', async () => {
  await using server = await startServer({ settings: { 'media.rtpPorts': await smallRange(3) } })
  const { alice, bob } = await establish(server)
  expect(await server.metric('parley_rtp_ports_limit')).toBe(3)
  const [carol, carolVoice] = await callable(server, 'carol')
  const refused = await new PlacedCall(carol, bob.phone.aor, { sdp: voiceSdp(carolVoice) }).final
  expect([refused.status, refused.header('Retry-After')]).toEqual([503, '5'])
  expect(await pairsInUse(server)).toBe(2)
  await alice.dialog.bye()
  await bob.dialog.receive('BYE')
  await expectNothingHeld(server)
  const [first, second] = await call([carol, carolVoice], [bob.phone, bob.voice])
  await talk(first, second)
  await first.dialog.bye()
  await expectNothingHeld(server)
})

test('a re-INVITE for which no port is free gets 503, and the session goes on', async () => {
  await using server = await startServer({ settings: { 'media.rtpPorts': await smallRange(3) } })
  const { alice, bob } = await establish(server)
  const offer = voiceSdp(alice.voice, { version: 2, more: mediaSdp('video', await openVoice()) })
  expect((await alice.dialog.reinvite({ sdp: offer })).status).toBe(503)
  expect(await pairsInUse(server)).toBe(2)
  await talk(alice, bob)
  await alice.dialog.bye()
  await expectNothingHeld(server)
})

test.each([486, 488])('a callee who refuses with %i holds nothing', async (status) => {
  await using server = await startServer()
  const [[alice, voice], [bob]] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: voiceSdp(voice) })
  const received = await ReceivedCall.next(bob)
  expect(await pairsInUse(server)).toBe(2)
  received.respond(status)
  expect((await placed.final).status).toBe(status)
  await expectNothingHeld(server)
})

test('each device has its own ports while it rings; those of all but one are free when it answers', async () => {
  await using server = await startServer()
  const [alice, voice] = await callable(server, 'alice')
  const [phone, onPhone] = await callable(server, 'bob', 'urn:uuid:1')
  const [tablet] = await callable(server, 'bob', 'urn:uuid:2')
  const placed = new PlacedCall(alice, phone.aor, { sdp: voiceSdp(voice) })
  const [ringing, other] = [await ReceivedCall.next(phone), await ReceivedCall.next(tablet)]
  expect(await pairsInUse(server)).toBe(4)
  for (const device of [ringing, other]) device.respond(180)
  await placed.ringing
  const answering = ringing.answer(voiceSdp(onPhone))
  const { response, dialog } = await placed.answered()
  await other.cancelled()
  await eventually(async () => expect(await pairsInUse(server)).toBe(2))
  const bob = { phone, voice: onPhone, dialog: (await answering).dialog, sdp: ringing.invite.text }
  await talk({ phone: alice, voice, dialog, sdp: response.text }, bob)
  await dialog.bye()
  await expectNothingHeld(server)
})

test('a caller who gives up frees the ports', async () => {
  await using server = await startServer()
  const [[alice, voice], [bob]] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: voiceSdp(voice) })
  const received = await ReceivedCall.next(bob)
  received.respond(180)
  await placed.ringing
  await placed.cancel()
  await received.cancelled()
  expect((await placed.final).status).toBe(487)
  await expectNothingHeld(server)
})

test('an answer that is none frees the ports', async () => {
  await using server = await startServer()
  const [[alice, voice], [bob]] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: voiceSdp(voice) })
  const { dialog } = await (await ReceivedCall.next(bob)).answer('v=0\r\n')
  await dialog.receive('BYE')
  expect((await placed.final).status).toBe(488)
  await expectNothingHeld(server)
})

test('a caller without an offer gets one of the callee, and its ACK brings the answer', async () => {
  await using server = await startServer()
  const [[alice, voice], [bob, bobVoice]] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor)
  const answering = (await ReceivedCall.next(bob)).answer(voiceSdp(bobVoice))
  const { response, dialog } = await placed.answered(voiceSdp(voice))
  const { ack, dialog: atBob } = await answering
  await talk(
    { phone: alice, voice, dialog, sdp: response.text },
    { phone: bob, voice: bobVoice, dialog: atBob, sdp: ack.text },
  )
  await dialog.bye()
  await expectNothingHeld(server)
})

test('ICE ends at the relay, keys and certificates pass', async () => {
  await using server = await startServer()
  const ice =
    'a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=candidate:1 1 UDP 1 192.0.2.1 4000 typ host\r\n'
  const dtls = `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}\r\na=setup:actpass\r\n`
  const said = { protocol: 'UDP/TLS/RTP/SAVP', lines: `${ice}${dtls}` }
  const [alice, bob] = await call(await callable(server, 'alice'), await callable(server, 'bob'), said)
  for (const { sdp } of [alice, bob]) {
    expect(sdp).toContain(dtls)
    expect(sdp).not.toMatch(/ice-|candidate/)
  }
  const hello = Buffer.from([22, 254, 253, 0, 0])
  alice.voice.rtp.send(hello, portOf(alice.sdp))
  expect((await bob.voice.rtp.receive()).packet).toEqual(hello)
  await alice.dialog.bye()
  await expectNothingHeld(server)
})

test('with session.mediaAnchor never voice goes from phone to phone, ICE and all', async () => {
  await using server = await startServer({ settings: { 'session.mediaAnchor': 'never' } })
  const lines = 'a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n'
  const [alice, bob] = await call(await callable(server, 'alice'), await callable(server, 'bob'), { lines })
  expect(alice.sdp).toBe(voiceSdp(bob.voice, { lines }))
  expect(bob.sdp).toBe(voiceSdp(alice.voice, { lines }))
  expect(await pairsInUse(server)).toBe(0)
  await bob.dialog.bye()
  await expectNothingHeld(server)
})

test('what is advertised is what the phones are told', async () => {
  const settings: StartOptions['settings'] = { 'sip.advertise': 'localhost', 'media.advertise': '127.0.0.1' }
  await using server = await startServer({ settings })
  const { alice } = await establish(server)
  expect(alice.sdp).toMatch(/^m=audio \d+ RTP\/AVP 0\r\nc=IN IP4 127\.0\.0\.1\r$/m)
  await alice.dialog.bye()
  await expectNothingHeld(server)
})

const none = Buffer.alloc(0)
