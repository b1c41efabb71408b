import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MalformedFloor } from '../../../src/protocols/floor/malformed-floor.ts'
import { readTalkBurst } from '../../../src/protocols/floor/read-talk-burst.ts'

/** Lengths and codes that mean something, between bytes that do not. */
const byte = fc.oneof(fc.constantFrom(0, 1, 2, 4, 7, 8, 100, 101, 102, 103, 255), fc.nat(255))

test('whatever comes as talk burst control is read, is not known, or is malformed', () => {
  const outcomes = { read: 0, unknown: 0, malformed: 0 }
  const packet = fc.record({ subtype: fc.nat(31), data: fc.array(byte, { maxLength: 48 }) })
  fc.assert(
    fc.property(packet, ({ subtype, data }) => {
      try {
        const message = readTalkBurst({ type: 'APP', name: 'PoC1', ssrc: 1, subtype, data: Buffer.from(data) })
        outcomes[message === undefined ? 'unknown' : 'read']++
      } catch (err) {
        expect(err).toBeInstanceOf(MalformedFloor)
        outcomes.malformed++
      }
    }),
    { numRuns: 100_000 },
  )
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(1_000)
})
