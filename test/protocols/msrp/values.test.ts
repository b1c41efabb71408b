import { expect, test } from 'vitest'
import { readByteRange, writeByteRange } from '../../../src/protocols/msrp/byte-range.ts'
import { MalformedMsrp } from '../../../src/protocols/msrp/malformed-msrp.ts'
import { readMsrpUri, readPath, sameMsrpUri, sessionIdOf, writeMsrpUri } from '../../../src/protocols/msrp/msrp-uri.ts'
import { failureReportOf, readMessageFields, wantsSuccessReport } from '../../../src/protocols/msrp/send-request.ts'
import { readStatus, writeStatus } from '../../../src/protocols/msrp/status.ts'
import { writeFrameEnd, writeFrameHead, writeReport, writeResponse } from '../../../src/protocols/msrp/write-frame.ts'
import { type Frame, readFrames } from './frames.ts'
import { examples } from './rfc4975.ts'

const frameOf = (text: string) => readFrames(Buffer.from(text, 'latin1'))[0] as Frame

test.each([
  'msrp://atlanta.example.com:7654/jshA7weztas;tcp',
  'msrps://alice@atlanta.example.com:7654/jshA7we+zt=as/2;tcp',
  'msrp://[2001:db8::1]:2855/iau39;tcp',
  'msrp://192.0.2.1/iau39;ws;x=1',
  'msrps://x1y2z3.invalid:2855/98cjs;ws',
])('%s is read and written back', (text) => {
  expect(writeMsrpUri(readMsrpUri(text))).toBe(text)
})

test.each([
  '',
  'sip:alice@example.com',
  'msrp:bob.example.com:8888/9di4ea;tcp',
  'msrp://bob.example.com:8888/9di4ea',
  'msrp://bob.example.com:0/9di4ea;tcp',
  'msrp://bob.example.com:65536/9di4ea;tcp',
  'msrp:///9di4ea;tcp',
  'msrp://[::g]/9di4ea;tcp',
  'msrp://[1:2:3]/9di4ea;tcp',
  'msrp://bob.example.com/9 di4ea;tcp',
  'msrp://bob.example.com/;tcp',
  `msrp://${'b'.repeat(300)}/9di4ea;tcp`,
])('%j is no MSRP URI', (text) => {
  expect(() => readMsrpUri(text)).toThrow(MalformedMsrp)
})

test.each([
  ['msrp://host.example:8493/asfd34;tcp', 'msrp://HOST.example:8493/asfd34;TCP', true],
  ['msrp://host.example:8493/asfd34;tcp', 'MSRP://alice@host.example:8493/asfd34;tcp;x=1', true],
  ['msrp://[2001:DB8:0::1]:1/a;tcp', 'msrp://[2001:db8::1]:1/a;tcp', true],
  ['msrp://host.example:8493/asfd34;tcp', 'msrp://host.example:8493/ASFD34;tcp', false],
  ['msrp://host.example:8493/asfd34;tcp', 'msrp://host.example/asfd34;tcp', false],
  ['msrp://host.example:8493/asfd34;tcp', 'msrp://host.example:8493;tcp', false],
  ['msrp://host.example:8493/asfd34;tcp', 'msrps://host.example:8493/asfd34;tcp', false],
  ['msrp://host.example:8493/asfd34;tcp', 'msrp://host.example:8493/asfd34;ws', false],
])('%s and %s are the same: %j (RFC 4975 §6.1)', (a, b, same) => {
  expect(sameMsrpUri(readMsrpUri(a), readMsrpUri(b))).toBe(same)
})

test('a path has URIs with a space between; its session id is that of the first', () => {
  const path = 'msrp://relay.example:1/abc;tcp msrps://bob.example:2/def;tcp'
  expect(readPath(path).map((uri) => uri.sessionId)).toEqual(['abc', 'def'])
  expect(sessionIdOf(path)).toBe('abc')
  expect(sessionIdOf('msrp://relay.example;tcp')).toBeUndefined()
})

test.each([
  ['1-16/16', { start: 1, end: 16, total: 16 }],
  ['1-*/8', { start: 1, total: 8 }],
  ['5-8/*', { start: 5, end: 8 }],
  ['2049-*/*', { start: 2049 }],
  ['1-0/0', { start: 1, end: 0, total: 0 }],
])('Byte-Range %s is read and written back', (text, range) => {
  expect(readByteRange(text)).toEqual(range)
  expect(writeByteRange(range)).toBe(text)
})

test.each(['', '1-2', '0-2/2', '1-5/3', '3-1/9', '4-*/2', '-1-2/3', '1-2/3 ', '1-2/9999999999999999', 'a-b/c'])(
  'Byte-Range %j is refused',
  (text) => {
    expect(() => readByteRange(text)).toThrow(MalformedMsrp)
  },
)

test('a Status is read and written', () => {
  expect(readStatus('000 200 OK')).toEqual({ code: 200, comment: 'OK' })
  expect(readStatus('000 413')).toEqual({ code: 413, comment: '' })
  expect(writeStatus(413)).toBe('000 413 Message Too Large')
  expect(writeStatus(599)).toBe('000 599')
  for (const text of ['200 OK', '001 200 OK', '000 20', '']) expect(() => readStatus(text)).toThrow(MalformedMsrp)
})

test('reports are asked for as RFC 4975 §7.1.3 and §7.1.4 say', () => {
  const asked = frameOf(examples['§11.4 success reports asked for']).head
  expect([wantsSuccessReport(asked), failureReportOf(asked)]).toEqual([true, 'no'])
  const plain = frameOf(examples['§11.1 a basic message']).head
  expect([wantsSuccessReport(plain), failureReportOf(plain)]).toEqual([false, 'yes'])
  expect(readMessageFields(plain)).toEqual({ messageId: '12339sdqwer', range: { start: 1, end: 16, total: 16 } })
  expect(() => readMessageFields(frameOf(examples['§11.1 its response']).head)).toThrow(MalformedMsrp)
})

test.each(Object.entries(examples))('%s is written back as it was', (_, text) => {
  const { head, body, flag } = frameOf(text)
  const { transactionId, method, toPath, fromPath, fields, hasBody } = head
  if (method === '') {
    expect(writeResponse(transactionId, head.status, toPath, fromPath)).toBe(text)
    return
  }
  const written = writeFrameHead({ method, transactionId, toPath, fromPath, fields, hasBody })
  expect(written + body.toString('latin1') + writeFrameEnd(transactionId, flag, hasBody)).toBe(text)
})

test('a report is built', () => {
  const range = { start: 1, end: 106, total: 106 }
  const { head } = frameOf(examples['§11.4 the report'])
  expect(
    writeReport(head.transactionId, head.toPath, head.fromPath, { messageId: '12339sdqwer', range, status: 200 }),
  ).toBe(examples['§11.4 the report'])
})
