import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { bitRate, capped } from '../../../src/protocols/sdp/bandwidth.ts'
import { held, isHeld } from '../../../src/protocols/sdp/direction.ts'
import { readFileSelector, writeFileSelector } from '../../../src/protocols/sdp/file-selector.ts'
import { MalformedSdp } from '../../../src/protocols/sdp/malformed-sdp.ts'
import { readMsrpMedia, withMsrpMedia } from '../../../src/protocols/sdp/msrp-media.ts'
import { answerTo, faultOfAnswer, following, refused } from '../../../src/protocols/sdp/offer-answer.ts'
import { readSdp } from '../../../src/protocols/sdp/read-sdp.ts'
import { codecsOf, rtcpAddress, withFormats } from '../../../src/protocols/sdp/rtp-media.ts'
import type { SessionDescription } from '../../../src/protocols/sdp/session-description.ts'
import { sdpText, writeSdp } from '../../../src/protocols/sdp/write-sdp.ts'
import { descriptions } from './descriptions.ts'

let inputs = 0
let read = 0
afterAll(() => {
  expect(inputs).toBeGreaterThanOrEqual(100_000)
  expect(read).toBeGreaterThan(1_000)
})

/** What a session controller does with a description; nothing of it may throw. */
function use(session: SessionDescription): void {
  for (const media of session.media) {
    codecsOf(media)
    rtcpAddress(media, session)
    isHeld(media, session)
    capped(media.bandwidth, bitRate(media.bandwidth) ?? 64_000)
    withMsrpMedia(media, readMsrpMedia(media, session))
    withFormats(media, (format) => format !== media.formats[0])
  }
  const answer = answerTo(session, { origin: session.origin, media: session.media.map(refused) })
  expect(faultOfAnswer(session, answer)).toBeUndefined()
  following(session, held(session))
}

/** What was read is written to what reads the same. */
function tryBytes(bytes: Buffer): void {
  inputs++
  let session: SessionDescription
  try {
    session = readSdp(bytes)
  } catch (err) {
    if (!(err instanceof MalformedSdp)) throw err
    if (err.line < 1) throw new Error(`line ${err.line}`)
    return
  }
  read++
  const again = readSdp(writeSdp(session))
  if (sdpText(again) !== sdpText(session)) throw new Error(sdpText(session))
  use(session)
}

const seeds = descriptions.map((text) => Buffer.from(text, 'latin1'))
const position = fc.nat(2_000)
const fragment = fc.constantFrom(
  ...['\r\n', '\r', '\n', '\0', ' ', '=', ':', '/', '*', '"', '%', '%41', '0', '9'.repeat(25), '-', '::', '\xff', ';'],
  ...['v=0\r\n', 's=-\r\n', 'c=IN IP4 10.0.0.1\r\n', 'c=IN IP6 ::1\r\n', 't=0 0\r\n', 'b=AS:0\r\n', 'k=prompt\r\n'],
  ...['m=audio 0 RTP/AVP 0\r\n', 'm=message 1 TCP/MSRP *\r\n', 'a=sendonly\r\n', 'a=inactive\r\n', 'a=x\r\n', 'a='],
  ...['a=path:msrp://a/b;tcp\r\n', 'a=file-selector:', 'name:"', 'hash:sha-1:00', 'a=rtcp:1\r\n', 'a=setup:active\r\n'],
)

type Mutation = (bytes: Buffer) => Buffer
const splice =
  (at: number, length: number, put: Buffer): Mutation =>
  (bytes) => {
    const from = at % (bytes.length + 1)
    return Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + length)])
  }
const flip =
  (at: number, mask: number): Mutation =>
  (bytes) => {
    const flipped = Buffer.from(bytes)
    if (bytes.length > 0) flipped[at % bytes.length] = (bytes[at % bytes.length] as number) ^ mask
    return flipped
  }
/** Whole lines leave, come twice or change places, so that the order of lines is put to the test. */
const moveLine =
  (from: number, to: number, times: number): Mutation =>
  (bytes) => {
    const lines = bytes.toString('latin1').split('\r\n')
    const [line = ''] = lines.splice(from % lines.length, 1)
    lines.splice(to % (lines.length + 1), 0, ...Array<string>(times).fill(line))
    return Buffer.from(lines.join('\r\n'), 'latin1')
  }

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(position, fc.integer({ min: 1, max: 255 })).map(([at, mask]) => flip(at, mask)),
  fc.tuple(position, fragment).map(([at, text]) => splice(at, 0, Buffer.from(text, 'latin1'))),
  fc.tuple(position, fc.nat(60)).map(([at, length]) => splice(at, length, Buffer.alloc(0))),
  fc.tuple(fc.nat(30), fc.nat(30), fc.nat(3)).map(([from, to, times]) => moveLine(from, to, times)),
)
const mutated = fc
  .tuple(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 4 }))
  .map(([seed, mutations]) => mutations.reduce<Buffer>((bytes, mutate) => mutate(bytes), seed))

test('descriptions with flips, cuts and moved lines are descriptions or MalformedSdp', () => {
  fc.assert(fc.property(mutated, tryBytes), { numRuns: 60_000 })
})

test('random bytes and random lines are descriptions or MalformedSdp', () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((random) => Buffer.from(random))
  const head = 'v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n'
  const lines = fc.array(fragment, { maxLength: 20 }).map((pieces) => Buffer.from(head + pieces.join(''), 'latin1'))
  fc.assert(
    fc.property(bytes, lines, (random, some) => {
      tryBytes(random)
      tryBytes(some)
    }),
    { numRuns: 20_000 },
  )
})

test('every description cut at every byte is one or MalformedSdp', () => {
  for (const seed of seeds) for (let end = 0; end < seed.length; end++) tryBytes(seed.subarray(0, end))
})

test('file selectors near the grammar are read and written back, or are none', () => {
  const piece = fc.constantFrom(
    'name:"',
    '"',
    '%41',
    '%',
    ' ',
    'type:',
    'a/b',
    ';',
    'x=',
    'size:',
    '12',
    'hash:',
    'sha-1:',
    'AB:',
    'é',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const selector = readFileSelector(pieces.join(''))
      if (selector) expect(readFileSelector(writeFileSelector(selector))).toEqual(selector)
    }),
    { numRuns: 20_000 },
  )
})

test('a line of many spaces, quotes or colons is read in linear time', () => {
  const head = 'v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nt=0 0\r\na='
  for (const name of ['accept-types:', 'path:msrp://', 'file-selector:name:"', 'fingerprint:sha-1 00', 'rtcp:1 ', '']) {
    for (const filling of [' ', 'a', '"', ':', ';', '/', ';a=', '%', ' a/b', ':00']) {
      tryBytes(Buffer.from(head + name + filling.repeat(20_000), 'latin1'))
    }
  }
})
