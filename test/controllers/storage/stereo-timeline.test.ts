import { expect, test } from 'vitest'
import { StereoTimeline } from '../../../src/controllers/storage/stereo-timeline.ts'

/** Code n is the sample n. */
const plain = Int16Array.from({ length: 256 }, (_, code) => code)

const framesOf = (samples: Buffer): number[][] =>
  Array.from({ length: samples.length / 4 }, (_, at) => [samples.readInt16LE(4 * at), samples.readInt16LE(4 * at + 2)])

test('what two parties say is put beside each other, whatever order it comes in', () => {
  const timeline = new StereoTimeline(8)
  timeline.put(1, 2, Buffer.from([7, 8]), plain)
  timeline.put(0, 0, Buffer.from([1, 2, 3]), plain)
  const part = timeline.takeUpTo(4)
  expect(part?.at).toBe(0)
  expect(framesOf(part?.samples as Buffer)).toEqual([
    [1, 0],
    [2, 0],
    [3, 7],
    [0, 8],
  ])
})

test('what comes too late or too early is left out, and the ring begins again where it was taken', () => {
  const timeline = new StereoTimeline(4)
  timeline.put(0, 0, Buffer.from([1, 2, 3, 4, 5, 6]), plain)
  expect(framesOf(timeline.takeUpTo(2)?.samples as Buffer)).toEqual([
    [1, 0],
    [2, 0],
  ])
  timeline.put(1, 1, Buffer.from([9, 9, 9, 9, 9, 9]), plain)
  const rest = timeline.takeUpTo(6)
  expect([rest?.at, framesOf(rest?.samples as Buffer)]).toEqual([
    2,
    [
      [3, 9],
      [4, 9],
      [0, 9],
      [0, 9],
    ],
  ])
})

test('silence is skipped, however long it is', () => {
  const timeline = new StereoTimeline(4)
  expect(timeline.takeUpTo(1_000_000)).toBeUndefined()
  timeline.put(0, 1_000_001, Buffer.from([5]), plain)
  const part = timeline.takeUpTo(1_000_003)
  expect([part?.at, framesOf(part?.samples as Buffer)]).toEqual([
    1_000_000,
    [
      [0, 0],
      [5, 0],
      [0, 0],
    ],
  ])
  expect(timeline.start).toBe(1_000_003)
})
