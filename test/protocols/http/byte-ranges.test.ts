import { describe, expect, test } from 'vitest'
import { readContentRange, readRanges } from '../../../src/protocols/http/byte-ranges.ts'
import { writeAttachment } from '../../../src/protocols/http/disposition.ts'

describe('a Range of 10000 bytes', () => {
  // RFC 9110 §14.1.2 has these.
  test.each([
    ['bytes=0-499', [{ start: 0, end: 499 }]],
    ['bytes=500-999', [{ start: 500, end: 999 }]],
    ['bytes=-500', [{ start: 9500, end: 9999 }]],
    ['bytes=9500-', [{ start: 9500, end: 9999 }]],
    [
      'bytes=0-0,-1',
      [
        { start: 0, end: 0 },
        { start: 9999, end: 9999 },
      ],
    ],
    [
      'bytes= 0-999, 4500-5499, -1000',
      [
        { start: 0, end: 999 },
        { start: 4500, end: 5499 },
        { start: 9000, end: 9999 },
      ],
    ],
    ['bytes=-20000', [{ start: 0, end: 9999 }]],
    ['bytes=9000-99999', [{ start: 9000, end: 9999 }]],
    ['bytes=0-1,20000-', [{ start: 0, end: 1 }]],
  ])('%s', (value, ranges) => {
    expect(readRanges(value, 10_000)).toEqual(ranges)
  })

  test.each(['bytes=10000-', 'bytes=-0', 'bytes=10000-20000,30000-'])('%s cannot be had', (value) => {
    expect(readRanges(value, 10_000)).toBe('unsatisfiable')
  })

  test.each([
    ['bytes=5-4', 'ends before it begins'],
    ['bytes=-', 'is empty'],
    ['bytes=a-b', 'has no numbers'],
    ['lines=0-1', 'is of another unit'],
    ['bytes=0-5,3-9', 'overlaps'],
    ['bytes=0-9999,0-9999', 'asks twice'],
    [`bytes=${Array.from({ length: 17 }, (_, at) => `${at * 10}-${at * 10}`).join(',')}`, 'has too many'],
    ['bytes=99999999999999999999-', 'is too long a number'],
    ['bytes=', 'is nothing'],
  ])('%s is passed over: it %s', (value) => {
    expect(readRanges(value, 10_000)).toBeUndefined()
  })

  test('of nothing cannot be had', () => {
    for (const value of ['bytes=0-', 'bytes=-5', 'bytes=0-0']) expect(readRanges(value, 0)).toBe('unsatisfiable')
  })
})

describe('a Content-Range', () => {
  test('is read', () => {
    expect(readContentRange('bytes 42-1233/1234')).toEqual({ start: 42, end: 1233, size: 1234 })
    expect(readContentRange('bytes 42-1233/*')).toEqual({ start: 42, end: 1233, size: undefined })
  })

  test.each(['bytes 42-41/100', 'bytes 0-100/100', 'bytes */100', 'bytes 0-1', '0-1/2', 'bytes -1-2/9'])(
    '%s is none',
    (value) => {
      expect(readContentRange(value)).toBeUndefined()
    },
  )
})

describe('an attachment', () => {
  test.each([
    ['photo 1.jpg', 'attachment; filename="photo 1.jpg"'],
    ['zürich.jpg', `attachment; filename="z_rich.jpg"; filename*=UTF-8''z%C3%BCrich.jpg`],
    ['a"\r\nb/..\\c', `attachment; filename="a___b_..` + `_c"; filename*=UTF-8''a%22%0D%0Ab%2F..%5Cc`],
    ['\ud800', `attachment; filename="_"; filename*=UTF-8''%EF%BF%BD`],
    ['', 'attachment'],
  ])('named %j is written so that it stays a name', (name, written) => {
    expect(writeAttachment(name)).toBe(written)
  })
})
