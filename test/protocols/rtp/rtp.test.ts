import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MalformedRtp } from '../../../src/protocols/rtp/malformed-rtp.ts'
import { readRtcp } from '../../../src/protocols/rtp/read-rtcp.ts'
import type { RtcpPacket } from '../../../src/protocols/rtp/rtcp-packet.ts'
import {
  isRtcp,
  isRtpOrRtcp,
  payloadTypeOf,
  readRtp,
  sequenceOf,
  ssrcOf,
  writeRtp,
} from '../../../src/protocols/rtp/rtp-packet.ts'
import { writeRtcp } from '../../../src/protocols/rtp/write-rtcp.ts'

const byte = fc.integer({ min: 0, max: 0xff })
const short = fc.integer({ min: 0, max: 0xffff })
const word = fc.integer({ min: 0, max: 0xffffffff })
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))
/** A multiple of 4 bytes. */
const words = (max: number) =>
  fc.array(word, { maxLength: max }).map((list) => Buffer.from(Uint32Array.from(list).buffer))

const rtp = fc.record({
  marker: fc.boolean(),
  payloadType: fc.nat(127),
  sequence: short,
  timestamp: word,
  ssrc: word,
  csrcs: fc.array(word, { maxLength: 15 }),
  extension: fc.option(fc.record({ profile: short, data: words(8) }), { nil: undefined }),
  payload: bytes(200),
  padding: byte,
})

const report = fc.record({
  ssrc: word,
  fractionLost: byte,
  lost: fc.integer({ min: -0x800000, max: 0x7fffff }),
  highestSequence: word,
  jitter: word,
  lastReport: word,
  delay: word,
})
const reports = fc.array(report, { maxLength: 31 })
const item = fc.record({ type: fc.integer({ min: 1, max: 255 }), value: bytes(255) })
const rtcp: fc.Arbitrary<RtcpPacket> = fc.oneof(
  fc.record({
    type: fc.constant('SR' as const),
    ssrc: word,
    ntpTime: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    rtpTime: word,
    packets: word,
    octets: word,
    reports,
    extension: words(4),
  }),
  fc.record({ type: fc.constant('RR' as const), ssrc: word, reports, extension: words(4) }),
  fc.record({
    type: fc.constant('SDES' as const),
    chunks: fc.array(fc.record({ ssrc: word, items: fc.array(item, { maxLength: 4 }) }), { maxLength: 31 }),
  }),
  fc.record(
    { type: fc.constant('BYE' as const), ssrcs: fc.array(word, { maxLength: 31 }), reason: bytes(255) },
    { requiredKeys: ['type', 'ssrcs'] },
  ),
  fc.record({
    type: fc.constant('APP' as const),
    subtype: fc.nat(31),
    ssrc: word,
    name: fc.constantFrom('PoC1', '3GPP', 'test'),
    data: words(16),
  }),
  fc.record({
    type: fc.constant('other' as const),
    packetType: fc.integer({ min: 205, max: 223 }),
    count: fc.nat(31),
    body: words(16),
  }),
)

/** Runs `read`; what it throws must be MalformedRtp. */
function orMalformed<Value>(read: () => Value): Value | undefined {
  try {
    return read()
  } catch (err) {
    if (err instanceof MalformedRtp) return undefined
    throw err
  }
}

test('an RTP packet is read as it was written', () => {
  fc.assert(
    fc.property(rtp, (packet) => {
      const written = writeRtp(packet)
      expect(readRtp(written)).toEqual(packet)
      expect([payloadTypeOf(written), sequenceOf(written), ssrcOf(written)]).toEqual([
        packet.payloadType,
        packet.sequence,
        packet.ssrc,
      ])
    }),
  )
})

test('an RTP packet of a phone is read', () => {
  const packet = Buffer.from(`80e00001000000a0deadbeef${'d5'.repeat(160)}`, 'hex')
  expect(readRtp(packet)).toMatchObject({ marker: true, payloadType: 96, sequence: 1, timestamp: 160, csrcs: [] })
  expect(readRtp(packet).payload).toHaveLength(160)
  expect(isRtcp(packet)).toBe(false)
})

test('an RTP packet with everything, cut at every byte, is a shorter one or MalformedRtp', () => {
  const whole = writeRtp({
    ...{ marker: false, payloadType: 0, sequence: 7, timestamp: 8, ssrc: 9, csrcs: [1, 2, 3] },
    ...{ extension: { profile: 0xbede, data: Buffer.alloc(8, 1) }, payload: Buffer.alloc(20, 2), padding: 4 },
  })
  for (let end = 0; end < whole.length; end++) orMalformed(() => readRtp(whole.subarray(0, end)))
  for (let end = 0; end < 12 + 12 + 12; end++) expect(() => readRtp(whole.subarray(0, end))).toThrow(MalformedRtp)
})

test('compound RTCP is read as it was written', () => {
  fc.assert(
    fc.property(fc.array(rtcp, { minLength: 1, maxLength: 5 }), (packets) => {
      const written = writeRtcp(packets)
      expect(written.length % 4).toBe(0)
      expect(isRtpOrRtcp(written) || written.length < 8).toBe(true)
      expect(isRtcp(written)).toBe(true)
      expect(readRtcp(written)).toEqual(packets)
    }),
  )
})

test('a sender report with its description is read', () => {
  const sr = '80c80006 00000001 e5f1c2d3 80000000 000003e8 00000005 00000320'
  const sdes = '81ca0003 00000001 01036140 62000000'
  expect(readRtcp(Buffer.from((sr + sdes).replaceAll(' ', ''), 'hex'))).toEqual([
    {
      ...{ type: 'SR', ssrc: 1, ntpTime: 0xe5f1c2d380000000n, rtpTime: 1000, packets: 5, octets: 800 },
      ...{ reports: [], extension: Buffer.alloc(0) },
    },
    { type: 'SDES', chunks: [{ ssrc: 1, items: [{ type: 1, value: Buffer.from('a@b') }] }] },
  ])
})

test('padding is taken off the last packet and refused on any other', () => {
  const padded = 'a0c90002 00000001 00000004'
  const plain = '80c90001 00000001'
  const read = (text: string) => readRtcp(Buffer.from(text.replaceAll(' ', ''), 'hex'))
  expect(read(plain + padded)).toHaveLength(2)
  expect(() => read(padded + plain)).toThrow('wrong padding')
  expect(() => read('a0c90002 00000001 00000003')).toThrow('wrong padding')
  expect(() => read('a0c90001 000000ff')).toThrow('wrong padding')
})

test.each([
  ['nothing', ''],
  ['another version', '40c90001 00000001'],
  ['a length beyond the packet', '80c90002 00000001'],
  ['more report blocks than there are', '81c90001 00000001'],
  ['a sender report cut short', '80c80001 00000001'],
  ['a chunk without an end', '81ca0002 00000001 01026162'],
  ['an item beyond the packet', '81ca0002 00000001 01ff6162'],
  ['fewer sources than said', '82cb0001 00000001'],
  ['a reason beyond the packet', '81cb0002 00000001 ff616263'],
  ['an APP without a name', '80cc0001 00000001'],
])('%s is MalformedRtp', (_, text) => {
  expect(() => readRtcp(Buffer.from(text.replaceAll(' ', ''), 'hex'))).toThrow(MalformedRtp)
})

test('bytes that are cut, flipped or random are packets or MalformedRtp', () => {
  const some = fc.oneof(rtp.map(writeRtp), fc.array(rtcp, { maxLength: 3 }).map(writeRtcp), bytes(120))
  const changed = fc.tuple(some, fc.nat(), byte, fc.nat()).map(([whole, at, mask, end]) => {
    const copy = Buffer.from(whole)
    if (copy.length > 0) copy[at % copy.length] = (copy[at % copy.length] as number) ^ mask
    return copy.subarray(0, end % 3 === 0 ? end % (copy.length + 1) : copy.length)
  })
  fc.assert(
    fc.property(changed, (input) => {
      orMalformed(() => readRtp(input))
      orMalformed(() => readRtcp(input))
    }),
    { numRuns: 10_000 },
  )
})
