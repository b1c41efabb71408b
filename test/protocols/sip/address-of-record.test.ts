import { expect, test } from 'vitest'
import { addressOfRecord, telephoneOf } from '../../../src/protocols/sip/address-of-record.ts'

test.each([
  ['sip:alice@Parley.TEST', 'sip:alice@parley.test'],
  ['SIPS:alice@parley.test:5061;transport=tls?x=y', 'sip:alice@parley.test'],
  ['sip:alice:secret@parley.test', 'sip:alice@parley.test'],
  ['sip:Alice@parley.test', 'sip:Alice@parley.test'],
  ['sip:%61lic%65@parley.test', 'sip:alice@parley.test'],
  ['sip:a%2bb%3Bc@parley.test', 'sip:a+b;c@parley.test'],
  ['sip:null%00@parley.test', 'sip:null%00@parley.test'],
  ['sip:parley.test', 'sip:parley.test'],
  ['tel:+1-555-0001', 'tel:+15550001'],
  ['tel:+1(555)0001;isub=9', 'tel:+15550001'],
  ['tel:7042;phone-context=Example.com', 'tel:7042;phone-context=example.com'],
  ['sip:+1-555-0001@parley.test;user=phone', 'sip:+15550001@parley.test'],
  ['sip:%2B1.555.0001@parley.test', 'sip:+15550001@parley.test'],
  ['sip:+15550001;isub=9@parley.test;user=phone', 'sip:+15550001@parley.test'],
  ['sip:1-555@parley.test', 'sip:1-555@parley.test'],
])('%s is %s', (text, expected) => {
  expect(addressOfRecord(text)).toBe(expected)
})

test.each(['', 'alice', 'urn:service:sos', 'http://parley.test', 'sip:', '<sip:a@b>', 'tel:+'])(
  '%s names nobody',
  (text) => {
    expect(addressOfRecord(text)).toBeUndefined()
  },
)

test('a global number as user part is a telephone number', () => {
  const all = ['sip:+15550001@parley.test', 'tel:+15550001', 'sip:alice@parley.test', 'sip:+1a@parley.test']
  expect(all.map(telephoneOf)).toEqual(['tel:+15550001', 'tel:+15550001', undefined, undefined])
})
