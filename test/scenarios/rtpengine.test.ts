import { describe, expect, onTestFinished, test } from 'vitest'
import { readRtp } from '../../src/protocols/rtp/rtp-packet.ts'
import { isInstalled } from '../interop/is-installed.ts'
import { RtpParty } from '../media/rtp/rtp-party.ts'
import { callsOf } from '../media/rtpengine/rtpengine-rig.ts'
import { eventually } from '../support/eventually.ts'
import type { Phone } from '../support/phone.ts'
import { awaitCalls, PlacedCall, ReceivedCall, respondTo } from '../support/phone-call.ts'
import { RtpengineProcess } from '../support/rtpengine.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { call, mediaSdp, portOf, renew, type Speaker, voiceSdp } from '../support/voice-phone.ts'

const startOn = ({ port }: RtpengineProcess, more = {}): Promise<TestServer> =>
  startServer({ settings: { 'media.rtp': 'rtpengine', 'media.rtpengine': `127.0.0.1:${port}`, ...more } })

let sources = 100

async function openVoice(): Promise<RtpParty> {
  const voice = await RtpParty.open(++sources)
  onTestFinished(() => voice.close())
  return voice
}

async function callable(server: TestServer, user: string): Promise<[Phone, RtpParty]> {
  const phone = await server.online(user)
  awaitCalls(phone)
  return [phone, await openVoice()]
}

/** alice and bob, who hear each other. */
async function establish(server: TestServer) {
  const [alice, bob] = await call(await callable(server, 'alice'), await callable(server, 'bob'))
  await talk(alice, bob)
  return { alice, bob }
}

async function talk(one: Speaker, other: Speaker): Promise<void> {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    const word = `word of ${from.phone.user}`
    from.voice.rtp.send(from.voice.packet(word), portOf(from.sdp))
    const heard = await to.voice.rtp.receive()
    expect(readRtp(heard.packet).payload.toString()).toBe(word)
    expect(heard.from).toBe(portOf(to.sdp))
  }
}

async function expectNothingHeld(server: TestServer, { port }: RtpengineProcess): Promise<void> {
  await eventually(async () => {
    for (const name of ['sessions', 'rtp_ports']) expect(await server.metric(`parley_${name}`)).toBe(0)
    expect(await callsOf(port)).toEqual([])
  })
}

describe.skipIf(!isInstalled('rtpengine'))('with media.rtp rtpengine', () => {
  test('two phones hear each other, and a BYE frees what rtpengine held', async () => {
    await using rtpengine = await RtpengineProcess.start()
    await using server = await startOn(rtpengine)
    const { alice, bob } = await establish(server)
    expect(portOf(alice.sdp)).not.toBe(bob.voice.rtp.port)
    expect(await callsOf(rtpengine.port)).toHaveLength(1)
    expect((await alice.dialog.bye()).status).toBe(200)
    await bob.dialog.receive('BYE')
    await expectNothingHeld(server, rtpengine)
  })

  test('a re-INVITE adds video, and another one drops it', async () => {
    await using rtpengine = await RtpengineProcess.start()
    await using server = await startOn(rtpengine)
    const { alice, bob } = await establish(server)
    const [aliceSees, bobSees] = [await openVoice(), await openVoice()]
    const added = await renew(
      alice,
      bob,
      voiceSdp(alice.voice, { version: 2, more: mediaSdp('video', aliceSees) }),
      voiceSdp(bob.voice, { version: 2, more: mediaSdp('video', bobSees) }),
    )
    aliceSees.rtp.send(aliceSees.packet('a picture'), portOf(added.answered, 'video'))
    expect(readRtp((await bobSees.rtp.receive()).packet).payload.toString()).toBe('a picture')
    await talk(alice, bob)
    const without = 'm=video 0 RTP/AVP 34\r\n'
    await renew(
      bob,
      alice,
      voiceSdp(bob.voice, { version: 3, more: without }),
      voiceSdp(alice.voice, { version: 3, more: without }),
    )
    await eventually(async () => expect(await callsOf(rtpengine.port)).toHaveLength(1))
    await talk(alice, bob)
    await bob.dialog.bye()
    await expectNothingHeld(server, rtpengine)
  })

  test('a later offer that is refused leaves voice as it was', async () => {
    await using rtpengine = await RtpengineProcess.start()
    await using server = await startOn(rtpengine)
    const { alice, bob } = await establish(server)
    const elsewhere = await openVoice()
    const refusing = bob.dialog.receive('INVITE').then((offer) => respondTo(bob.phone, offer, 488))
    expect((await alice.dialog.reinvite({ sdp: voiceSdp(elsewhere, { version: 2 }) })).status).toBe(488)
    await refusing
    await talk(alice, bob)
    await alice.dialog.bye()
    await expectNothingHeld(server, rtpengine)
  })

  test('a caller who gives up, and a callee who refuses, leave nothing behind', async () => {
    await using rtpengine = await RtpengineProcess.start()
    await using server = await startOn(rtpengine)
    const [[alice, voice], [bob]] = [await callable(server, 'alice'), await callable(server, 'bob')]
    const placed = new PlacedCall(alice, bob.aor, { sdp: voiceSdp(voice) })
    const received = await ReceivedCall.next(bob)
    received.respond(180)
    await placed.ringing
    await placed.cancel()
    await received.cancelled()
    expect((await placed.final).status).toBe(487)
    const again = new PlacedCall(alice, bob.aor, { sdp: voiceSdp(voice) })
    ;(await ReceivedCall.next(bob)).respond(486)
    expect((await again.final).status).toBe(486)
    await expectNothingHeld(server, rtpengine)
  })

  test('a phone that vanishes ends the session for both', async () => {
    await using rtpengine = await RtpengineProcess.start()
    await using server = await startOn(rtpengine, { 'media.maxSilence': '2s' })
    const { alice, bob } = await establish(server)
    const speaking = setInterval(() => bob.voice.rtp.send(bob.voice.packet('still here'), portOf(bob.sdp)), 100)
    onTestFinished(() => clearInterval(speaking))
    await Promise.all([alice.dialog.receive('BYE'), bob.dialog.receive('BYE')])
    await expectNothingHeld(server, rtpengine)
  })

  test('rtpengine away: 503 and when to come again; back again: the session it lost ends, and the next call is served', async () => {
    await using rtpengine = await RtpengineProcess.start()
    await using server = await startOn(rtpengine, { 'media.maxSilence': '3s' })
    const { alice, bob } = await establish(server)
    await rtpengine.kill()
    const [carol, carolVoice] = await callable(server, 'carol')
    const refused = await new PlacedCall(carol, bob.phone.aor, { sdp: voiceSdp(carolVoice) }).final
    expect([refused.status, refused.header('Retry-After')]).toEqual([503, '5'])
    await rtpengine.start()
    await Promise.all([alice.dialog.receive('BYE'), bob.dialog.receive('BYE')])
    await expectNothingHeld(server, rtpengine)
    const [first, second] = await call([carol, carolVoice], [bob.phone, bob.voice])
    await talk(first, second)
    await first.dialog.bye()
    await expectNothingHeld(server, rtpengine)
  })
})
