import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'
import { SipRequest } from '../../../src/protocols/sip/message.ts'
import { StreamReader } from '../../../src/protocols/sip/stream-reader.ts'

const limits = { maxBytes: 4_096, maxHeaders: 20, maxHeaderLength: 1_024 }

const message = (callId: string, body: string | Buffer = '', extra = '') =>
  Buffer.concat([
    Buffer.from(
      `MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/TCP h\r\nCall-ID: ${callId}\r\n${extra}l: ${body.length}\r\n\r\n`,
    ),
    Buffer.from(body),
  ])

/** What comes out, as text; a throw is told as such. */
function readAll(pieces: readonly Buffer[], chosen = limits): string[] {
  const reader = new StreamReader(chosen)
  const out: string[] = []
  try {
    for (const piece of pieces) for (const value of reader.read(piece)) out.push(told(value))
  } catch (err) {
    if (!(err instanceof MalformedSip)) throw err
    out.push(`lost ${err.status}`)
  }
  return out
}

function told(value: unknown): string {
  if (value instanceof SipRequest) return `${value.headers.get('call-id')} ${value.body.toString('latin1')}`
  if (value instanceof MalformedSip) return `refused ${value.status} ${value.request?.headers.get('call-id')}`
  return String(value)
}

test('messages, pings and pongs come out in order, wherever the stream is cut', () => {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const stream = Buffer.concat([
    message('one', 'hello'),
    Buffer.from('\r\n\r\n'),
    message('two', every),
    message('three'),
    Buffer.from('\r\n'),
    message('four', '\r\n\r\n'),
  ])
  const expected = ['one hello', 'pong', 'ping', `two ${every.toString('latin1')}`, 'three ', 'pong', 'four \r\n\r\n']
  expect(readAll([stream])).toEqual(expected)
  for (let at = 0; at <= stream.length; at++) {
    expect(readAll([stream.subarray(0, at), stream.subarray(at)])).toEqual(expected)
  }
  expect(readAll(Array.from(stream, (_, at) => stream.subarray(at, at + 1)))).toEqual(expected)
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 20 }), (cuts) => {
      const ends = [...cuts.sort((a, b) => a - b), stream.length]
      expect(readAll(ends.map((end, index) => stream.subarray(ends[index - 1] ?? 0, end)))).toEqual(expected)
    }),
  )
})

test('a message is out as soon as its last byte is in', () => {
  const reader = new StreamReader(limits)
  const bytes = message('one', 'hello')
  expect([...reader.read(bytes.subarray(0, -1))]).toEqual([])
  expect([...reader.read(bytes.subarray(-1))].map(told)).toEqual(['one hello'])
})

test('bodies stay what they were when more comes in', () => {
  const reader = new StreamReader(limits)
  const [first, second] = [message('one', 'a'.repeat(100)), message('two', 'b'.repeat(100))]
  const got = [first.subarray(0, 50), first.subarray(50), second.subarray(0, 120), second.subarray(120)]
    .flatMap((piece) => [...reader.read(piece)])
    .filter((value) => value instanceof SipRequest)
  expect(got.map((request) => request.body.toString())).toEqual(['a'.repeat(100), 'b'.repeat(100)])
})

test('a malformed message whose end is known is told, and the next one is read', () => {
  const wrong = message('wrong', 'body', 'no name\r\n')
  const expected = ['refused 400 wrong', 'next ']
  expect(readAll([Buffer.concat([wrong, message('next')])])).toEqual(expected)
  const stream = Buffer.concat([wrong, message('next')])
  expect(readAll(Array.from(stream, (_, at) => stream.subarray(at, at + 1)))).toEqual(expected)
})

test('a body that is too large is told at once and passed over', () => {
  const reader = new StreamReader(limits)
  const large = message('large', 'x'.repeat(10_000))
  expect([...reader.read(large.subarray(0, 200))].map(told)).toEqual(['refused 513 large'])
  expect(reader.pending).toBe(0)
  expect([...reader.read(large.subarray(200, 9_000))]).toEqual([])
  expect([...reader.read(Buffer.concat([large.subarray(9_000), message('next')]))].map(told)).toEqual(['next '])
})

test.each([
  ['there is no Content-Length', 'MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n\r\n', 400],
  ['Content-Length cannot be read', 'MESSAGE sip:b SIP/2.0\r\nl: ten\r\n\r\n', 400],
  ['Content-Length is beyond all measure', 'MESSAGE sip:b SIP/2.0\r\nl: 99999999999999999999\r\n\r\n', 400],
  ['there are two lengths', 'MESSAGE sip:b SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\n', 400],
  ['there are too many header fields', `MESSAGE sip:b SIP/2.0\r\n${'a: b\r\n'.repeat(30)}l: 0\r\n\r\n`, 400],
  ['the head has no end', `MESSAGE sip:b SIP/2.0\r\nSubject: ${'x'.repeat(5_000)}`, 513],
  ['it is one long line', 'x'.repeat(5_000), 513],
  ['a line feed comes by itself', '\nMESSAGE', 400],
  ['a carriage return comes by itself', '\rMESSAGE', 400],
])('the framing is lost when %s', (_, text, status) => {
  const bytes = Buffer.from(text)
  expect(readAll([bytes])).toEqual([`lost ${status}`])
  expect(readAll(Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)))).toEqual([`lost ${status}`])
})

test('a head beyond the limit comes with what was read of it', () => {
  const reader = new StreamReader(limits)
  const long = Buffer.from(`MESSAGE sip:b SIP/2.0\r\nVia: SIP/2.0/TCP h\r\nSubject: ${'x'.repeat(5_000)}`)
  let refused: unknown
  try {
    for (const _ of reader.read(long));
  } catch (err) {
    refused = err
  }
  expect(refused instanceof MalformedSip && refused.request?.headers.get('via')).toBe('SIP/2.0/TCP h')
})

test('without limits a large message is read', () => {
  const large = message('large', 'x'.repeat(300_000))
  const pieces = Array.from({ length: 50 }, (_, index) => large.subarray(index * 7_000, (index + 1) * 7_000))
  const none = { maxBytes: 0, maxHeaders: 0, maxHeaderLength: 0 }
  expect(readAll(pieces, none)[0]?.length).toBe('large '.length + 300_000)
})

test('a caller that stops half-way finds the rest at the next read', () => {
  const reader = new StreamReader(limits)
  for (const first of reader.read(Buffer.concat([message('one'), message('two'), message('three').subarray(0, 9)]))) {
    expect(told(first)).toBe('one ')
    break
  }
  expect([...reader.read(message('three').subarray(9))].map(told)).toEqual(['two ', 'three '])
})
