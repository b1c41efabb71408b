import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'
import { readNameAddr, readNameAddrs, writeNameAddr } from '../../../src/protocols/sip/name-addr.ts'
import { readParams, writeParams } from '../../../src/protocols/sip/params.ts'
import { quote, unquote } from '../../../src/protocols/sip/quoted-string.ts'

test.each([
  ['"A. G. Bell" <sip:agb@bell-telephone.com> ;tag=a48s', 'A. G. Bell', 'sip:agb@bell-telephone.com', ['a48s']],
  ['sip:+12125551212@server.phone2net.com;tag=887s', '', 'sip:+12125551212@server.phone2net.com', ['887s']],
  ['Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8', 'Anonymous', 'sip:c8oqz84zk7z@privacy.org', ['hyh8']],
  [
    'The Operator <sip:operator@cs.columbia.edu>;tag=287447',
    'The Operator',
    'sip:operator@cs.columbia.edu',
    ['287447'],
  ],
  ['caller<sip:caller@example.com>;tag=323', 'caller', 'sip:caller@example.com', ['323']],
  ['<sip:a@b;lr?x=y,z>;tag = 1', '', 'sip:a@b;lr?x=y,z', ['1']],
  ['"a \\"<b>\\\\, c"<sip:d@e>', 'a "<b>\\, c', 'sip:d@e', []],
  ['sip:a@b ; tag="<x>"', '', 'sip:a@b', ['"<x>"']],
  ['tel:+1-201;tag=1', '', 'tel:+1-201', ['1']],
  ['Jos\xc3\xa9 P. <sip:j@b>', 'Jos\xc3\xa9 P.', 'sip:j@b', []],
])('%s is read (RFC 3261 §20.10, §20.20, §20.39)', (text, display, uri, tag) => {
  const read = readNameAddr(text)
  expect([read.display, read.uri, [...read.params.values()]]).toEqual([display, uri, tag])
})

test.each([
  '',
  '<>',
  '<sip:a@b',
  'sip:a@b>',
  '"a <sip:a@b>',
  '"a" sip:a@b',
  'a, b <sip:a@b>',
  '< sip:a@b >',
  'a "b" <sip:a@b>',
  'sip:a@b?c=d',
  'sip:a@b,c',
  'sip:a@b;',
  'sip:a@b;;x',
  '<sip:a@b> x',
  '<sip:a@b>;x=',
  'alice@b',
])('%s is refused', (text) => {
  expect(() => readNameAddr(text)).toThrow(MalformedSip)
})

test('lists are cut at commas that are neither quoted nor in brackets', () => {
  const values = ['"Bell, A" <sip:a@b;x=1,2>;q="0,5", sip:c@d', '<sip:e@f>']
  expect(readNameAddrs(values).map(({ uri }) => uri)).toEqual(['sip:a@b;x=1,2', 'sip:c@d', 'sip:e@f'])
})

test('quoted values of parameters keep their quotes, names lose their case, of two the first stays', () => {
  const params = readParams(';+SIP.Instance="<urn:uuid:1;2,3>" ; Q = 0.5;lr;q=1')
  expect([...params]).toEqual([
    ['+sip.instance', '"<urn:uuid:1;2,3>"'],
    ['q', '0.5'],
    ['lr', undefined],
  ])
  expect(unquote(params.get('+sip.instance') as string)).toBe('<urn:uuid:1;2,3>')
  expect(writeParams(params)).toBe(';+sip.instance="<urn:uuid:1;2,3>";q=0.5;lr')
})

const token = fc.string({ unit: fc.constantFrom(..."abcxyz019-.!%*_+`'~"), minLength: 1, maxLength: 8 })
const text = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) })

test('any quoted string comes back as it was written, save for line breaks', () => {
  fc.assert(
    fc.property(text, (given) => {
      expect(unquote(quote(given))).toBe(given.replace(/[\r\n]/g, ' '))
    }),
  )
})

test('any name-addr comes back as it was written', () => {
  const params = fc.uniqueArray(fc.tuple(token, fc.option(fc.oneof(token, text.map(quote)), { nil: undefined })), {
    selector: ([name]) => name,
    maxLength: 4,
  })
  fc.assert(
    fc.property(text, token, params, (display, user, pairs) => {
      const given = { display: display.replace(/[\r\n]/g, ' '), uri: `sip:${user}@h;lr`, params: new Map(pairs) }
      const written = writeNameAddr(given)
      expect(readNameAddr(written)).toEqual(given)
      expect(readNameAddrs([`${written}, ${written}`])).toEqual([given, given])
    }),
  )
})
