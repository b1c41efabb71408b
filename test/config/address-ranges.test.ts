import { expect, test } from 'vitest'
import { AddressRanges } from '../../src/config/address-ranges.ts'

const ranges = new AddressRanges(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1'])

test.each([
  ['10.255.0.1', true],
  ['11.0.0.1', false],
  ['192.0.2.7', true],
  ['192.0.2.8', false],
  ['::ffff:10.1.2.3', true],
  ['::ffff:11.1.2.3', false],
  ['2001:db8:7::1', true],
  ['2001:db9::1', false],
  ['::1', true],
])('%s is in the ranges: %s, asked once and again', (address, expected) => {
  expect([ranges.includes(address), ranges.includes(address)]).toEqual([expected, expected])
})

test('no ranges include nobody', () => {
  expect(new AddressRanges([]).includes('127.0.0.1')).toBe(false)
})
