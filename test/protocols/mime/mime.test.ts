import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeContent } from '../../../src/protocols/mime/content-encoding.ts'
import { mediaType, readContentType } from '../../../src/protocols/mime/content-type.ts'
import { MalformedMime } from '../../../src/protocols/mime/malformed-mime.ts'
import { readMultipart, writeMultipart } from '../../../src/protocols/mime/multipart.ts'

const crlf = (text: string) => Buffer.from(text.replace(/\n/g, '\r\n'))

/** RFC 2046 §5.1.1. */
const rfc2046 = crlf(`This is the preamble.  It is to be ignored, though it
is a handy place for composition agents to include an
explanatory note to non-MIME conformant readers.

--simple boundary

This is implicitly typed plain US-ASCII text.
It does NOT end with a linebreak.
--simple boundary
Content-type: text/plain; charset=us-ascii

This is explicitly typed plain US-ASCII text.
It DOES end with a linebreak.

--simple boundary--

This is the epilogue.  It is also to be ignored.
`)
const rfc2046Type = 'multipart/mixed; boundary="simple boundary"'

test('the example of RFC 2046 §5.1.1 is read', () => {
  const [first, second, ...others] = readMultipart(rfc2046, rfc2046Type)
  expect(first?.headers.size).toBe(0)
  expect(first?.body.toString()).toBe(
    'This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.',
  )
  expect(second?.headers.get('content-type')).toBe('text/plain; charset=us-ascii')
  expect(second?.body.toString()).toMatch(/linebreak\.\r\n$/)
  expect(others).toEqual([])
})

test('a delimiter counts at the beginning of a line only, and in full', () => {
  const bytes = crlf('--b\n\nx --b\n--bc\n--b--\n')
  expect(readMultipart(bytes, 'multipart/mixed;boundary=b')[0]?.body.toString()).toBe('x --b\r\n--bc')
})

test('an empty part, and one of header fields alone, are parts', () => {
  const parts = readMultipart(crlf('--b\n\n--b\nX-A: 1\n--b\nX-B: 2\n folded\n\n--b--'), 'multipart/mixed; boundary=b')
  expect(parts.map(({ headers, body }) => [[...headers], body.length])).toEqual([
    [[], 0],
    [[['x-a', '1']], 0],
    [[['x-b', '2 folded']], 0],
  ])
})

test('cut anywhere before its closing delimiter it is malformed', () => {
  const end = rfc2046.indexOf('--simple boundary--') + '--simple boundary--'.length
  for (let length = 0; length < end; length++) {
    expect(() => readMultipart(rfc2046.subarray(0, length), rfc2046Type), `cut at ${length}`).toThrow(MalformedMime)
  }
})

test('without a boundary, or with more parts or header bytes than allowed, it is malformed', () => {
  expect(() => readMultipart(rfc2046, 'multipart/mixed')).toThrow('no boundary')
  expect(() => readMultipart(rfc2046, rfc2046Type, { parts: 1, headerBytes: 1000 })).toThrow('too many parts')
  expect(() => readMultipart(rfc2046, rfc2046Type, { parts: 9, headerBytes: 10 })).toThrow('too long')
})

test('any bytes written as parts are read back', () => {
  const parts = fc.array(
    fc.uint8Array().map((body) => ({ headers: new Map([['content-type', 'a/b']]), body: Buffer.from(body) })),
    { minLength: 1 },
  )
  const property = fc.property(parts, (written) => {
    expect(
      readMultipart(writeMultipart(written, 'unlikely-Boundary_1'), 'multipart/mixed; boundary=unlikely-Boundary_1'),
    ).toEqual(written)
  })
  fc.assert(property, { numRuns: 500 })
})

test('mutated multiparts are read or malformed', () => {
  const mutation = fc.tuple(fc.nat(rfc2046.length - 1), fc.nat(255))
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 8 }), (mutations) => {
      const bytes = Buffer.from(rfc2046)
      for (const [at, byte] of mutations) bytes[at] = byte
      try {
        readMultipart(bytes, rfc2046Type)
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedMime)
      }
    }),
    { numRuns: 3000 },
  )
})

test('many near-delimiters cost no more than their bytes', () => {
  const body = Buffer.from('\n--boundaryX'.repeat(20_000))
  expect(() => readMultipart(body, 'multipart/mixed; boundary=boundary')).toThrow(MalformedMime)
})

test('media types are compared without case and parameters', () => {
  expect(mediaType(' Message/CPIM ; charset=utf-8')).toBe('message/cpim')
  const { type, params } = readContentType('multipart/Mixed; a="x;y\\"z"; Boundary=b1; boundary=b2')
  expect(type).toBe('multipart/mixed')
  expect([...params]).toEqual([
    ['a', 'x;y"z'],
    ['boundary', 'b1'],
  ])
})

test('deflate with and without its head, and gzip, are taken off', () => {
  const plain = Buffer.from('hello '.repeat(50))
  expect(decodeContent(deflateSync(plain), 'deflate', 1000)).toEqual(plain)
  expect(decodeContent(deflateRawSync(plain), 'Deflate', 1000)).toEqual(plain)
  expect(decodeContent(gzipSync(plain), 'gzip', 1000)).toEqual(plain)
  expect(decodeContent(gzipSync(deflateSync(plain)), 'deflate, gzip', 1000)).toEqual(plain)
  expect(decodeContent(plain, undefined, 1)).toBe(plain)
})

test('a bomb, another format and an unknown encoding are malformed', () => {
  const bomb = deflateSync(Buffer.alloc(10_000_000))
  expect(() => decodeContent(bomb, 'deflate', 100_000)).toThrow(MalformedMime)
  expect(() => decodeContent(gzipSync(bomb), 'deflate, gzip', 100_000)).toThrow(MalformedMime)
  expect(() => decodeContent(Buffer.from('plain'), 'gzip', 1000)).toThrow(MalformedMime)
  expect(() => decodeContent(Buffer.from('plain'), 'br', 1000)).toThrow(MalformedMime)
  expect(() => decodeContent(Buffer.from('plain'), 'gzip,gzip,gzip', 1000)).toThrow(MalformedMime)
})

test('random bytes never inflate to anything but bytes or MalformedMime', () => {
  const property = fc.property(
    fc.uint8Array({ maxLength: 200 }),
    fc.constantFrom('deflate', 'gzip'),
    (bytes, coding) => {
      try {
        expect(decodeContent(Buffer.from(bytes), coding, 10_000).length).toBeLessThanOrEqual(10_000)
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedMime)
      }
    },
  )
  fc.assert(property, { numRuns: 2000 })
})
