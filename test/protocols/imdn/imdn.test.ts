import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Imdn, readImdn, writeImdn } from '../../../src/protocols/imdn/imdn.ts'
import { MalformedImdn } from '../../../src/protocols/imdn/malformed-imdn.ts'

/** RFC 5438 §7.2.1.1. */
const deliveryExample = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>
<imdn xmlns="urn:ietf:params:xml:ns:imdn">
 <message-id>34jk324j</message-id>
 <datetime>2008-04-04T12:16:49-05:00</datetime>
 <recipient-uri>im:bob@example.com</recipient-uri>
 <original-recipient-uri>im:bob@example.com</original-recipient-uri>
 <delivery-notification>
  <status>
   <delivered/>
  </status>
 </delivery-notification>
</imdn>
`)

/** RFC 5438 §7.2.1.3. */
const displayExample = Buffer.from(
  deliveryExample
    .toString()
    .replaceAll('delivery-notification', 'display-notification')
    .replace('delivered', 'displayed'),
)

/** As Linphone writes it: prefixes of its own choice, and elements from other namespaces. */
const prefixed = Buffer.from(`<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<imdn:imdn xmlns:imdn="urn:ietf:params:xml:ns:imdn" xmlns:imdn-extension="http://www.linphone.org/xsds/imdn.xsd">
  <imdn:message-id>aBc~1</imdn:message-id><imdn:datetime>2024-01-01T00:00:00Z</imdn:datetime>
  <imdn:delivery-notification><imdn:status><imdn:error/><imdn-extension:reason code="488">x</imdn-extension:reason></imdn:status></imdn:delivery-notification>
</imdn:imdn>`)

test('the examples of RFC 5438 §7.2.1 are read', () => {
  expect(readImdn(deliveryExample)).toEqual({
    messageId: '34jk324j',
    datetime: '2008-04-04T12:16:49-05:00',
    recipientUri: 'im:bob@example.com',
    originalRecipientUri: 'im:bob@example.com',
    disposition: { kind: 'delivery', status: 'delivered' },
  })
  expect(readImdn(displayExample).disposition).toEqual({ kind: 'display', status: 'displayed' })
})

test('any prefix and foreign elements are no obstacle', () => {
  expect(readImdn(prefixed)).toMatchObject({ messageId: 'aBc~1', disposition: { kind: 'delivery', status: 'error' } })
})

test('a message id that looks like a number stays a string', () => {
  expect(readImdn(Buffer.from(deliveryExample.toString().replace('34jk324j', '0012.50'))).messageId).toBe('0012.50')
})

test('a DOCTYPE is refused, with whatever entities it declares', () => {
  const bomb = `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>${deliveryExample}`
  expect(() => readImdn(Buffer.from(bomb))).toThrow('DOCTYPE')
})

test('too large, nested too deep, or without what makes it a notification, it is malformed', () => {
  expect(() => readImdn(deliveryExample, { bytes: 100 })).toThrow(MalformedImdn)
  const deep = `<imdn>${'<a>'.repeat(50)}${'</a>'.repeat(50)}</imdn>`
  expect(() => readImdn(Buffer.from(deep))).toThrow(MalformedImdn)
  for (const missing of [
    /<message-id>.*<\/message-id>/,
    /<delivered\/>/,
    /<delivery-notification>[\s\S]*<\/delivery-notification>/,
  ]) {
    expect(() => readImdn(Buffer.from(deliveryExample.toString().replace(missing, '')))).toThrow(MalformedImdn)
  }
})

test('names of things that every object has are no elements', () => {
  for (const name of ['__proto__', 'constructor', 'toString']) {
    const text = deliveryExample.toString().replace('<delivered/>', `<${name}/>`)
    expect(() => readImdn(Buffer.from(text))).toThrow(MalformedImdn)
  }
})

test('cut anywhere it is malformed', () => {
  const end = deliveryExample.toString().trimEnd().length
  for (let length = 0; length < end; length++) {
    expect(() => readImdn(deliveryExample.subarray(0, length)), `cut at ${length}`).toThrow(MalformedImdn)
  }
})

test('what is written is read back', () => {
  const id = fc.string({ unit: fc.constantFrom('a', '<', '&', '"', '>', 'é', '9'), minLength: 1 })
  const disposition = fc.constantFrom<Imdn['disposition']>(
    { kind: 'delivery', status: 'failed' },
    { kind: 'delivery', status: 'forbidden' },
    { kind: 'display', status: 'displayed' },
    { kind: 'processing', status: 'stored' },
  )
  fc.assert(
    fc.property(id, disposition, (messageId, told) => {
      const imdn: Imdn = { messageId, datetime: '2024-01-01T00:00:00Z', recipientUri: 'sip:b@x', disposition: told }
      expect(readImdn(writeImdn(imdn))).toEqual(imdn)
    }),
    { numRuns: 300 },
  )
})

test('random bytes and mutated examples are read or malformed', () => {
  const reads = (bytes: Buffer) => {
    try {
      readImdn(bytes)
    } catch (error) {
      expect(error).toBeInstanceOf(MalformedImdn)
    }
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => reads(Buffer.from(bytes))),
    { numRuns: 1000 },
  )
  const mutation = fc.tuple(fc.nat(deliveryExample.length - 1), fc.nat(255))
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
      const bytes = Buffer.from(deliveryExample)
      for (const [at, byte] of mutations) bytes[at] = byte
      reads(bytes)
    }),
    { numRuns: 3000 },
  )
})
