import { expect, test } from 'vitest'
import { buildSipTrace, maskSip } from '../../src/operations/sip-trace.ts'
import { readableLog } from './log-lines.ts'

const secret = /5ccc069c403ebaf9f0171e9517f40e41|dcd98b7102dd|0a4f113b|hunter2/

const digest =
  'Digest username="bob", realm="parley.test", nonce="dcd98b7102dd", uri="sip:parley.test", nc=00000001,\r\n' +
  ' cnonce="0a4f113b", qop=auth, response="5ccc069c403ebaf9f0171e9517f40e41"'

test.each([
  ['REGISTER', `REGISTER sip:parley.test SIP/2.0\r\nAuthorization: ${digest}\r\nCall-ID: 1\r\n\r\n`],
  ['a relayed request', `MESSAGE sip:bob@parley.test SIP/2.0\r\nProxy-Authorization: ${digest}\r\nCall-ID: 1\r\n\r\n`],
  ['other case and space before the colon', `X sip:b SIP/2.0\r\nAUTHORIZATION \t: ${digest}\r\nCall-ID: 1\r\n\r\n`],
  [
    'no quotes',
    'X sip:b SIP/2.0\r\nAuthorization: Digest response=5ccc069c403ebaf9f0171e9517f40e41\r\nCall-ID: 1\r\n\r\n',
  ],
  [
    'a quote that never ends',
    'X sip:b SIP/2.0\r\nAuthorization: Digest response="5ccc069c403ebaf9f0171e9517f40e41\r\nCall-ID: 1\r\n',
  ],
  ['an escaped quote', 'X sip:b SIP/2.0\r\nAuthorization: Digest response="x\\"hunter2"\r\nCall-ID: 1\r\n\r\n'],
  ['a token', 'X sip:b SIP/2.0\r\nAuthorization: Bearer hunter2\r\nCall-ID: 1\r\n\r\n'],
  ['a password', 'X sip:b SIP/2.0\r\nAuthorization: Basic hunter2\r\nCall-ID: 1\r\n\r\n'],
  [
    'an answer',
    'SIP/2.0 200 OK\r\nAuthentication-Info: rspauth="hunter2", nextnonce="dcd98b7102dd"\r\nCall-ID: 1\r\n\r\n',
  ],
  [
    'a message in a message',
    `X sip:b SIP/2.0\r\nCall-ID: 1\r\n\r\nREGISTER sip:a SIP/2.0\r\nAuthorization: ${digest}\r\n\r\n`,
  ],
  [
    'a URI',
    'X sip:b SIP/2.0\r\nRefer-To: <sip:a@b?Authorization=Digest%20response%3D%22hunter2%22&X=1>\r\nCall-ID: 1\r\n\r\n',
  ],
])('credentials are masked in %s, the rest stays', (_what, message) => {
  const masked = maskSip(message)
  expect(masked).not.toMatch(secret)
  expect(masked).toContain('\r\nCall-ID: 1\r\n')
})

test('who signs in, where and how often can still be read', () => {
  const masked = maskSip(`REGISTER sip:parley.test SIP/2.0\r\nAuthorization: ${digest}\r\n\r\n`)
  expect(masked).toContain('username="bob", realm="parley.test", nonce="***", uri="sip:parley.test", nc=00000001')
})

test('a message without credentials stays as it is', () => {
  const message = 'MESSAGE sip:bob@parley.test SIP/2.0\r\nSubject: my response="yes"\r\n\r\nresponse="hello"'
  expect(maskSip(message)).toBe(message)
})

test('the trace writes one line for each message, with the way it went', () => {
  const { log, lines } = readableLog()
  const trace = buildSipTrace({ log })
  trace('in', { transport: 'udp', address: '192.0.2.1', port: 5060 }, Buffer.from('OPTIONS sip:a SIP/2.0\r\n\r\n'))
  trace('out', { transport: 'tcp', address: '2001:db8::1', port: 5061 }, Buffer.from('SIP/2.0 200 OK\r\n\r\n'))
  expect(lines).toMatchObject([
    { part: 'sip', direction: 'in', peer: 'udp:192.0.2.1:5060', message: 'OPTIONS sip:a SIP/2.0\r\n\r\n' },
    { part: 'sip', direction: 'out', peer: 'tcp:[2001:db8::1]:5061', message: 'SIP/2.0 200 OK\r\n\r\n' },
  ])
})
