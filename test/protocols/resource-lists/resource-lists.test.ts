import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MalformedResourceList } from '../../../src/protocols/resource-lists/malformed-resource-list.ts'
import { readResourceLists, writeResourceLists } from '../../../src/protocols/resource-lists/resource-lists.ts'

/** RFC 5365 §9 (figure 2). */
const rfc5365 = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>
<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"
          xmlns:cp="urn:ietf:params:xml:ns:copyControl">
  <list>
    <entry uri="sip:bill@example.com" cp:copyControl="to" />
    <entry uri="sip:randy@example.net" cp:copyControl="to"
                                       cp:anonymize="true"/>
    <entry uri="sip:eddy@example.com" cp:copyControl="to"
                                      cp:anonymize="true"/>
    <entry uri="sip:joe@example.org" cp:copyControl="cc" />
    <entry uri="sip:carol@example.net" cp:copyControl="cc"
                                       cp:anonymize="true"/>
    <entry uri="sip:ted@example.net" cp:copyControl="bcc" />
    <entry uri="sip:andy@example.com" cp:copyControl="bcc" />
  </list>
</resource-lists>`)

/** After RFC 4826 §3.3: nested lists, display names. */
const nested = Buffer.from(`<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">
  <list name="friends"><display-name>Friends</display-name>
    <entry uri="sip:bill@example.com"><display-name>Bill Doe</display-name></entry>
    <list name="close-friends">
      <display-name>Close Friends</display-name>
      <entry uri="sip:joe@example.com"><display-name>Joe Smith</display-name></entry>
    </list>
    <entry uri="sip:nancy@example.com"/>
  </list>
  <list><entry uri="tel:+15550001"/></list>
</resource-lists>`)

test('the example of RFC 5365 §9 is read', () => {
  const recipients = readResourceLists(rfc5365)
  expect(recipients).toHaveLength(7)
  expect(recipients[1]).toEqual({ uri: 'sip:randy@example.net', copyControl: 'to', anonymize: true })
  expect(recipients[6]).toEqual({ uri: 'sip:andy@example.com', copyControl: 'bcc', anonymize: false })
})

test('entries of nested lists stand where their list stands', () => {
  expect(readResourceLists(nested).map(({ uri }) => uri)).toEqual([
    'sip:bill@example.com',
    'sip:joe@example.com',
    'sip:nancy@example.com',
    'tel:+15550001',
  ])
})

test('lists elsewhere are not followed', () => {
  for (const element of ['<external anchor="http://x.example/"/>', '<entry-ref ref="users/bill"/>']) {
    const text = nested.toString().replace('<entry uri="sip:nancy@example.com"/>', element)
    expect(() => readResourceLists(Buffer.from(text))).toThrow('not followed')
  }
})

test('a DOCTYPE, nesting, entries and bytes beyond the limits are refused', () => {
  const limits = { bytes: 65_536, depth: 3, entries: 100 }
  const lists = (depth: number) =>
    Buffer.from(
      `<resource-lists>${'<list>'.repeat(depth)}<entry uri="sip:a@b"/>${'</list>'.repeat(depth)}</resource-lists>`,
    )
  expect(readResourceLists(lists(3), limits)).toHaveLength(1)
  expect(() => readResourceLists(lists(4), limits)).toThrow(MalformedResourceList)
  expect(() => readResourceLists(lists(200), limits)).toThrow(MalformedResourceList)
  const many = `<resource-lists><list>${'<entry uri="sip:a@b"/>'.repeat(101)}</list></resource-lists>`
  expect(() => readResourceLists(Buffer.from(many), limits)).toThrow('too many')
  expect(() => readResourceLists(Buffer.alloc(70_000, 32), limits)).toThrow('too large')
  const bomb = `<!DOCTYPE lolz [<!ENTITY lol "lol">]>${nested}`
  expect(() => readResourceLists(Buffer.from(bomb))).toThrow('DOCTYPE')
})

test('cut anywhere it is malformed', () => {
  for (let length = 0; length < nested.length; length++) {
    expect(() => readResourceLists(nested.subarray(0, length)), `cut at ${length}`).toThrow(MalformedResourceList)
  }
})

test('what is written is read back', () => {
  const recipient = fc.record({
    uri: fc
      .string({ unit: fc.constantFrom('a', '@', '&', '"', '<', '>', "'", 'é', ';', '%'), minLength: 1 })
      .map((rest) => `sip:${rest}`),
    copyControl: fc.constantFrom('to' as const, 'cc' as const, 'bcc' as const),
    anonymize: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(recipient, { minLength: 1 }), (recipients) => {
      expect(readResourceLists(writeResourceLists(recipients))).toEqual(recipients)
    }),
    { numRuns: 300 },
  )
})

test('random bytes and mutated examples are read or malformed', () => {
  const reads = (bytes: Buffer) => {
    try {
      readResourceLists(bytes)
    } catch (error) {
      expect(error).toBeInstanceOf(MalformedResourceList)
    }
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => reads(Buffer.from(bytes))),
    { numRuns: 1000 },
  )
  const mutation = fc.tuple(fc.nat(nested.length - 1), fc.nat(255))
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
      const bytes = Buffer.from(nested)
      for (const [at, byte] of mutations) bytes[at] = byte
      reads(bytes)
    }),
    { numRuns: 3000 },
  )
})
