import { expect, test } from 'vitest'
import { Latch } from '../../../src/media/rtp/latch.ts'

const [alice, nat, stranger] = ['192.0.2.10', '198.51.100.1', '203.0.113.66']

/** A latch that expects alice at port 4000, at time 0. */
function expecting(): Latch {
  const latch = new Latch(3_000)
  latch.expect({ address: alice, port: 4_000 })
  return latch
}

test('nothing is taken before the description is known', () => {
  const latch = new Latch(3_000)
  expect(latch.accepts(alice, 4_000, 1, 0)).toBe(false)
  expect(latch.target).toBeUndefined()
})

test('packets go where the description says until one has come', () => {
  const latch = expecting()
  expect(latch.target).toEqual({ address: alice, port: 4_000 })
  expect(latch.accepts(nat, 9_999, 1, 0)).toBe(true)
  expect(latch.target).toEqual({ address: nat, port: 9_999 })
})

test('a stranger has no way in once somebody is latched', () => {
  const latch = expecting()
  expect(latch.accepts(nat, 9_999, 1, 0)).toBe(true)
  expect(latch.accepts(stranger, 9_999, 2, 1)).toBe(false)
  expect(latch.accepts(nat, 9_998, 2, 1)).toBe(false)
  expect(latch.target).toEqual({ address: nat, port: 9_999 })
})

test('who knows the synchronisation source still has to wait for silence', () => {
  const latch = expecting()
  expect(latch.accepts(alice, 4_000, 1, 0)).toBe(true)
  expect(latch.accepts(stranger, 5_000, 1, 2_999)).toBe(false)
  expect(latch.accepts(alice, 4_000, 1, 2_999)).toBe(true)
  expect(latch.accepts(stranger, 5_000, 1, 5_998)).toBe(false)
  expect(latch.accepts(stranger, 5_000, 2, 10_000)).toBe(false)
  expect(latch.accepts(stranger, 5_000, undefined, 10_000)).toBe(false)
  expect(latch.accepts(nat, 5_000, 1, 10_000)).toBe(true)
})

test('the source that the description names outranks one that was quicker', () => {
  const latch = expecting()
  expect(latch.accepts(stranger, 4_000, 1, 0)).toBe(true)
  expect(latch.accepts(alice, 4_444, 2, 1)).toBe(true)
  expect(latch.accepts(stranger, 4_000, 1, 2)).toBe(false)
  expect(latch.accepts(alice, 4_000, 2, 3)).toBe(true)
  expect(latch.accepts(alice, 4_444, 2, 4)).toBe(false)
})

test('a description with another address begins anew, one with the same does not', () => {
  const latch = expecting()
  expect(latch.accepts(nat, 9_999, 1, 0)).toBe(true)
  latch.expect({ address: alice, port: 4_000 })
  expect(latch.accepts(stranger, 1, 2, 1)).toBe(false)
  latch.expect({ address: alice, port: 4_002 })
  expect(latch.target).toEqual({ address: alice, port: 4_002 })
  expect(latch.accepts(nat, 9_997, 3, 2)).toBe(true)
})

test('a description that names a host waits for the first packet', () => {
  const latch = new Latch(3_000)
  latch.expect(undefined)
  expect(latch.target).toBeUndefined()
  expect(latch.accepts(nat, 1, 1, 0)).toBe(true)
  latch.expect(undefined)
  expect(latch.target).toEqual({ address: nat, port: 1 })
})
