import { describe, expect, onTestFinished, test } from 'vitest'
import { readRtp } from '../../../src/protocols/rtp/rtp-packet.ts'
import { writeRtcp } from '../../../src/protocols/rtp/write-rtcp.ts'
import { attribute, hasAttribute } from '../../../src/protocols/sdp/attributes.ts'
import { readSdp } from '../../../src/protocols/sdp/read-sdp.ts'
import { isInstalled } from '../../interop/is-installed.ts'
import { eventually } from '../../support/eventually.ts'
import { RtpengineProcess } from '../../support/rtpengine.ts'
import { audioOf } from '../rtp/rtp-party.ts'
import { agree, ask, callsOf, openEngine, openParty, type Speaker } from './rtpengine-rig.ts'

async function startRtpengine(options = {}): Promise<RtpengineProcess> {
  const rtpengine = await RtpengineProcess.start(options)
  onTestFinished(() => rtpengine[Symbol.asyncDispose]())
  return rtpengine
}

const nothing = () => {}

/** A word each way. */
async function talk(one: Speaker, other: Speaker): Promise<void> {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    const word = `word of ${from.party.ssrc}`
    from.party.rtp.send(from.party.packet(word), from.port)
    expect(readRtp((await to.party.rtp.receive()).packet).payload.toString()).toBe(word)
  }
}

async function establish(rtpengine: RtpengineProcess, options = {}, onGone: () => void = nothing) {
  const engine = openEngine(rtpengine.port, options)
  const line = await engine.open(onGone)
  const [alice, bob] = [await openParty(), await openParty()]
  const { offered, answered } = await agree(line, 'caller', alice.description(), bob.description())
  const speakers = [
    { party: alice, port: answered.port },
    { party: bob, port: offered.port },
  ] as const
  await talk(...speakers)
  return { engine, line, alice: speakers[0], bob: speakers[1], offered, answered }
}

describe.skipIf(!isInstalled('rtpengine'))('rtpengine', () => {
  test('relays both ways, and lets go of a line that is closed', async () => {
    const rtpengine = await startRtpengine()
    const { engine, line, alice, bob, offered } = await establish(rtpengine)
    expect(offered.connection?.address).toBe('127.0.0.1')
    expect(attribute(offered, 'rtcp')).toBe(String(offered.port + 1))
    expect(offered.port).not.toBe(alice.party.rtp.port)
    const report = writeRtcp([{ type: 'RR', ssrc: alice.party.ssrc, reports: [], extension: Buffer.alloc(0) }])
    alice.party.rtcp.send(report, alice.port + 1)
    expect((await bob.party.rtcp.receive()).packet).toEqual(report)
    expect(await callsOf(rtpengine.port)).toHaveLength(1)
    expect(engine.use.inUse).toBe(1)
    line.close()
    line.close()
    expect(engine.use.inUse).toBe(0)
    await eventually(async () => expect(await callsOf(rtpengine.port)).toEqual([]))
  })

  test('what policy left of a line is what the other party gets', async () => {
    const { offered } = await establish(await startRtpengine())
    expect(offered).toMatchObject({ media: 'audio', protocol: 'RTP/AVP', formats: ['0'] })
  })

  test('either party may offer again, and moves', async () => {
    const { line, alice, bob } = await establish(await startRtpengine())
    const moved = await openParty()
    const { offered, answered } = await agree(line, 'callee', moved.description(), alice.party.description())
    expect(offered.port).toBe(alice.port)
    await talk({ party: moved, port: answered.port }, alice)
    const back = await agree(line, 'caller', alice.party.description(), bob.party.description())
    await talk({ party: alice.party, port: back.answered.port }, { party: bob.party, port: back.offered.port })
  })

  test('a later offer that is refused leaves the line as it was', async () => {
    const { line, alice, bob } = await establish(await startRtpengine())
    const elsewhere = await openParty()
    await line.offer('caller', audioOf(elsewhere.description()), elsewhere.description())
    line.reject()
    line.mute('caller', true) // what is told after that finds it done
    line.mute('caller', false)
    await talk(alice, bob)
  })

  test('RTP of a party that is muted does not pass, and its RTCP does', async () => {
    const { line, alice, bob } = await establish(await startRtpengine())
    line.mute('caller', true)
    await agree(line, 'caller', alice.party.description(), bob.party.description())
    alice.party.rtp.send(alice.party.packet('not heard'), alice.port)
    const report = writeRtcp([{ type: 'RR', ssrc: alice.party.ssrc, reports: [], extension: Buffer.alloc(0) }])
    alice.party.rtcp.send(report, alice.port + 1)
    expect((await bob.party.rtcp.receive()).packet).toEqual(report)
    line.mute('caller', false)
    await agree(line, 'caller', alice.party.description(), bob.party.description())
    await talk(alice, bob)
  })

  test('a party that is muted before the answer stays so', async () => {
    const engine = openEngine((await startRtpengine()).port)
    const line = await engine.open(nothing)
    const [alice, bob] = [await openParty(), await openParty()]
    line.mute('caller', true)
    const { answered } = await agree(line, 'caller', alice.description(), bob.description())
    await agree(line, 'caller', alice.description(), bob.description())
    alice.rtp.send(alice.packet('not heard'), answered.port)
    line.mute('caller', false)
    const again = await agree(line, 'caller', alice.description(), bob.description())
    await talk({ party: alice, port: again.answered.port }, { party: bob, port: again.offered.port })
  })

  test('a stranger who knows the port is not heard, once rtpengine knows the party', async () => {
    const rtpengine = await startRtpengine()
    const { alice, bob } = await establish(rtpengine)
    const [call = ''] = await callsOf(rtpengine.port)
    await eventually(async () => {
      alice.party.rtp.send(alice.party.packet('it is me'), alice.port)
      await bob.party.rtp.receive()
      expect(JSON.stringify(await ask(rtpengine.port, { command: 'query', 'call-id': call }))).toContain('confirmed')
    })
    const stranger = await openParty()
    stranger.rtp.send(stranger.packet('mine now'), alice.port)
    await talk(alice, bob)
  })

  test('without free ports the offer fails, and the next is served when there are some', async () => {
    const rtpengine = await startRtpengine({ pairs: 8 })
    const engine = openEngine(rtpengine.port)
    const lines = []
    let failure: unknown
    while (failure === undefined) {
      const line = await engine.open(nothing)
      const party = await openParty()
      failure = await line
        .offer('caller', audioOf(party.description()), party.description())
        .then(nothing, (err) => err)
      lines.push(line)
    }
    expect(failure).toMatchObject({ condition: 'overloaded', retryAfter: 5 })
    for (const line of lines) line.close()
    await eventually(async () => expect(await callsOf(rtpengine.port)).toEqual([]))
    await eventually(() => establish(rtpengine))
  })

  test('one that is gone fails an offer and is asked again when it is back', async () => {
    const rtpengine = await startRtpengine()
    const engine = openEngine(rtpengine.port)
    const party = await openParty()
    await rtpengine.kill()
    const offers = Array.from({ length: 100 }, async () => {
      const line = await engine.open(nothing)
      const failure = await line.offer('caller', audioOf(party.description()), party.description()).catch((err) => err)
      line.close()
      return failure
    })
    for (const failure of await Promise.all(offers)) {
      expect(failure).toMatchObject({ condition: 'overloaded', retryAfter: 5 })
    }
    expect(engine.use.inUse).toBe(0)
    await rtpengine.start()
    await establish(rtpengine)
    const line = await engine.open(nothing)
    await line.offer('caller', audioOf(party.description()), party.description())
  })

  test('a line that a restart of rtpengine has lost is told of', async () => {
    const rtpengine = await startRtpengine()
    let gone = 0
    let later = 0
    await establish(rtpengine, { now: () => Date.now() + later }, () => gone++)
    await rtpengine.kill()
    await rtpengine.start()
    later = 20_000
    await eventually(() => expect(gone).toBe(1))
  })

  test('a party that falls silent is told of once, one that speaks is not', async () => {
    const rtpengine = await startRtpengine()
    let gone = 0
    let later = 0
    const { alice, bob } = await establish(rtpengine, { now: () => Date.now() + later }, () => gone++)
    const speaking = setInterval(() => {
      bob.party.rtp.send(bob.party.packet('still here'), bob.port)
      if (later < 100_000) alice.party.rtp.send(alice.party.packet('here too'), alice.port)
      later += 5_000
    }, 500)
    onTestFinished(() => clearInterval(speaking))
    await eventually(() => expect(later).toBeGreaterThan(90_000))
    expect(gone).toBe(0)
    await eventually(() => expect(gone).toBe(1), 40_000)
  })

  test('a browser speaks DTLS and ICE with rtpengine, and a telephone plain RTP', async () => {
    const rtpengine = await startRtpengine()
    const engine = openEngine(rtpengine.port)
    const line = await engine.open(nothing)
    const phone = await openParty()
    const browser = readSdp(browserSdp)
    const { offered, answered } = await agree(line, 'caller', browser, phone.description())
    expect(offered).toMatchObject({ protocol: 'RTP/AVP' })
    for (const name of ['ice-ufrag', 'candidate', 'fingerprint', 'setup', 'rtcp-mux', 'crypto']) {
      expect(hasAttribute(offered, name), name).toBe(false)
    }
    expect(answered).toMatchObject({ protocol: 'UDP/TLS/RTP/SAVPF' })
    expect(hasAttribute(answered, 'crypto')).toBe(false)
    for (const name of ['ice-ufrag', 'ice-pwd', 'candidate', 'fingerprint', 'setup', 'rtcp-mux']) {
      expect(hasAttribute(answered, name), name).toBe(true)
    }
    const { offered: later } = await agree(
      line,
      'callee',
      phone.description(),
      readSdp(browserSdp.replace('actpass', 'active')),
    )
    expect(later).toMatchObject({ protocol: 'UDP/TLS/RTP/SAVPF' })
    expect(hasAttribute(later, 'fingerprint')).toBe(true)
    expect(hasAttribute(later, 'crypto')).toBe(false)
  })

  test('a browser that is called is offered DTLS and ICE, and a telephone gets plain RTP back', async () => {
    const rtpengine = await startRtpengine()
    const line = await openEngine(rtpengine.port).open(nothing, ['callee'])
    const phone = await openParty()
    const answer = readSdp(browserSdp.replace('actpass', 'active'))
    const { offered, answered } = await agree(line, 'caller', phone.description(), answer)
    expect(offered).toMatchObject({ protocol: 'UDP/TLS/RTP/SAVPF' })
    for (const name of ['ice-ufrag', 'candidate', 'fingerprint', 'setup', 'rtcp-mux']) {
      expect(hasAttribute(offered, name), name).toBe(true)
    }
    expect(hasAttribute(offered, 'crypto')).toBe(false)
    expect(answered).toMatchObject({ protocol: 'RTP/AVP' })
    for (const name of ['ice-ufrag', 'candidate', 'fingerprint', 'rtcp-mux']) {
      expect(hasAttribute(answered, name), name).toBe(false)
    }
  })
})

const browserSdp = `v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}
m=audio 9 UDP/TLS/RTP/SAVPF 0
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwxyz
a=ice-options:trickle
a=setup:actpass
a=mid:0
a=sendrecv
a=rtcp-mux
a=candidate:1 1 udp 2113937151 127.0.0.1 5555 typ host
`.replaceAll('\n', '\r\n')
