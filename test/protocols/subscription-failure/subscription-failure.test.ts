import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MalformedMime } from '../../../src/protocols/mime/malformed-mime.ts'
import { MalformedSubscriptionFailure } from '../../../src/protocols/subscription-failure/malformed-subscription-failure.ts'
import {
  readSubscriptionFailure,
  subscriptionFailureType,
  writeSubscriptionFailure,
} from '../../../src/protocols/subscription-failure/subscription-failure.ts'

const failure = {
  package: 'presence',
  resource: 'sip:a&b@parley.test;x=<y>',
  status: 408,
  answered: false,
  at: Date.parse('2026-11-22T10:00:00Z'),
}

test('what is written is read again, with its text and alone', () => {
  const { contentType, content } = writeSubscriptionFailure(failure)
  expect(readSubscriptionFailure(contentType, content)).toEqual(failure)
  const xml = content.subarray(content.indexOf('<?xml'), content.lastIndexOf('\r\n--'))
  expect(readSubscriptionFailure(`${subscriptionFailureType};charset=utf-8`, xml)).toEqual(failure)
})

test('another body is none of its business', () => {
  expect(readSubscriptionFailure('text/plain', Buffer.from('hello'))).toBeUndefined()
  const other = Buffer.from('--a\r\nContent-Type: text/plain\r\n\r\nhello\r\n--a--\r\n')
  expect(readSubscriptionFailure('multipart/mixed;boundary=a', other)).toBeUndefined()
})

test.each([
  ['another element', '<other xmlns="urn:parley:subscription-failure"/>'],
  ['another namespace', '<subscription-failure/>'],
  [
    'a part is missing',
    '<subscription-failure xmlns="urn:parley:subscription-failure"><event>reg</event></subscription-failure>',
  ],
  ['no XML', 'hello'],
  ['a document type', '<!DOCTYPE a><a/>'],
])('%s is refused', (_, xml) => {
  expect(() => readSubscriptionFailure(subscriptionFailureType, Buffer.from(xml))).toThrow(MalformedSubscriptionFailure)
})

test('cut anywhere, and with anything in it, it is read or refused', () => {
  const { contentType, content } = writeSubscriptionFailure(failure)
  const readOrRefused = (bytes: Buffer) => {
    try {
      readSubscriptionFailure(contentType, bytes)
    } catch (err) {
      expect(err instanceof MalformedSubscriptionFailure || err instanceof MalformedMime).toBe(true)
    }
  }
  for (let end = 0; end < content.length; end++) readOrRefused(content.subarray(0, end))
  fc.assert(
    fc.property(fc.nat(content.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const spoilt = Buffer.from(content)
      spoilt[at] = byte
      readOrRefused(spoilt)
    }),
    { numRuns: 500 },
  )
})
