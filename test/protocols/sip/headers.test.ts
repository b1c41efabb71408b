import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalName, seenNames } from '../../../src/protocols/sip/header-names.ts'
import { Headers } from '../../../src/protocols/sip/headers.ts'
import { SipRequest, writeMessage } from '../../../src/protocols/sip/message.ts'
import { readMessage } from '../../../src/protocols/sip/read-message.ts'

const limits = { maxBytes: 0, maxHeaders: 0, maxHeaderLength: 0 }
const text = 'MESSAGE sip:b SIP/2.0\r\nVia: one\r\nVia: two\r\nRoute: r\r\nFrom: f\r\nOwn: 1\r\nOwn: 2\r\nl: 0\r\n\r\n'
const read = () => readMessage(Buffer.from(text), limits).headers

test('a relay takes lines out, puts one on top, and leaves the others as they came', () => {
  const headers = read()
    .without(new Set(['route', 'content-length']))
    .prepend('Via', 'zero')
  expect(headers.toText()).toBe('Via: zero\r\nVia: one\r\nVia: two\r\nFrom: f\r\nOwn: 1\r\nOwn: 2\r\n')
})

test('a copy goes its own way', () => {
  const original = read()
  const copy = original.clone().set('Own', '3').removeFirst('via')
  expect(original.all('own')).toEqual(['1', '2'])
  expect(copy.toText()).toBe('Via: two\r\nRoute: r\r\nFrom: f\r\nOwn: 3\r\nl: 0\r\n')
})

test('lines are replaced, added and removed by name', () => {
  const headers = read()
  headers.setFirst('own', 'one').setFirst('absent', 'x').add('T', 'you').set('Subject', 'hello').remove('via')
  expect(headers.toText()).toBe('Route: r\r\nFrom: f\r\nOwn: one\r\nOwn: 2\r\nl: 0\r\nT: you\r\nSubject: hello\r\n')
  expect([headers.get('to'), headers.has('via'), headers.size]).toEqual(['you', false, 7])
  expect([...headers.entries()][5]).toEqual(['to', 'T', 'you'])
})

test('Content-Length is written for the body there is', () => {
  const headers = new Headers([['Content-Length', '99']])
  expect(writeMessage(new SipRequest('MESSAGE', 'sip:b', headers, Buffer.from('four'))).toString()).toBe(
    'MESSAGE sip:b SIP/2.0\r\nContent-Length: 4\r\n\r\nfour',
  )
})

const token = fc.string({ unit: fc.constantFrom(..."abcXYZ019-.!%*_+`'~"), minLength: 1, maxLength: 12 })
const value = fc
  .string({
    unit: fc
      .integer({ min: 32, max: 255 })
      .filter((code) => code !== 127)
      .map((code) => String.fromCharCode(code)),
  })
  .map((text) => text.replace(/^ +| +$/g, ''))
const lines = fc
  .array(fc.tuple(token, value))
  .filter((all) => all.every(([name]) => canonicalName(name) !== 'content-length'))

test('any header fields and any body come back as they were written', () => {
  fc.assert(
    fc.property(lines, fc.uint8Array({ maxLength: 300 }), (fields, bytes) => {
      const body = Buffer.from(bytes)
      const back = readMessage(writeMessage(new SipRequest('MESSAGE', 'sip:b', new Headers(fields), body)), limits)
      const got = [...back.headers.entries()].map(([, written, value]) => [written, value])
      expect(got).toEqual([...fields, ['Content-Length', String(body.length)]])
      expect(back.body).toEqual(body)
    }),
  )
})

test('names that strangers invent are not kept without end', () => {
  for (let number = 0; number < 5_000; number++) canonicalName(`X-Invented-${number}`)
  expect(seenNames()).toBeLessThanOrEqual(1_024)
  expect(canonicalName('constructor')).toBe('constructor')
  expect(canonicalName('__proto__')).toBe('__proto__')
})
