import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Cpim, cpimHeader, readCpim, writeCpim } from '../../../src/protocols/cpim/cpim.ts'
import { MalformedCpim } from '../../../src/protocols/cpim/malformed-cpim.ts'

const crlf = (text: string) => Buffer.from(text.replace(/\n/g, '\r\n'))

/** RFC 3862 §5.1. */
const rfc3862 = crlf(`From: MR SANDERS <im:piglet@100akerwood.com>
To: Depressed Donkey <im:eeyore@100akerwood.com>
DateTime: 2000-12-13T13:40:00-08:00
Subject: the weather will be fine today
Subject:;lang=fr beau temps prevu pour aujourd'hui
NS: MyFeatures <mid:MessageFeatures@id.foo.com>
Require: MyFeatures.VitalMessageOption
MyFeatures.VitalMessageOption: Confirmation-requested
MyFeatures.WackyMessageOption: Use-silly-font

Content-type: text/xml; charset=utf-8
Content-ID: <1234567890@foo.com>

<body>
Here is the text of my message.
</body>`)

/** RFC 5438 §7.1.2: a message that asks for notifications. */
const rfc5438 = crlf(`From: Alice <im:alice@example.com>
To: Bob <im:bob@example.com>
NS: imdn <urn:ietf:params:imdn>
imdn.Message-ID: 34jk324j
DateTime: 2006-04-04T12:16:49-05:00
imdn.Disposition-Notification: positive-delivery, negative-delivery

Content-type: text/plain
Content-length: 12

Hello World
`)

test('the example of RFC 3862 §5.1 is read', () => {
  const message = readCpim(rfc3862)
  expect(cpimHeader(message, 'From')).toBe('MR SANDERS <im:piglet@100akerwood.com>')
  expect(cpimHeader(message, 'Subject')).toBe('the weather will be fine today')
  expect(message.headers.filter(({ name }) => name === 'Subject')[1]?.value).toBe(
    ";lang=fr beau temps prevu pour aujourd'hui",
  )
  expect(cpimHeader(message, 'WackyMessageOption', 'mid:MessageFeatures@id.foo.com')).toBe('Use-silly-font')
  expect(message.content.get('content-id')).toBe('<1234567890@foo.com>')
  expect(message.body.toString()).toBe('<body>\r\nHere is the text of my message.\r\n</body>')
})

test('the header fields of RFC 5438 are found by their namespace, whatever the prefix', () => {
  for (const prefix of ['imdn', 'x']) {
    const bytes = Buffer.from(rfc5438.toString().replace('NS: imdn', `NS: ${prefix}`).replaceAll('imdn.', `${prefix}.`))
    const message = readCpim(bytes)
    expect(cpimHeader(message, 'Message-ID', 'urn:ietf:params:imdn')).toBe('34jk324j')
    expect(cpimHeader(message, 'Disposition-Notification', 'urn:ietf:params:imdn')).toContain('negative-delivery')
  }
})

test('a prefix that was not declared names nothing known', () => {
  const message = readCpim(crlf('imdn.Message-ID: 1\n\nContent-Type: text/plain\n\nx'))
  expect(cpimHeader(message, 'Message-ID', 'urn:ietf:params:imdn')).toBeUndefined()
  expect(cpimHeader(message, 'Message-ID')).toBeUndefined()
})

test('escapes of RFC 3862 §2.2 stand for their characters', () => {
  const message = readCpim(crlf('Subject: a\\u0041\\t\\\\\\"b\n\nContent-Type: text/plain\n\n'))
  expect(cpimHeader(message, 'Subject')).toBe('aA\t\\"b')
})

test('a body of any bytes stays as it is', () => {
  const body = Buffer.from([0, 255, 13, 10, 13, 10, 200])
  expect(readCpim(Buffer.concat([crlf('From: <im:a@b>\n\nContent-Type: a/b\n\n'), body])).body).toEqual(body)
})

test('cut anywhere in its header fields it is malformed, never anything else', () => {
  for (const bytes of [rfc3862, rfc5438]) {
    const bodyFrom = bytes.indexOf('\r\n\r\n', bytes.indexOf('\r\n\r\n') + 4) + 4
    for (let length = 0; length < bodyFrom; length++) {
      expect(() => readCpim(bytes.subarray(0, length)), `cut at ${length}`).toThrow(MalformedCpim)
    }
    for (let length = bodyFrom; length <= bytes.length; length++) readCpim(bytes.subarray(0, length))
  }
})

test('more header fields, or longer ones, than the limits allow are refused', () => {
  expect(() => readCpim(rfc3862, { headers: 3, headerBytes: 10_000 })).toThrow('too many')
  expect(() => readCpim(rfc3862, { headers: 64, headerBytes: 50 })).toThrow('too long')
})

test('what is written is read back', () => {
  const text = fc.string({ unit: 'grapheme' }).map((value) => value.trim())
  const property = fc.property(text, text, fc.uint8Array(), (subject, id, body) => {
    const message: Cpim = {
      headers: [
        { namespace: '', name: 'Subject', value: subject },
        { namespace: 'urn:ietf:params:imdn', name: 'Message-ID', value: id },
      ],
      content: new Map([['content-type', 'text/plain']]),
      body: Buffer.from(body),
    }
    expect(readCpim(writeCpim(message, new Map([['urn:ietf:params:imdn', 'imdn']])))).toEqual(message)
  })
  fc.assert(property, { numRuns: 500 })
})

test('random bytes and mutated examples are read or malformed', () => {
  const reads = (bytes: Buffer) => {
    try {
      readCpim(bytes)
    } catch (error) {
      expect(error).toBeInstanceOf(MalformedCpim)
    }
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => reads(Buffer.from(bytes))),
    { numRuns: 2000 },
  )
  const mutation = fc.tuple(fc.nat(rfc3862.length - 1), fc.nat(255))
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 8 }), (mutations) => {
      const bytes = Buffer.from(rfc3862)
      for (const [at, byte] of mutations) bytes[at] = byte
      reads(bytes)
    }),
    { numRuns: 3000 },
  )
})
