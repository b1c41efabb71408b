import { expect, test } from 'vitest'
import { checkRequest, checkResponse } from '../../../src/protocols/sip/check-request.ts'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'
import type { SipRequest, SipResponse } from '../../../src/protocols/sip/message.ts'
import { readMessage } from '../../../src/protocols/sip/read-message.ts'
import { reasonOf, responseTo } from '../../../src/protocols/sip/respond.ts'

const limits = { maxBytes: 0, maxHeaders: 0, maxHeaderLength: 0 }
const good = {
  start: 'MESSAGE sip:b@parley.test SIP/2.0',
  Via: 'SIP/2.0/UDP h;branch=z9hG4bK1',
  From: '<sip:a@parley.test>;tag=1',
  To: 'sip:b@parley.test',
  'Call-ID': 'a84b4c76e66710@pc33',
  CSeq: '1 MESSAGE',
}
type Fields = Readonly<Record<string, string | undefined>>
function read(change: Fields) {
  const { start, ...fields } = { ...good, ...change }
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}\r\n`],
  )
  return readMessage(Buffer.from(`${start}\r\n${lines.join('')}\r\n`, 'latin1'), limits)
}
const check = (change: Fields) => checkRequest(read(change) as SipRequest)

test('a request in order comes back read', () => {
  const { via, from, to, callId, cseq } = check({ 'Max-Forwards': '70' })
  expect([via.host, from.params.get('tag'), to.uri, callId, cseq.number]).toEqual([
    'h',
    '1',
    'sip:b@parley.test',
    'a84b4c76e66710@pc33',
    1,
  ])
})

test.each<[string, Fields]>([
  ['no Via', { Via: undefined }],
  ['no From', { From: undefined }],
  ['no To', { To: undefined }],
  ['no Call-ID', { 'Call-ID': undefined }],
  ['no CSeq', { CSeq: undefined }],
  ['two From', { f: 'sip:c' }],
  ['two To', { t: 'sip:c' }],
  ['two Call-ID', { i: '2' }],
  ['two CSeq', { cseq: '1 MESSAGE' }],
  ['two Max-Forwards', { 'Max-Forwards': '1', 'max-forwards': '1' }],
  ['CSeq of another method', { CSeq: '1 INVITE' }],
  ['CSeq of the method in lower case', { CSeq: '1 message' }],
  ['CSeq of 2^31', { CSeq: '2147483648 MESSAGE' }],
  ['CSeq without a number', { CSeq: 'MESSAGE' }],
  ['CSeq without a space', { CSeq: '1MESSAGE' }],
  ['CSeq with more', { CSeq: '1 MESSAGE 2' }],
  ['a Call-ID with a space', { 'Call-ID': 'a b' }],
  ['an empty Call-ID', { 'Call-ID': '' }],
  ['Max-Forwards of 256', { 'Max-Forwards': '256' }],
  ['Max-Forwards of -1', { 'Max-Forwards': '-1' }],
  ['a From that is no address', { From: 'alice' }],
  ['a To that is a list', { To: 'sip:a@b, sip:c@d' }],
  ['a To whose URI is malformed', { To: '<sip:a@@b>' }],
  ['a request-URI that is malformed', { start: 'MESSAGE sip:b@@c SIP/2.0' }],
  ['a request-URI with header fields', { start: 'MESSAGE sip:b@c?Route=x SIP/2.0' }],
])('%s is refused with 400, and can be answered', (_, change) => {
  const request = read(change) as SipRequest
  expect(() => checkRequest(request)).toThrow(MalformedSip)
  expect(() => checkRequest(request)).toThrow(expect.objectContaining({ status: 400, request }))
})

test.each<[string, Fields]>([
  ['the largest CSeq', { CSeq: '2147483647 MESSAGE' }],
  ['CSeq with leading zeros', { CSeq: '0009   MESSAGE' }],
  ['Max-Forwards with leading zeros', { 'Max-Forwards': '0068' }],
  ['a From without a tag, as in RFC 2543', { From: 'sip:a@b' }],
  ['a request-URI of a scheme that nobody knows', { start: 'MESSAGE isbn:2983792873 SIP/2.0' }],
  ['several Via', { v: 'SIP/2.0/TCP i' }],
])('%s is in order', (_, change) => {
  expect(check(change).via.host).toBe('h')
})

test('a response is checked likewise', () => {
  expect(checkResponse(read({ start: 'SIP/2.0 200 OK' }) as SipResponse).cseq.method).toBe('MESSAGE')
  expect(() => checkResponse(read({ start: 'SIP/2.0 200 OK', CSeq: undefined }) as SipResponse)).toThrow(MalformedSip)
})

test('a response has the header fields of its request, and a tag where there was none', () => {
  const request = read({ v: 'SIP/2.0/TCP i', Timestamp: '54' }) as SipRequest
  const response = responseTo(request, 404, { toTag: 'x', headers: [['Warning', 'w']], body: Buffer.from('b') })
  expect([response.status, response.reason, response.body.toString()]).toEqual([404, 'Not Found', 'b'])
  expect(response.headers.toText()).toBe(
    'Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nVia: SIP/2.0/TCP i\r\nFrom: <sip:a@parley.test>;tag=1\r\n' +
      'To: sip:b@parley.test;tag=x\r\nCall-ID: a84b4c76e66710@pc33\r\nCSeq: 1 MESSAGE\r\nWarning: w\r\n',
  )
  expect(responseTo(request, 100, { toTag: 'x' }).headers.get('timestamp')).toBe('54')
  expect(responseTo(request, 100, { toTag: 'x' }).headers.get('to')).toBe('sip:b@parley.test')
  const tagged = read({ To: '"tag=" <sip:b;tag=1> ; Tag=2' }) as SipRequest
  expect(responseTo(tagged, 200, { toTag: 'x' }).headers.get('to')).toBe('"tag=" <sip:b;tag=1> ; Tag=2')
  const inUri = read({ To: '<sip:b@c;tag=1>' }) as SipRequest
  expect(responseTo(inUri, 200, { toTag: 'x' }).headers.get('to')).toBe('<sip:b@c;tag=1>;tag=x')
})

test('a request that lacks nearly everything can be answered', () => {
  const request = read({ From: undefined, To: undefined, 'Call-ID': undefined }) as SipRequest
  expect(responseTo(request, 400, { toTag: 'x' }).headers.toText()).toBe(
    'Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nCSeq: 1 MESSAGE\r\n',
  )
})

test('a status without a phrase of its own has that of its class', () => {
  expect([202, 299, 499, 699, 800].map(reasonOf)).toEqual([
    'Accepted',
    'OK',
    'Bad Request',
    'Busy Everywhere',
    'Unknown',
  ])
})
