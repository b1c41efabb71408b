import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Headers } from '../../../src/protocols/sip/headers.ts'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'
import { readTopVia, readVia, removeTopVia, replaceTopVia, writeVia } from '../../../src/protocols/sip/via.ts'

test.each([
  ['SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7', 'UDP', 'erlang.bell-telephone.com', 5060],
  ['SIP/2.0/UDP 192.0.2.1:5060 ;received=192.0.2.207;branch=z9hG4bK77asjd', 'UDP', '192.0.2.1', 5060],
  [
    'SIP / 2.0 / UDP first.example.com: 4000;ttl=16;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1',
    'UDP',
    'first.example.com',
    4000,
  ],
  ['sip/2.0/tls [2001:db8::9:1] ; branch = z9hG4bK1 ; rport', 'TLS', '[2001:db8::9:1]', undefined],
  ['SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks', 'WSS', 'df7jal23ls0d.invalid', undefined],
])('%s is read (RFC 3261 §20.42)', (text, transport, host, port) => {
  const via = readVia(text)
  expect([via.transport, via.host, via.port, via.params.get('branch')?.slice(0, 7)]).toEqual([
    transport,
    host,
    port,
    'z9hG4bK',
  ])
})

test.each([
  '',
  'SIP/2.0/UDP',
  'SIP/2.0/UDP ',
  'SIP/2.0/ h',
  'SIP/2.0 UDP h',
  'SIP/2 .0/UDP h',
  'S IP/2.0/UDP h',
  'SIP/2.0/UDP h i',
  'SIP/2.0/UDP h:port',
  'SIP/2.0/UDP h;;',
  'SIP/2.0/UDP 192.0.2.15;;,;,,',
  'SIP/2.0/UDP a, SIP/2.0/UDP b',
])('%s is refused', (text) => {
  expect(() => readVia(text)).toThrow(MalformedSip)
})

test('the topmost Via is read, replaced and taken away, on a line of its own or in a list', () => {
  const headers = new Headers([
    ['Via', 'SIP/2.0/UDP a;branch=1 , SIP/2.0/TCP b;x="1,2"'],
    ['v', 'SIP/2.0/TLS c'],
  ])
  replaceTopVia(headers, { ...readTopVia(headers), port: 5070, params: new Map([['received', '192.0.2.1']]) })
  expect(headers.all('via')).toEqual(['SIP/2.0/UDP a:5070;received=192.0.2.1, SIP/2.0/TCP b;x="1,2"', 'SIP/2.0/TLS c'])
  removeTopVia(headers)
  expect(readTopVia(headers).transport).toBe('TCP')
  removeTopVia(headers)
  expect(readTopVia(headers).transport).toBe('TLS')
  removeTopVia(headers)
  expect(() => readTopVia(headers)).toThrow(MalformedSip)
})

test('a Via of another version is read and given back, as a 505 has to', () => {
  expect(writeVia(readVia('SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw'))).toBe(
    'SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw',
  )
})

test('any Via comes back as it was written', () => {
  const token = fc.string({ unit: fc.constantFrom(...'abcxyz019-.!%*_+'), minLength: 1, maxLength: 8 })
  const via = fc.record({
    transport: fc.constantFrom('UDP', 'TCP', 'TLS', 'WS', 'WSS', 'SCTP', 'UNKNOWN'),
    host: fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((address) => `[${address}]`),
    ),
    port: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
    params: fc
      .uniqueArray(fc.tuple(token, fc.option(token, { nil: undefined })), { selector: ([name]) => name, maxLength: 4 })
      .map((pairs) => new Map(pairs)),
  })
  fc.assert(
    fc.property(via, ({ port, ...rest }) => {
      const given = { ...rest, ...(port !== undefined && { port }) }
      expect(readVia(writeVia(given))).toEqual(given)
    }),
  )
})
