import { expect, test } from 'vitest'
import type { FrameHead } from '../../../src/protocols/msrp/frame.ts'
import { FrameReader } from '../../../src/protocols/msrp/frame-reader.ts'
import { MalformedMsrp } from '../../../src/protocols/msrp/malformed-msrp.ts'
import { crlf, type Frame, limits, readFrames } from './frames.ts'
import { examples } from './rfc4975.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')
const frameOf = (text: string) => readFrames(bytes(text))[0] as Frame
const send = (body: string, transactionId = 'abcd', flag = '$') =>
  `MSRP ${transactionId} SEND\r\nTo-Path: msrp://b/1;tcp\r\nFrom-Path: msrp://a/2;tcp\r\nMessage-ID: m\r\n\r\n${body}\r\n-------${transactionId}${flag}\r\n`

test('a request is read with its paths, fields and body', () => {
  const { head, body, flag } = frameOf(examples['§11.1 a basic message'])
  expect(head.transactionId).toBe('d93kswow')
  expect(head.method).toBe('SEND')
  expect(head.toPath).toBe('msrp://bob.example.com:8888/9di4eae923wzd;tcp')
  expect(head.fromPath).toBe('msrp://alicepc.example.com:7777/iau39soe2843z;tcp')
  expect(head.field('message-id')).toBe('12339sdqwer')
  expect(head.field('byte-range')).toBe('1-16/16')
  expect(head.field('content-type')).toBe('text/plain')
  expect(head.field('content-typ')).toBeUndefined()
  expect(head.hasBody).toBe(true)
  expect(body.toString()).toBe("Hi, I'm Alice!")
  expect(flag).toBe('$')
})

test('a response is read', () => {
  const { head, body } = frameOf(examples['§11.1 its response'])
  expect([head.method, head.status, head.comment, head.hasBody, body.length]).toEqual(['', 200, 'OK', false, 0])
})

test('a report is read', () => {
  const { head } = frameOf(examples['§11.4 the report'])
  expect([head.method, head.field('status')]).toEqual(['REPORT', '000 200 OK'])
})

test.each(Object.entries(examples))('%s is read alike wherever it is cut', (_, text) => {
  const whole = readFrames(bytes(text))
  expect(whole).toHaveLength(1)
  for (let at = 1; at < text.length; at++) {
    expect(readFrames(bytes(text.slice(0, at)), bytes(text.slice(at)))).toEqual(whole)
  }
  expect(readFrames(...[...text].map(bytes))).toEqual(whole)
})

test('frames one after another are read alike wherever two cuts are made', () => {
  const text = crlf(examples['§5.1 the range end is not known'], send('', 'wxyz'), send('x\r\n-------wxy$\r\n', 'wxyz'))
  const whole = readFrames(bytes(text))
  expect(whole).toHaveLength(3)
  for (let first = 1; first < text.length; first += 3) {
    for (let second = first; second < text.length; second += 5) {
      const pieces = [text.slice(0, first), text.slice(first, second), text.slice(second)]
      expect(readFrames(...pieces.map(bytes))).toEqual(whole)
    }
  }
})

test.each(['$', '+', '#'])('an end-line may carry %s', (flag) => {
  expect(frameOf(send('hello', 'abcd', flag)).flag).toBe(flag)
})

test.each([
  '\r\n-------abcd',
  '\r\n-------abcd!\r\n',
  '\r\n-------abcd$\r',
  '\r\n-------abcd$\r\r\n',
  '\r\n-------abcde$\r\n',
  '\r\n-------ABCD$\r\n',
  '\r\n------abcd$\r\n',
  'text -------abcd$\r\n',
  '\r\r\n\r\n-------abc',
  '\r\n-------other+\r\n',
  '\r',
  '\r\n',
])('%j in a body is body', (part) => {
  for (const body of [part, `before${part}`, `${part}after`, `${part}${part}`]) {
    const text = send(body)
    for (let at = 0; at <= text.length; at++) {
      const frames = readFrames(bytes(text.slice(0, at)), bytes(text.slice(at)))
      expect(frames.map((frame) => frame.body.toString('latin1'))).toEqual([body])
    }
  }
})

test('an end-line with the transaction id of the frame ends it, wherever it stands', () => {
  const reader = new FrameReader(limits)
  const text = bytes(send('one\r\n-------abcd$\r\ntwo'))
  expect(() => [...reader.read(text)]).toThrow(MalformedMsrp)
})

test('a body may be empty, with its CRLF or without', () => {
  const text = send('')
  expect(frameOf(text).body).toHaveLength(0)
  expect(frameOf(text.replace('\r\n\r\n\r\n', '\r\n\r\n')).body).toHaveLength(0)
})

test('empty lines between frames are passed over', () => {
  expect(readFrames(bytes(`\r\n${send('a')}\r\n\r\n${send('b')}`))).toHaveLength(2)
})

test('all 256 bytes pass in head and body', () => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, at) => at))
  const text = Buffer.concat([bytes(send('').slice(0, -16)), all, bytes('\r\n-------abcd$\r\n')])
  expect(readFrames(text)[0]?.body).toEqual(all)
  const odd = send('x').replace('Message-ID: m', 'Subject: gr\xc3\xbc\xc3\x9fe')
  expect(frameOf(odd).head.field('subject')).toBe('gr\xc3\xbc\xc3\x9fe')
})

test('a body comes in pieces that point into what was read, before its end is there', () => {
  const reader = new FrameReader(limits)
  const text = bytes(send('x'.repeat(1000)))
  const cut = text.subarray(0, 600)
  const pieces = [...reader.read(cut)]
  expect(pieces.map((piece) => piece.type)).toEqual(['head', 'body'])
  expect(pieces[1]?.type === 'body' && pieces[1].bytes.buffer === cut.buffer).toBe(true)
  expect([...reader.read(text.subarray(600))].map((piece) => piece.type)).toEqual(['body', 'end'])
  expect(reader.idle).toBe(true)
})

test.each([
  'GET / HTTP/1.1\r\n\r\n',
  'MSRP/2.0 abcd SEND\r\n\r\n',
  'MSRP abcd send\r\nTo-Path: msrp://b/1;tcp\r\nFrom-Path: msrp://a/2;tcp\r\n-------abcd$\r\n',
  'MSRP abcd 20\r\nTo-Path: msrp://b/1;tcp\r\nFrom-Path: msrp://a/2;tcp\r\n-------abcd$\r\n',
  'MSRP ab/cd SEND\r\nTo-Path: msrp://b/1;tcp\r\nFrom-Path: msrp://a/2;tcp\r\n-------ab/cd$\r\n',
  'MSRP abcd SEND\r\nTo-Path: msrp://b/1;tcp\r\n-------abcd$\r\n',
  'MSRP abcd SEND\r\nTo-Path: msrp://b/1;tcp\r\nFrom-Path: msrp://a/2;tcp\r\n-------abce$\r\n',
  'MSRP abcd SEND\r\nTo-Path: msrp://b/1;tcp\r\nFrom-Path: msrp://a/2;tcp\r\n-------abcd\r\n',
  'MSRP abcd SEND\r\nTo-Path: msrp://b/1;tcp\r\nFrom-Path: msrp://a/2;tcp\r\n\n',
  'MSRP abcd SEND\nTo-Path: msrp://b/1;tcp\nFrom-Path: msrp://a/2;tcp\n\n',
  '\x00',
])('%j is no frame', (text) => {
  expect(() => readFrames(bytes(text))).toThrow(MalformedMsrp)
  expect(() => readFrames(...[...text].map(bytes))).toThrow(MalformedMsrp)
})

test('headers without end are refused at the limit', () => {
  const reader = new FrameReader(limits)
  const line = bytes(`X-Filler: ${'x'.repeat(100)}\r\n`)
  const flood = () => {
    for (let count = 0; count < 100; count++) for (const _ of reader.read(line)) throw new Error('nothing is complete')
  }
  for (const _ of reader.read(bytes('MSRP abcd SEND\r\n'))) throw new Error('nothing is complete')
  expect(flood).toThrow('the head is too large')
})

test('a line without end is refused at the limit, in one piece or in many', () => {
  const flood = bytes(`MSRP ${'x'.repeat(5000)}`)
  expect(() => readFrames(flood)).toThrow('the head is too large')
  expect(() => readFrames(...[...flood.toString()].map(bytes))).toThrow('the head is too large')
})

test.each([
  ['MSRP abcd SEND\r\nFrom-Path: msrp://a/2;tcp\r\nTo-Path: msrp://b/1;tcp\r\n-------abcd$\r\n', 'come first'],
  ['MSRP abcd SEND\r\nX: 1\r\nTo-Path: msrp://b/1;tcp\r\nFrom-Path: msrp://a/2;tcp\r\n-------abcd$\r\n', 'come first'],
  ['MSRP abcd SEND\r\nTo-Path: msrp://b/1;tcp\r\nFrom-Path: msrp://a/2;tcp\r\nno field\r\n-------abcd$\r\n', 'none'],
  [
    'MSRP abcd SEND\r\nTo-Path: msrp://b/1;tcp\r\nFrom-Path: msrp://a/2;tcp\r\n: x\r\n\r\nbody\r\n-------abcd$\r\n',
    'none',
  ],
])('what is wrong in %j can be answered', (text, fault) => {
  const { head } = frameOf(text) as { head: FrameHead }
  expect(head.fault).toContain(fault)
  expect([head.toPath, head.fromPath]).toEqual(['msrp://b/1;tcp', 'msrp://a/2;tcp'])
})
