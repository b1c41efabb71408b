import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FormDataReader } from '../../../src/protocols/mime/form-data-reader.ts'
import { MalformedMime } from '../../../src/protocols/mime/malformed-mime.ts'

const limits = { parts: 4, headerBytes: 200 }

interface Read {
  readonly headers: Record<string, string>
  readonly body: string
}

/** The parts of a body that comes in these pieces. */
function partsIn(pieces: readonly Buffer[], boundary = 'b'): { parts: Read[]; complete: boolean } {
  const reader = new FormDataReader(boundary, limits)
  const parts: Read[] = []
  let [headers, body] = [{}, '']
  for (const piece of pieces) {
    for (const event of reader.read(piece)) {
      if (event.kind === 'part') [headers, body] = [Object.fromEntries(event.headers), '']
      if (event.kind === 'data') body += event.bytes.toString('latin1')
      if (event.kind === 'end') parts.push({ headers, body })
    }
  }
  return { parts, complete: reader.complete }
}

const whole = Buffer.from(
  'preamble\r\n--b\r\nContent-Disposition: form-data;\r\n name="tid"\r\n\r\nx-1\r\n--b \t\r\n\r\nwith\r\n--no\r-boundary\r\n\r\n--b\r\nA: 1\r\n\r\n--b\r\n\r\n\r\n--b--\r\nepilogue --b\r\n',
)
const parts = [
  { headers: { 'content-disposition': 'form-data; name="tid"' }, body: 'x-1' },
  { headers: {}, body: 'with\r\n--no\r-boundary\r\n' },
  { headers: { a: '1' }, body: '' },
  { headers: {}, body: '' },
]

describe('a multipart body', () => {
  test('is read the same wherever it is cut', () => {
    expect(partsIn([whole])).toEqual({ parts, complete: true })
    for (let at = 0; at <= whole.length; at++) {
      expect(partsIn([whole.subarray(0, at), whole.subarray(at)])).toEqual({ parts, complete: true })
    }
    expect(partsIn([...whole].map((byte) => Buffer.of(byte)))).toEqual({ parts, complete: true })
  })

  test('of any bytes comes out as it went in', () => {
    const body = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
    const tricky = fc.stringMatching(/^[\r\n\-bB]{0,40}$/).filter((text) => !`\r\n${text}\r\n`.includes('\r\n--b'))
    fc.assert(
      fc.property(fc.oneof(body, tricky), fc.integer({ min: 1, max: 7 }), (text, width) => {
        const bytes = Buffer.from(`--b\r\nA: 1\r\n\r\n${text}\r\n--b--`, 'latin1')
        const pieces = Array.from({ length: Math.ceil(bytes.length / width) }, (_, at) =>
          bytes.subarray(at * width, (at + 1) * width),
        )
        expect(partsIn(pieces)).toEqual({ parts: [{ headers: { a: '1' }, body: text }], complete: true })
      }),
    )
  })

  test('that stops half way has the bytes that came, without what may be a boundary', () => {
    const reader = new FormDataReader('b', limits)
    const events = [...reader.read(Buffer.from('--b\r\n\r\nabc\r\n--'))]
    expect(events.filter(({ kind }) => kind === 'data')).toEqual([{ kind: 'data', bytes: Buffer.from('abc') }])
    expect(reader.complete).toBe(false)
  })

  test.each([
    ['a boundary goes on', '--bx\r\n\r\n'],
    ['there are too many parts', `${'--b\r\n\r\n\r\n'.repeat(5)}--b--`],
    ['a head is too long', `--b\r\nA: ${'x'.repeat(300)}\r\n\r\n`],
    ['a head does not end', `--b\r\nA: ${'x'.repeat(300)}`],
    ['a line is no header field', '--b\r\nnothing\r\n\r\n'],
    ['spaces after a boundary do not end', `--b${' '.repeat(300)}`],
  ])('is refused where %s', (_, text) => {
    expect(() => partsIn([Buffer.from(text)])).toThrow(MalformedMime)
  })

  test.each(['', ' ', 'x'.repeat(71), 'a\nb', 'b '])('has no boundary %j', (boundary) => {
    expect(() => new FormDataReader(boundary, limits)).toThrow(MalformedMime)
  })
})
