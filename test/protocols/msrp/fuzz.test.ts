import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { readByteRange } from '../../../src/protocols/msrp/byte-range.ts'
import type { FrameHead } from '../../../src/protocols/msrp/frame.ts'
import { FrameReader } from '../../../src/protocols/msrp/frame-reader.ts'
import { MalformedMsrp } from '../../../src/protocols/msrp/malformed-msrp.ts'
import { readMsrpUri, readPath, sameMsrpUri, writeMsrpUri } from '../../../src/protocols/msrp/msrp-uri.ts'
import { failureReportOf, readMessageFields, wantsSuccessReport } from '../../../src/protocols/msrp/send-request.ts'
import { readStatus } from '../../../src/protocols/msrp/status.ts'
import { writeFrameEnd, writeFrameHead } from '../../../src/protocols/msrp/write-frame.ts'
import { limits, readFrames } from './frames.ts'
import { examples } from './rfc4975.ts'

let inputs = 0
afterAll(() => expect(inputs).toBeGreaterThanOrEqual(100_000))

function orMalformed<Value>(read: () => Value): Value | undefined {
  try {
    return read()
  } catch (err) {
    if (err instanceof MalformedMsrp) return undefined
    throw err
  }
}

/** What a server does with a head before it knows what it is. */
function use(head: FrameHead): void {
  orMalformed(() => readMessageFields(head))
  orMalformed(() => readPath(head.fromPath))
  orMalformed(() => readStatus(head.field('status') ?? ''))
  wantsSuccessReport(head)
  failureReportOf(head)
}

/** Frames and bytes of body that come out of a stream in these pieces, and whether it was refused. */
function readAll(pieces: readonly Buffer[]) {
  inputs++
  const reader = new FrameReader(limits)
  let [heads, ends, body] = [0, 0, 0]
  const refused =
    orMalformed(() => {
      for (const piece of pieces) {
        for (const found of reader.read(piece)) {
          if (found.type === 'body') body += found.bytes.length
          else if (found.type === 'end') ends++
          else {
            heads++
            use(found)
          }
        }
      }
      return true
    }) === undefined
  expect(heads - ends).toBeLessThanOrEqual(1)
  return { heads, ends, body, refused }
}

const whole = Object.values(examples).join('')
const cutAt = (bytes: Buffer, at: number) => [bytes.subarray(0, at), bytes.subarray(at)]

test('random bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readAll([Buffer.from(bytes)])
      readAll([Buffer.concat([Buffer.from('MSRP abcd SEND\r\n'), Buffer.from(bytes)])])
    }),
    { numRuns: 15_000 },
  )
})

test('examples with bytes changed, left out and put in, read alike whole and in two pieces', () => {
  const edit = fc.record({
    at: fc.nat(whole.length - 1),
    gone: fc.nat(12),
    put: fc.string({ maxLength: 6 }),
    cut: fc.nat(),
  })
  fc.assert(
    fc.property(edit, ({ at, gone, put, cut }) => {
      const bytes = Buffer.from(whole.slice(0, at) + put + whole.slice(at + gone), 'latin1')
      expect(readAll(cutAt(bytes, cut % bytes.length))).toEqual(readAll([bytes]))
    }),
    { numRuns: 25_000 },
  )
})

test('lines of frames in any order', () => {
  const line = fc.constantFrom(
    ...['MSRP abcd SEND', 'MSRP abcd 200', 'To-Path: msrp://b/1;tcp', 'From-Path: msrp://a/2;tcp', 'Message-ID: m'],
    ...[
      'Byte-Range: 1-*/*',
      'Byte-Range: x',
      '',
      '',
      '-------abcd$',
      '-------abcd+',
      '-------abc$',
      'text',
      '\r',
      '\n',
    ],
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 14 }), fc.nat(), (lines, cut) => {
      const head = 'MSRP abcd SEND\r\nTo-Path: msrp://b/1;tcp\r\nFrom-Path: msrp://a/2;tcp\r\n'
      const bytes = Buffer.from(`${head}${lines.join('\r\n')}\r\n`)
      expect(readAll(cutAt(bytes, cut % bytes.length))).toEqual(readAll([bytes]))
    }),
    { numRuns: 20_000 },
  )
})

test('a body of pieces of its own end-line comes out as it went in, however it is cut', () => {
  const part = fc.constantFrom(
    '\r',
    '\n',
    '\r\n',
    '-',
    '-------',
    '\r\n-------ab',
    '\r\n-------abc',
    '$',
    '+\r',
    'abcd',
    'x',
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 4 }), (parts, cuts) => {
      const body = parts.join('')
      fc.pre(!/\r\n-------abcd[$+#]\r\n/.test(`\r\n${body}\r\n`))
      const bytes = Buffer.from(
        `MSRP abcd SEND\r\nTo-Path: msrp://b/1;tcp\r\nFrom-Path: msrp://a/2;tcp\r\n\r\n${body}\r\n-------abcd$\r\n`,
      )
      inputs++
      const places = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length]
      const pieces = places.slice(1).map((place, at) => bytes.subarray(places[at], place))
      expect(readFrames(...pieces).map((frame) => frame.body.toString())).toEqual([body])
    }),
    { numRuns: 15_000 },
  )
})

test('what is written is read again', () => {
  const text = fc.stringMatching(/^[!-~\xa0-\xff]{1,20}$/)
  const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9.\-+%=]{3,31}$/)
  fc.assert(
    fc.property(
      id,
      text,
      fc.uint8Array({ maxLength: 100 }),
      fc.constantFrom('$', '+', '#'),
      (id, value, body, flag) => {
        inputs++
        const paths = { toPath: 'msrp://b/1;tcp', fromPath: `msrp://a/2;tcp msrp://c/${value.length};tcp` }
        const request = { method: 'SEND', transactionId: id, ...paths, fields: `X-Field: ${value}\r\n`, hasBody: true }
        const end = writeFrameEnd(id, flag, true)
        const bytes = [Buffer.from(writeFrameHead(request), 'latin1'), Buffer.from(body), Buffer.from(end)]
        const [frame] = readFrames(Buffer.concat(bytes))
        expect(frame?.head).toMatchObject(request)
        expect(frame?.head.field('x-field')).toBe(value)
        expect([frame?.body, frame?.flag]).toEqual([Buffer.from(body), flag])
      },
    ),
    { numRuns: 10_000 },
  )
})

test('values: URIs, ranges and statuses', () => {
  const near = fc.stringMatching(/^msrps?:\/\/[\w.:@[\]%]{0,12}\/?[\w+=/]{0,6};?(tcp|ws)?[;=\w]{0,6}$/)
  fc.assert(
    fc.property(fc.oneof(near, fc.string()), (text) => {
      inputs++
      const uri = orMalformed(() => readMsrpUri(text))
      if (uri !== undefined) expect(sameMsrpUri(readMsrpUri(writeMsrpUri(uri)), uri)).toBe(true)
      orMalformed(() => readByteRange(text))
      orMalformed(() => readStatus(text))
    }),
    { numRuns: 10_000 },
  )
})
