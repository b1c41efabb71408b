import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Failure } from '../../../src/failure.ts'
import { PortPairs } from '../../../src/media/rtp/port-pairs.ts'
import type { Quality } from '../../../src/media/rtp/reception.ts'
import { type Remote, remoteOf } from '../../../src/media/rtp/remote.ts'
import { RtpPlane } from '../../../src/media/rtp/rtp-plane.ts'
import type { RtpRelay } from '../../../src/media/rtp/rtp-relay.ts'
import type { ReportBlock } from '../../../src/protocols/rtp/rtcp-packet.ts'
import { readRtp } from '../../../src/protocols/rtp/rtp-packet.ts'
import { writeRtcp } from '../../../src/protocols/rtp/write-rtcp.ts'
import { readSdp } from '../../../src/protocols/sdp/read-sdp.ts'
import { audioOf, RtpParty, RtpSocket } from './rtp-party.ts'
import { startPlane as startRig } from './rtp-rig.ts'

let now = 1_000_000
const qualities: Quality[] = []

const startPlane = (pairs = 20) => startRig({ pairs, now: () => now, onQuality: (quality) => qualities.push(quality) })

async function party(ssrc: number): Promise<RtpParty> {
  const opened = await RtpParty.open(ssrc)
  onTestFinished(() => opened.close())
  return opened
}

const remote = (of: RtpParty, lines = '', protocol = 'RTP/AVP'): Remote => {
  const session = of.description(lines, protocol)
  return remoteOf(audioOf(session), session) as Remote
}

/** Two phones and a relay between them that knows both. */
async function call(lines = '', protocol = 'RTP/AVP', onSilence = () => {}) {
  const plane = await startPlane()
  const [alice, bob] = [await party(1), await party(2)]
  const relay = await plane.open(onSilence)
  relay.near.expect(remote(alice, lines, protocol))
  relay.far.expect(remote(bob, lines, protocol))
  return { plane, alice, bob, relay }
}

const useOf = ({ use: { inUse, peak, limit } }: RtpPlane) => ({ inUse, peak, limit })
const soundOf = ({ packet }: { packet: Buffer }) => readRtp(packet).payload.toString()

/** Alice's word to bob, and his to her. */
async function talk({ alice, bob, relay }: { alice: RtpParty; bob: RtpParty; relay: RtpRelay }): Promise<void> {
  alice.rtp.send(alice.packet('hello'), relay.near.port)
  const heard = await bob.rtp.receive()
  expect(soundOf(heard)).toBe('hello')
  expect(heard.from).toBe(relay.far.port)
  bob.rtp.send(bob.packet('good day'), relay.far.port)
  expect(soundOf(await alice.rtp.receive())).toBe('good day')
}

test('sound goes both ways, from the even ports of the server', async () => {
  const setup = await call()
  await talk(setup)
  expect(setup.relay.near.port % 2).toBe(0)
  expect(setup.plane.counters).toMatchObject({ rtpPackets: 2, strangers: 0 })
})

test('a phone behind a NAT is reached where its packets come from', async () => {
  const { alice, bob, relay } = await call()
  const outside = await RtpSocket.open()
  onTestFinished(() => outside.close())
  const hidden = remote(alice)
  relay.near.expect({ ...hidden, rtp: { address: '10.1.2.3', port: 4_000 } })
  outside.send(alice.packet('from behind'), relay.near.port)
  expect(soundOf(await bob.rtp.receive())).toBe('from behind')
  bob.rtp.send(bob.packet('found you'), relay.far.port)
  expect(soundOf(await outside.receive())).toBe('found you')
})

test('a stranger neither speaks nor hears, also with the right synchronisation source', async () => {
  const setup = await call()
  await talk(setup)
  const { alice, bob, relay, plane } = setup
  const stranger = await party(alice.ssrc)
  for (let count = 0; count < 5; count++) stranger.rtp.send(stranger.packet('mine now'), relay.near.port)
  await vi.waitFor(() => expect(plane.counters.strangers).toBe(5))
  await talk({ alice, bob, relay })
})

test('after a silence the same source may come from elsewhere', async () => {
  const setup = await call()
  await talk(setup)
  const { alice, bob, relay } = setup
  const moved = await party(alice.ssrc)
  now += 3_000
  moved.rtp.send(moved.packet('moved'), relay.near.port)
  expect(soundOf(await bob.rtp.receive())).toBe('moved')
  bob.rtp.send(bob.packet('there you are'), relay.far.port)
  expect(soundOf(await moved.rtp.receive())).toBe('there you are')
})

test('RTCP passes on its own ports, and tells loss, jitter and round trip', async () => {
  const { alice, bob, relay } = await call()
  const ntpTime = 0x1111222233334444n
  const sent = writeRtcp([
    {
      ...{ type: 'SR', ssrc: alice.ssrc, ntpTime, rtpTime: 1, packets: 1, octets: 1 },
      ...{ reports: [], extension: Buffer.alloc(0) },
    },
  ])
  alice.rtcp.send(sent, relay.near.port + 1)
  expect((await bob.rtcp.receive()).packet).toEqual(sent)
  now += 250
  const block: ReportBlock = {
    ...{ ssrc: alice.ssrc, fractionLost: 64, lost: 10, highestSequence: 100, jitter: 80 },
    ...{ lastReport: 0x22223333, delay: 65_536 / 10 },
  }
  const report = writeRtcp([{ type: 'RR', ssrc: bob.ssrc, reports: [block], extension: Buffer.alloc(0) }])
  bob.rtcp.send(report, relay.far.port + 1)
  expect((await alice.rtcp.receive()).packet).toEqual(report)
  const [quality] = qualities.splice(0)
  expect(quality).toMatchObject({ fractionLost: 0.25, jitter: 0.01 })
  expect(quality?.roundTrip).toBeCloseTo(0.15, 3)
})

test('with rtcp-mux RTCP goes over the port of RTP', async () => {
  const { alice, bob, relay } = await call('a=rtcp-mux\r\n')
  const bye = writeRtcp([{ type: 'BYE', ssrcs: [alice.ssrc] }])
  alice.rtp.send(bye, relay.near.port)
  expect((await bob.rtp.receive()).packet).toEqual(bye)
})

test('DTLS passes where keys are agreed on the path, STUN and noise do not', async () => {
  const { alice, bob, relay, plane } = await call('', 'UDP/TLS/RTP/SAVP')
  const dtls = Buffer.from([22, 254, 253, 0, 0])
  alice.rtp.send(Buffer.from([0, 1, 0, 0]), relay.near.port)
  alice.rtp.send(Buffer.alloc(0), relay.near.port)
  alice.rtp.send(Buffer.alloc(200, 0xff), relay.near.port)
  alice.rtp.send(dtls, relay.near.port)
  expect((await bob.rtp.receive()).packet).toEqual(dtls)
  expect(plane.counters.malformed).toBe(3)
})

test('only the one who has the floor is heard', async () => {
  const setup = await call()
  await talk(setup)
  const { alice, bob, relay, plane } = setup
  relay.near.muted = true
  alice.rtp.send(alice.packet('let me'), relay.near.port)
  await vi.waitFor(() => expect(plane.counters.muted).toBe(1))
  relay.near.muted = false
  await talk({ alice, bob, relay })
})

test('a party that floods is held to a rate, the other direction goes on', async () => {
  const setup = await call()
  const { alice, relay, plane } = setup
  const flood = alice.packet('x')
  await vi.waitFor(() => {
    for (let count = 0; count < 500; count++) alice.rtp.send(flood, relay.near.port)
    expect(plane.counters.tooMany).toBeGreaterThan(0)
  })
  expect(plane.counters.rtpPackets).toBe(2_000)
})

test('a relay does not talk to itself', async () => {
  const { alice, relay, plane } = await call()
  const own = (port: number): Remote => ({ ...remote(alice), rtp: { address: '127.0.0.1', port } })
  relay.far.expect(own(relay.near.port))
  alice.rtp.send(alice.packet('echo?'), relay.near.port)
  await vi.waitFor(() => expect(plane.counters.undeliverable).toBe(1))
})

test('a party that goes silent is told of once; one on hold may be silent', async () => {
  const told: string[] = []
  const plane = await startPlane()
  const phone = await party(1)
  const opened = async (name: string, lines = '') => {
    const relay = await plane.open(() => told.push(name))
    relay.near.expect(remote(phone, lines))
  }
  await opened('holding', 'a=recvonly\r\n')
  await opened('speaking')
  now += 30_000
  await vi.waitFor(() => expect(told).toEqual(['speaking']), { timeout: 10_000 })
  await opened('speaking later')
  now += 30_000
  await vi.waitFor(() => expect(told).toEqual(['speaking', 'speaking later']), { timeout: 10_000 })
})

test('what is closed is free again, whoever closes it', async () => {
  const { plane, relay } = await call()
  expect(useOf(plane)).toMatchObject({ inUse: 2, peak: 2, limit: 20 })
  relay.far.close()
  relay.near.close()
  await vi.waitFor(() => expect(plane.use.inUse).toBe(0))
  await plane.open(() => {})
  await plane.close()
  expect(useOf(plane)).toMatchObject({ inUse: 0, peak: 2 })
  await expect(plane.open(() => {})).rejects.toThrow('shutting down')
  expect(plane.use.inUse).toBe(0)
})

test('a full range is Failure overloaded with the time to wait, and holds nothing', async () => {
  const plane = await startPlane(4)
  const relays: RtpRelay[] = []
  const fill = async (): Promise<never> => {
    for (;;) relays.push(await plane.open(() => {}))
  }
  const err = await fill().catch((reason: unknown) => reason)
  expect(err).toBeInstanceOf(Failure)
  expect(err).toMatchObject({ condition: 'overloaded', retryAfter: 5 })
  expect(plane.use.inUse).toBe(2 * relays.length)
  relays[0]?.close()
  await vi.waitFor(() => expect(plane.use.inUse).toBe(2 * relays.length - 2))
  await plane.open(() => {})
})

test('ports of another program are passed over', async () => {
  const other = createSocket('udp4').bind(0, '127.0.0.1')
  await once(other, 'listening')
  onTestFinished(() => void other.close())
  const first = other.address().port & ~1
  const ports = new PortPairs({ address: '127.0.0.1', first, last: first + 1 })
  const options = { ports, advertise: '127.0.0.1', maxSilence: 1, relatchAfter: 1, now: () => 0 }
  const plane = new RtpPlane({ ...options, onQuality: () => {} })
  await expect(plane.open(() => {})).rejects.toThrow('no RTP port is free')
  expect(useOf(plane)).toEqual({ inUse: 0, peak: 0, limit: 1 })
})

test('an end describes itself: its port and address, and no RTCP elsewhere', async () => {
  const { alice, relay } = await call()
  const described = relay.far.describe(audioOf(alice.description('a=sendonly\r\n')))
  expect(described).toMatchObject({ port: relay.far.port, connection: { address: '127.0.0.1', addressType: 'IP4' } })
  expect(described.attributes).toEqual([{ name: 'sendonly' }])
})

test.each([
  ['a name', 'c=IN IP4 phone.example.com', undefined],
  ['0.0.0.0', 'c=IN IP4 0.0.0.0', undefined],
  ['IPv6 in another spelling', 'c=IN IP6 2001:DB8:0:0::0001', { address: '2001:db8::1', port: 4_000 }],
])('the address of a party: %s', (_, connection, expected) => {
  const session = readSdp(
    `v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\n${connection}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n`,
  )
  expect(remoteOf(audioOf(session), session)?.rtp).toEqual(expected)
})
