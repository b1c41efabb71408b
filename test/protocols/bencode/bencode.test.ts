import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Bencode, readBencode, writeBencode } from '../../../src/protocols/bencode/bencode.ts'
import { MalformedBencode } from '../../../src/protocols/bencode/malformed-bencode.ts'

const read = (text: string) => readBencode(Buffer.from(text, 'latin1'))
const write = (value: Bencode) => writeBencode(value).toString('latin1')

test('the examples of BEP 3 are read and written', () => {
  const examples: [string, Bencode][] = [
    ['4:spam', 'spam'],
    ['i3e', 3],
    ['i-3e', -3],
    ['i0e', 0],
    ['l4:spam4:eggse', ['spam', 'eggs']],
    ['d3:cow3:moo4:spam4:eggse', { cow: 'moo', spam: 'eggs' }],
    ['d4:spaml1:a1:bee', { spam: ['a', 'b'] }],
    ['0:', ''],
    ['le', []],
    ['de', {}],
  ]
  for (const [text, value] of examples) {
    expect(read(text)).toEqual(value)
    expect(write(value)).toBe(text)
  }
})

test('keys are written in their order, and read in any', () => {
  expect(write({ 'from-tag': 'a', command: 'offer', 'call-id': 'b' })).toBe(
    'd7:call-id1:b7:command5:offer8:from-tag1:ae',
  )
  expect(read('d1:bi1e1:ai2ee')).toEqual({ a: 2, b: 1 })
  expect(read('d9:__proto__i1ee')).toEqual(JSON.parse('{"__proto__":1}'))
})

test.each([
  ['', 'nothing'],
  ['i03e', 'a leading zero'],
  ['i-0e', 'minus nothing'],
  ['ie', 'an integer without digits'],
  ['i1', 'an integer without end'],
  ['i9007199254740993e', 'more than 53 bits'],
  ['5:spam', 'a string that is cut'],
  ['-1:', 'a negative length'],
  ['4spam', 'a length without colon'],
  ['li1e', 'a list without end'],
  ['d1:ae', 'a key without value'],
  ['di1ei2ee', 'a key that is no string'],
  ['d1:ai1e1:ai2ee', 'a key that repeats'],
  ['i1ei2e', 'more than one value'],
  ['l'.repeat(40) + 'e'.repeat(40), 'too deep'],
  ['x', 'no such kind'],
])('%j is refused: %s', (text) => {
  expect(() => read(text)).toThrow(MalformedBencode)
})

const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) })
const { value } = fc.letrec<{ value: Bencode }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.maxSafeInteger(),
    latin1,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(latin1, tie('value'), { maxKeys: 4, noNullPrototype: false }),
  ),
}))

test('what is written comes back, and cut anywhere it is refused', () => {
  fc.assert(
    fc.property(value, (one) => {
      const bytes = writeBencode(one)
      expect(writeBencode(readBencode(bytes))).toEqual(bytes)
      for (let length = 0; length < bytes.length; length++) {
        expect(() => readBencode(bytes.subarray(0, length))).toThrow(MalformedBencode)
      }
    }),
  )
})

test('random bytes are read or refused, and nothing else happens', () => {
  const letters = fc
    .uint8Array({ maxLength: 60 })
    .map((bytes) => bytes.map((one) => 'dlie:0123456789-a'.charCodeAt(one % 17)))
  fc.assert(
    fc.property(fc.oneof(letters, fc.uint8Array({ maxLength: 60 })), (bytes) => {
      try {
        readBencode(Buffer.from(bytes))
      } catch (err) {
        expect(err).toBeInstanceOf(MalformedBencode)
      }
    }),
    { numRuns: 20_000 },
  )
})
