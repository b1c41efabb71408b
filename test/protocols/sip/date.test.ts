import { expect, test } from 'vitest'
import { readSipDate, writeSipDate } from '../../../src/protocols/sip/date.ts'

test('the date of RFC 3261 §20.17 is written and read', () => {
  const ms = Date.UTC(2010, 10, 13, 23, 29, 0)
  expect(writeSipDate(ms)).toBe('Sat, 13 Nov 2010 23:29:00 GMT')
  expect(writeSipDate(ms + 999)).toBe('Sat, 13 Nov 2010 23:29:00 GMT')
  expect(writeSipDate(ms + 1_000)).toBe('Sat, 13 Nov 2010 23:29:01 GMT')
  expect(readSipDate('Sat, 13 Nov 2010 23:29:00 GMT')).toBe(ms)
})

test('what is not GMT, or no date, is none', () => {
  for (const text of ['Fri, 01 Jan 2010 16:00:00 EST', '2010-11-13T23:29:00Z', '', 'Sat, 99 Nov 2010 23:29:00 GMT']) {
    expect(readSipDate(text)).toBeUndefined()
  }
})
