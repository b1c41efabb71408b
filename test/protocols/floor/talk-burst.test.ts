import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MalformedFloor } from '../../../src/protocols/floor/malformed-floor.ts'
import { isTalkBurst, readTalkBurst } from '../../../src/protocols/floor/read-talk-burst.ts'
import { subtypes, type TalkBurst, type TalkBurstContent } from '../../../src/protocols/floor/talk-burst.ts'
import { writeTalkBurst } from '../../../src/protocols/floor/write-talk-burst.ts'
import { readRtcp } from '../../../src/protocols/rtp/read-rtcp.ts'
import type { ApplicationDefined } from '../../../src/protocols/rtp/rtcp-packet.ts'
import { writeRtcp } from '../../../src/protocols/rtp/write-rtcp.ts'

const short = fc.nat(0xffff)
const word = fc.nat(0xffffffff)
const maybe = <Value>(of: fc.Arbitrary<Value>) => fc.option(of, { nil: undefined })
const text = fc.string({ maxLength: 60 })
const is = <Type extends TalkBurstContent['type']>(type: Type) => fc.constant(type)
const content: fc.Arbitrary<TalkBurstContent> = fc.oneof(
  fc.record({
    type: is('request'),
    priority: maybe(fc.nat(3)),
    timestamp: maybe(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })),
  }),
  fc.record({ type: is('granted'), stopTalking: short, participants: maybe(short) }),
  fc.record({
    type: is('taken'),
    speaker: word,
    uri: text,
    name: maybe(text),
    participants: maybe(short),
    acknowledge: fc.boolean(),
  }),
  fc.record({ type: is('deny'), reason: fc.nat(255), phrase: text }),
  fc.record({ type: is('release'), lastSequence: maybe(short) }),
  fc.record({ type: is('idle') }),
  fc.record({ type: is('revoke'), reason: short, retryAfter: short }),
  fc.record({ type: is('acknowledgement'), of: fc.nat(31), reason: fc.nat(0x7ff) }),
  fc.record({ type: is('queue-status-request') }),
  fc.record({ type: is('queue-status-response'), priority: fc.nat(3), position: short }),
  fc.record({ type: is('disconnect') }),
  fc.record({
    type: is('connect'),
    sessionType: fc.nat(4),
    manualAnswer: fc.boolean(),
    inviter: maybe(text),
    inviterName: maybe(text),
    session: maybe(text),
    groupName: maybe(text),
    group: maybe(text),
  }),
)
const message: fc.Arbitrary<TalkBurst> = fc.tuple(word, content).map(([ssrc, one]) => ({ ssrc, ...one }))

/** Through the bytes of RTCP and back. */
function throughRtcp(packet: ApplicationDefined): ApplicationDefined {
  const [read] = readRtcp(writeRtcp([packet]))
  if (read?.type !== 'APP') throw new Error(`${read?.type} for APP`)
  return read
}

test('talk burst control is read as it was written', () => {
  fc.assert(
    fc.property(message, (one) => {
      const packet = throughRtcp(writeTalkBurst(one))
      expect(isTalkBurst(packet)).toBe(true)
      expect(readTalkBurst(packet)).toEqual(one)
    }),
    { numRuns: 1_000 },
  )
})

/** A client's packet, by hand. */
const hex = (text: string): ApplicationDefined => {
  const [packet] = readRtcp(Buffer.from(text.replaceAll(' ', ''), 'hex'))
  return packet as ApplicationDefined
}

test.each<[string, TalkBurst]>([
  ['80cc0002 0000000a 506f4331', { ssrc: 10, type: 'request', priority: undefined, timestamp: undefined }],
  ['80cc0003 0000000a 506f4331 66020002', { ssrc: 10, type: 'request', priority: 2, timestamp: undefined }],
  ['81cc0003 0000000a 506f4331 6502001e', { ssrc: 10, type: 'granted', stopTalking: 30, participants: undefined }],
  ['81cc0004 0000000a 506f4331 6502ffff 64020003', { ssrc: 10, type: 'granted', stopTalking: 65_535, participants: 3 }],
  ['83cc0003 0000000a 506f4331 01000000', { ssrc: 10, type: 'deny', reason: 1, phrase: '' }],
  ['84cc0003 0000000a 506f4331 1234 0000', { ssrc: 10, type: 'release', lastSequence: 0x1234 }],
  ['84cc0003 0000000a 506f4331 1234 8000', { ssrc: 10, type: 'release', lastSequence: undefined }],
  ['86cc0003 0000000a 506f4331 0002 0005', { ssrc: 10, type: 'revoke', reason: 2, retryAfter: 5 }],
  ['87cc0003 0000000a 506f4331 90000000', { ssrc: 10, type: 'acknowledgement', of: 18, reason: 0 }],
  [
    '92cc0006 00000001 506f4331 0000000b 01057369703a6100 64020002',
    { ssrc: 1, type: 'taken', speaker: 11, uri: 'sip:a', name: undefined, participants: 2, acknowledge: true },
  ],
])('%s is read', (text, expected) => {
  expect(readTalkBurst(hex(text))).toEqual(expected)
})

test('a subtype that is not known is passed over', () => {
  for (let subtype = 0; subtype < 32; subtype++) {
    const known = Object.values<number>(subtypes).includes(subtype) || subtype === 18
    const packet = { type: 'APP' as const, subtype, ssrc: 1, name: 'PoC1', data: Buffer.alloc(0) }
    if (!known) expect(readTalkBurst(packet)).toBeUndefined()
  }
})

test.each([
  'granted',
  'taken',
  'deny',
  'release',
  'revoke',
  'acknowledgement',
  'queue-status-response',
  'connect',
] as const)('%s without its content is MalformedFloor', (type) => {
  const packet = { type: 'APP' as const, subtype: subtypes[type], ssrc: 1, name: 'PoC1', data: Buffer.alloc(0) }
  expect(() => readTalkBurst(packet)).toThrow(MalformedFloor)
})

test('a text too long is cut between characters', () => {
  const written = writeTalkBurst({ ssrc: 1, type: 'deny', reason: 1, phrase: `${'x'.repeat(254)}é…` })
  expect(readTalkBurst(throughRtcp(written))).toMatchObject({ phrase: 'x'.repeat(254) })
})

test('random content of any subtype is read or MalformedFloor', () => {
  const data = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array)),
    fc.tuple(message, fc.nat(), fc.nat(255)).map(([one, at, value]) => {
      const { data } = writeTalkBurst(one)
      if (data.length > 0) data[at % data.length] = value
      return data.subarray(0, at % 2 === 0 ? at % (data.length + 1) : data.length)
    }),
  )
  fc.assert(
    fc.property(fc.nat(31), data, (subtype, data) => {
      try {
        readTalkBurst({ type: 'APP', subtype, ssrc: 1, name: 'PoC1', data })
      } catch (err) {
        if (!(err instanceof MalformedFloor)) throw err
      }
    }),
    { numRuns: 20_000 },
  )
})
