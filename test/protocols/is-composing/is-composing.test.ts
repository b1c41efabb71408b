import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readIsComposing, writeIsComposing } from '../../../src/protocols/is-composing/is-composing.ts'
import { MalformedIsComposing } from '../../../src/protocols/is-composing/malformed-is-composing.ts'

/** RFC 3994 §5. */
const example = `<?xml version="1.0" encoding="UTF-8"?>
<isComposing
    xmlns="urn:ietf:params:xml:ns:im-iscomposing"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="urn:ietf:params:xml:ns:im-composing
    iscomposing.xsd">
  <state>active</state>
  <contenttype>text/plain</contenttype>
  <refresh>90</refresh>
</isComposing>`

test('the example of the RFC is read', () => {
  const read = readIsComposing(Buffer.from(example))
  expect(read).toEqual({ state: 'active', contentType: 'text/plain', refresh: 90 })
})

test('what is written is read back', () => {
  for (const status of [{ state: 'idle' }, { state: 'active', contentType: 'text/plain', refresh: 60 }] as const) {
    expect(readIsComposing(writeIsComposing(status))).toEqual(status)
  }
})

test('a state of an extension is idle, and a refresh that is no number is none', () => {
  const extended = example.replace('>active<', '>thinking<').replace('>90<', '>soon<')
  expect(readIsComposing(Buffer.from(extended))).toEqual({ state: 'idle', contentType: 'text/plain' })
})

test.each([
  ['', 'nothing'],
  ['<a/>', 'another document'],
  ['<isComposing/>', 'no state'],
  ['<isComposing><state>active', 'cut off'],
  [`<!DOCTYPE x [<!ENTITY e "active">]>${example}`, 'a DOCTYPE'],
  [example + ' '.repeat(5000), 'too large'],
])('%j is refused: %s', (text) => {
  expect(() => readIsComposing(Buffer.from(text))).toThrow(MalformedIsComposing)
})

test('whatever bytes come, they are read or refused', () => {
  const read = (bytes: Buffer) => {
    try {
      readIsComposing(bytes)
    } catch (err) {
      expect(err).toBeInstanceOf(MalformedIsComposing)
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => read(Buffer.from(bytes))))
  const spoilt = fc.tuple(fc.nat(example.length - 1), fc.string({ maxLength: 8 }))
  fc.assert(fc.property(spoilt, ([at, text]) => read(Buffer.from(example.slice(0, at) + text + example.slice(at + 3)))))
})
