import { expect, test } from 'vitest'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'
import { type SipMessage, SipRequest, SipResponse, writeMessage } from '../../../src/protocols/sip/message.ts'
import { readMessage } from '../../../src/protocols/sip/read-message.ts'

const limits = { maxBytes: 65_536, maxHeaders: 100, maxHeaderLength: 8_192 }

/** A message of lines that end in CRLF, an empty line and a body. */
const message = (lines: string, body = '') =>
  Buffer.from(`${lines.trim().replaceAll('\n', '\r\n')}\r\n\r\n${body}`, 'latin1')

const read = (lines: string, body = '') => readMessage(message(lines, body), limits)

function malformed(bytes: Buffer, chosen = limits): MalformedSip {
  try {
    readMessage(bytes, chosen)
  } catch (err) {
    if (err instanceof MalformedSip) return err
    throw err
  }
  throw new Error('it was read')
}

function request(read: SipMessage): SipRequest {
  if (read instanceof SipRequest) return read
  throw new Error('not a request')
}

const invite = `
INVITE sip:bob@biloxi.com SIP/2.0
Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds
Max-Forwards: 70
To: Bob <sip:bob@biloxi.com>
From: Alice <sip:alice@atlanta.com>;tag=1928301774
Call-ID: a84b4c76e66710@pc33.atlanta.com
CSeq: 314159 INVITE
Contact: <sip:alice@pc33.atlanta.com>
Content-Type: application/sdp
Content-Length: 4`

test('the INVITE of RFC 3261 §4 is read', () => {
  const { method, uri, headers, body } = request(read(invite, 'v=0\n'))
  expect([method, uri, headers.size]).toEqual(['INVITE', 'sip:bob@biloxi.com', 9])
  expect(headers.get('from')).toBe('Alice <sip:alice@atlanta.com>;tag=1928301774')
  expect(body.toString()).toBe('v=0\n')
})

test('a response is read, its reason phrase as the bytes it was', () => {
  const response = read('SIP/2.0 486 \xd0\x97anyato\nVia: SIP/2.0/UDP a') as SipResponse
  expect(response).toBeInstanceOf(SipResponse)
  expect([response.status, response.reason]).toEqual([486, '\xd0\x97anyato'])
})

test('names are found in any case and in compact form, with white space before the colon', () => {
  const { headers } = request(read('OPTIONS sip:a SIP/2.0\nV: one\nvIA :two\nX-Own\t:   three  \ns:\nl: 0'))
  expect(headers.all('via')).toEqual(['one', 'two'])
  expect([headers.get('x-own'), headers.get('subject'), headers.get('content-length')]).toEqual(['three', '', '0'])
})

test('a folded header field becomes one line', () => {
  const { headers } = request(read('OPTIONS sip:a SIP/2.0\nSubject: I know you,\n   I walked \n\twith you  \nl: 0'))
  expect(headers.get('subject')).toBe('I know you, I walked with you')
  expect(headers.toText()).toBe('Subject: I know you, I walked with you\r\nl: 0\r\n')
})

test('a line that is folded right after its colon has the value of the next', () => {
  const { headers } = request(read('OPTIONS sip:a SIP/2.0\nTo :\n sip:b\nl: 0'))
  expect(headers.get('to')).toBe('sip:b')
})

test('empty lines before a message are passed over', () => {
  expect(readMessage(Buffer.concat([Buffer.from('\r\n\r\n'), message(invite, 'v=0\n')]), limits)).toBeInstanceOf(
    SipRequest,
  )
})

test('the body ends with Content-Length, or with the datagram where there is none', () => {
  expect(read('MESSAGE sip:a SIP/2.0\nContent-Length: 3', 'abcdef').body.toString()).toBe('abc')
  expect(read('MESSAGE sip:a SIP/2.0\nCSeq: 1', 'abcdef').body.toString()).toBe('abcdef')
  expect(read('MESSAGE sip:a SIP/2.0\nContent-Length: 0003\nl: 3', 'abcdef').body.toString()).toBe('abc')
})

test('a body of every byte value passes unchanged', () => {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const bytes = Buffer.concat([message('MESSAGE sip:a SIP/2.0\nContent-Length: 256'), every])
  const { body } = readMessage(bytes, limits)
  expect(body).toEqual(every)
  expect(readMessage(writeMessage(readMessage(bytes, limits)), limits).body).toEqual(every)
})

test('what is written is what was read', () => {
  const bytes = message(invite, 'v=0\n')
  expect(writeMessage(readMessage(bytes, limits)).toString('latin1')).toBe(bytes.toString('latin1'))
})

test.each([
  ['the body is shorter than Content-Length', 'MESSAGE sip:a SIP/2.0\nContent-Length: 7', 400],
  ['Content-Length is negative', 'MESSAGE sip:a SIP/2.0\nContent-Length: -1', 400],
  ['Content-Length is no number', 'MESSAGE sip:a SIP/2.0\nContent-Length: 1 0', 400],
  ['Content-Length is empty', 'MESSAGE sip:a SIP/2.0\nContent-Length:', 400],
  ['Content-Length comes twice and differs', 'MESSAGE sip:a SIP/2.0\nContent-Length: 1\nl: 2', 400],
  ['a header line has no colon', 'MESSAGE sip:a SIP/2.0\nFoobar roobar', 400],
  ['a header name is no token', 'MESSAGE sip:a SIP/2.0\nSub ject: x', 400],
  ['a header name is empty', 'MESSAGE sip:a SIP/2.0\n: x', 400],
  ['the first header line is folded', 'MESSAGE sip:a SIP/2.0\n Subject: x', 400],
  ['there are two spaces after the method', 'MESSAGE  sip:a SIP/2.0\nCSeq: 1', 400],
  ['there are two spaces before the version', 'MESSAGE sip:a  SIP/2.0\nCSeq: 1', 400],
  ['there is a space after the version', 'MESSAGE sip:a SIP/2.0 \nCSeq: 1', 400],
  ['there is a space in the request-URI', 'MESSAGE sip:a; b SIP/2.0\nCSeq: 1', 400],
  ['the method is no token', 'MESS@GE sip:a SIP/2.0\nCSeq: 1', 400],
  ['there is no version', 'MESSAGE sip:a\nCSeq: 1', 400],
  ['the version is another', 'MESSAGE sip:a SIP/2.1\nCSeq: 1', 505],
  ['the version is another, and more is wrong', 'MESSAGE sip:a SIP/3.0\nfoo', 505],
  ['it is HTTP', 'GET / HTTP/1.1\nHost: a', 400],
  ['a status has four digits', 'SIP/2.0 2000 OK\nCSeq: 1', 400],
  ['a status has two digits', 'SIP/2.0 20 OK\nCSeq: 1', 400],
  ['a status is beyond 699', 'SIP/2.0 700 OK\nCSeq: 1', 400],
  ['there is a NUL', 'MESSAGE sip:a SIP/2.0\nSubject: a\0b', 400],
  ['there is a NUL in the start line', 'MESSAGE sip:a\0 SIP/2.0\nSubject: b', 400],
  ['there is a carriage return alone', 'MESSAGE sip:a SIP/2.0\nSubject: a\rb', 400],
])('it is refused when %s', (_, lines, status) => {
  expect(malformed(message(lines)).status).toBe(status)
})

test('a line feed alone is refused, also when a carriage return alone makes up for it', () => {
  expect(malformed(Buffer.from('MESSAGE sip:a SIP/2.0\nCSeq: 1\r\n\r\n')).status).toBe(400)
  expect(malformed(Buffer.from('MESSAGE sip:a SIP/2.0\r\nA: 1\nB: \r2\r\n\r\n')).status).toBe(400)
  expect(malformed(Buffer.from('MESSAGE sip:a\nb SIP/2.0\r\nB: \r2\r\n\r\n')).status).toBe(400)
})

test('a version in lower case is a version', () => {
  expect(request(read('MESSAGE sip:a sip/2.0\nCSeq: 1')).uri).toBe('sip:a')
})

test('a control character is allowed behind a backslash, as in a quoted string', () => {
  expect(request(read('MESSAGE sip:a SIP/2.0\nTo: "BEL:\\\x07 NUL:\\\0" <sip:b>')).headers.get('to')).toContain('\\\0')
  expect(malformed(message('MESSAGE sip:a SIP/2.0\nTo: "\\\\\0" <sip:b>')).status).toBe(400)
})

test('limits are kept: 513 for size, 400 for the number and length of header fields', () => {
  const bytes = message('MESSAGE sip:a SIP/2.0\nA: 1\nB: 22222\nC: 3', 'body')
  expect(malformed(bytes, { ...limits, maxBytes: bytes.length - 1 }).status).toBe(513)
  expect(malformed(bytes, { ...limits, maxHeaders: 2 }).status).toBe(400)
  expect(malformed(bytes, { ...limits, maxHeaderLength: 7 }).status).toBe(400)
  const exact = { maxBytes: bytes.length, maxHeaders: 3, maxHeaderLength: 8 }
  expect(readMessage(bytes, exact)).toBeInstanceOf(SipRequest)
  expect(readMessage(bytes, { maxBytes: 0, maxHeaders: 0, maxHeaderLength: 0 })).toBeInstanceOf(SipRequest)
})

test('a refused request comes with what is needed to answer it', () => {
  const refused = malformed(message('OPTIONS  sip:a SIP/2.0\nVia: SIP/2.0/UDP h\nCall-ID: 1')).request
  expect([refused?.method, refused?.headers.get('call-id')]).toEqual(['OPTIONS', '1'])
  expect(malformed(message('OPTIONS  sip:a SIP/2.0\nCall-ID: 1')).request).toBeUndefined()
  expect(malformed(message('SIP/2.0 20 OK\nVia: SIP/2.0/UDP h')).request).toBeUndefined()
  expect(malformed(Buffer.from('OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nCSeq')).request?.headers.size).toBe(1)
})

test('nothing, and empty lines alone, are no message', () => {
  expect(malformed(Buffer.alloc(0)).request).toBeUndefined()
  expect(malformed(Buffer.from('\r\n\r\n')).request).toBeUndefined()
})

test('a body that is a slice of the datagram is not copied', () => {
  const bytes = message('MESSAGE sip:a SIP/2.0\nContent-Length: 3', 'abc')
  expect(readMessage(bytes, limits).body.buffer).toBe(bytes.buffer)
})
