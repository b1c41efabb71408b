import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'
import { readUri, sameUri, writeUri } from '../../../src/protocols/sip/uri.ts'

test.each([
  'sip:alice@atlanta.com',
  'sip:alice:secretword@atlanta.com;transport=tcp',
  'sips:alice@atlanta.com?subject=project%20x&priority=urgent',
  'sip:+1-212-555-1212:1234@gateway.com;user=phone',
  'sips:1212@gateway.com',
  'sip:alice@192.0.2.4',
  'sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com',
  'sip:alice;day=tuesday@atlanta.com',
  'sip:[2001:db8::1]:5061;lr',
  'tel:+1-201-555-0123',
  'tel:7042;phone-context=example.com',
  'urn:service:sos',
  'nobodyKnowsThisScheme:totallyopaquecontent',
])('%s (RFC 3261 §19.1.3, RFC 3966 §3) is written as it was read', (text) => {
  expect(writeUri(readUri(text)).toLowerCase()).toBe(text.toLowerCase())
})

test('the parts of a URI are told apart', () => {
  expect(readUri('sip:alice:pw@[::1]:5070;Transport=TCP;lr?subject=x')).toEqual({
    scheme: 'sip',
    user: 'alice',
    password: 'pw',
    host: '[::1]',
    port: 5070,
    params: new Map([
      ['transport', 'TCP'],
      ['lr', undefined],
    ]),
    headers: 'subject=x',
  })
  expect(readUri('tel:+1-201;ext=5')).toMatchObject({ scheme: 'tel', user: '+1-201', host: '' })
  expect(readUri('URN:x:y')).toMatchObject({ scheme: 'urn', opaque: 'x:y', host: '' })
})

test.each([
  '',
  'sip:',
  'alice@atlanta.com',
  '<sip:a@b>',
  'sip:@b',
  'sip:a@',
  'sip:a b@c',
  'sip:a@b c',
  'sip:a@b@c',
  'sip:a%4@b',
  'sip:a%zz@b',
  'sip:a@b:',
  'sip:a@b:99999',
  'sip:a@b:5x',
  'sip:a@b;',
  'sip:a@b;;lr',
  'sip:a@b;=x',
  'sip:a@b;x=',
  'sip:a@b?',
  'sip:a@[::1',
  'sip:a@-b',
  'sip:"a"@b',
  'sip:a@b>',
  'tel:',
  'tel:+',
  'tel:---',
  'tel:+1x',
  '9a:b',
  ':x',
  'sip',
])('%s is no URI', (text) => {
  expect(() => readUri(text)).toThrow(MalformedSip)
})

const same = (a: string, b: string) => sameUri(readUri(a), readUri(b)) && sameUri(readUri(b), readUri(a))

test.each([
  ['sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp'],
  ['sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'],
  ['sip:carol@chicago.com', 'sip:carol@chicago.com;security=on'],
  [
    'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
    'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
  ],
  [
    'sip:alice@atlanta.com?subject=project%20x&priority=urgent',
    'sip:alice@atlanta.com?priority=urgent&subject=project%20x',
  ],
  ['tel:+1-201-555-0123', 'tel:+1(201)5550123'],
])('%s and %s are the same (RFC 3261 §19.1.4)', (a, b) => {
  expect(same(a, b)).toBe(true)
})

test.each([
  ['SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'],
  ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'],
  ['sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp'],
  ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'],
  ['sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'],
  ['sip:bob@phone21.boxesbybob.com', 'sip:bob@192.0.2.4'],
  ['sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off'],
  ['sip:a@b', 'sips:a@b'],
  ['sip:null%00@b', 'sip:null@b'],
  ['tel:+1201', 'tel:1201'],
  ['urn:a', 'urn:b'],
])('%s and %s are not', (a, b) => {
  expect(same(a, b)).toBe(false)
})

const of = (chars: string, minLength = 1) => fc.string({ unit: fc.constantFrom(...chars), minLength, maxLength: 10 })
const alpha = 'abcdefgXYZ0123456789'
const escaped = fc.integer({ min: 0, max: 255 }).map((code) => `%${code.toString(16).padStart(2, '0')}`)
const mixed = (chars: string) =>
  fc.array(fc.oneof(of(chars), escaped), { minLength: 1, maxLength: 3 }).map((all) => all.join(''))
const params = fc.uniqueArray(
  fc.tuple(of("abcdefg012-_.!~*'()[]/:&+$"), fc.option(mixed('abcXYZ-_.!~')), fc.constant(0)),
  {
    selector: ([name]) => name,
    maxLength: 4,
  },
)
const host = fc.oneof(
  fc.array(of(alpha), { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.')),
  fc.ipV4(),
  fc.ipV6().map((address) => `[${address}]`),
)

test('any SIP URI comes back as it was written', () => {
  const uri = fc.record({
    scheme: fc.constantFrom('sip', 'sips'),
    user: mixed(`${alpha}-_.!~*'()&=+$,;?/`),
    password: fc.option(of(`${alpha}&=+$,`, 0), { nil: undefined }),
    host,
    port: fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: undefined }),
    params: params.map((all) => new Map(all.map(([name, value]) => [name, value ?? undefined]))),
    headers: fc.oneof(fc.constant(''), fc.constantFrom('a=b', 'subject=x%20y&to=z')),
  })
  fc.assert(
    fc.property(uri, ({ password, port, ...rest }) => {
      const given = { ...rest, ...(password !== undefined && { password }), ...(port !== undefined && { port }) }
      expect(readUri(writeUri(given))).toEqual(given)
      expect(sameUri(readUri(writeUri(given)), given)).toBe(true)
    }),
  )
})
