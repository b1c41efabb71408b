import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readEvent } from '../../../src/protocols/sip/event.ts'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'

test.each([
  ['presence', 'presence', []],
  ['Presence', 'presence', []],
  [' presence.winfo ', 'presence.winfo', []],
  ['presence ; id=7', 'presence', [['id', '7']]],
  ['xcap-diff;diff-processing=aggregate', 'xcap-diff', [['diff-processing', 'aggregate']]],
  [
    'reg;id="a;b";flag',
    'reg',
    [
      ['id', '"a;b"'],
      ['flag', undefined],
    ],
  ],
] as const)('%s is read', (value, name, params) => {
  const event = readEvent(value)
  expect(event.package).toBe(name)
  expect([...event.params]).toEqual(params)
})

test.each(['', ' ', ';id=1', 'two words', 'a,b', 'présence', 'a/b', '"presence"'])('%s is refused', (value) => {
  expect(() => readEvent(value)).toThrow(MalformedSip)
})

test('anything is read or refused', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      try {
        readEvent(value)
      } catch (err) {
        expect(err).toBeInstanceOf(MalformedSip)
      }
    }),
  )
})
