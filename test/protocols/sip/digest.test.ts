import { expect, test } from 'vitest'
import {
  digestAlgorithm,
  digestResponse,
  ha1,
  readChallenge,
  readCredentials,
  writeChallenge,
  writeCredentials,
} from '../../../src/protocols/sip/digest.ts'
import { MalformedSip } from '../../../src/protocols/sip/malformed-sip.ts'

const rfc7616 = {
  method: 'GET',
  uri: '/dir/index.html',
  nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
  qop: 'auth',
  nc: '00000001',
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
} as const

test.each([
  ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
  ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
] as const)('the example of RFC 7616 §3.9.1 comes out with %s', (algorithm, response) => {
  const key = ha1(algorithm, 'Mufasa', 'http-auth@example.org', 'Circle of Life')
  expect(digestResponse({ ...rfc7616, algorithm, ha1: key })).toBe(response)
})

test('a challenge without qop is answered as RFC 2069 says', () => {
  const input = {
    algorithm: 'MD5',
    method: 'GET',
    uri: '/dir/index.html',
    nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
  } as const
  const key = ha1('MD5', 'Mufasa', 'testrealm@host.com', 'Circle Of Life')
  expect(digestResponse({ ...input, ha1: key })).toBe('670fd8c2df070c60b045671b8b24ff02')
  expect(digestResponse({ ...input, ha1: key, qop: 'auth', nc: '00000001', cnonce: '0a4f113b' })).toBe(
    '6629fae49393a05397450978507c4ef1',
  )
})

test('the challenges of RFC 8760 §2.6 are read and written', () => {
  const text =
    'Digest realm="atlanta.com", domain="sip:boxesbybob.com", qop="auth,auth-int",\r\n nonce="f84f1cec41e6cbe5aea9c8e88d359", opaque="", stale=FALSE, algorithm=SHA-256'
  const challenge = readChallenge(text.replace('\r\n', ''))
  expect(challenge).toEqual({
    realm: 'atlanta.com',
    nonce: 'f84f1cec41e6cbe5aea9c8e88d359',
    algorithm: 'SHA-256',
    qop: ['auth', 'auth-int'],
    opaque: '',
    stale: false,
  })
  const own = { realm: 'par"ley', nonce: 'n\\1', algorithm: 'MD5', qop: ['auth'], stale: true }
  expect(readChallenge(writeChallenge(own))).toEqual(own)
  expect(readChallenge('digest realm=a,nonce=b')).toMatchObject({ algorithm: 'MD5', qop: [], stale: false })
})

test('the credentials of RFC 3261 §20.7 are read and written', () => {
  const text =
    'Digest username="Alice", realm="atlanta.com", nonce="84a4cc6f3082121f32b42a2187831a9e", response="7587245234b3434cc3412213e5f113a5432", uri="sip:atlanta.com"'
  expect(readCredentials(text)).toMatchObject({ username: 'Alice', uri: 'sip:atlanta.com', algorithm: 'MD5' })
  const own = {
    username: 'b"ob\\',
    realm: 'r',
    nonce: 'n',
    uri: 'sip:x',
    response: '0'.repeat(32),
    algorithm: 'SHA-256',
    opaque: '',
    qop: 'auth',
    nc: '00000001',
    cnonce: 'c',
  }
  expect(readCredentials(writeCredentials(own))).toEqual(own)
})

test('a user name in the extended notation of RFC 7616 §3.9.2 is read as its bytes', () => {
  const read = readCredentials("Digest username*=UTF-8''J%C3%A4s, realm=r, nonce=n, uri=u, response=0")
  expect(read?.username).toBe('J\xc3\xa4s')
})

test('another scheme is no digest', () => {
  expect(readCredentials('NoOneKnowsThisScheme opaque-data=here')).toBeUndefined()
  expect(readChallenge('Basic realm="x"')).toBeUndefined()
  expect(readChallenge('')).toBeUndefined()
})

test.each([
  'Digest ',
  'Digest username="a"',
  'Digest username="a, realm=b',
  'Digest username=a realm=b, nonce=c, uri=d, response=e',
  'Digest username=a, realm=, nonce=c, uri=d, response=e',
  'Digest username=a, username=b, realm=b, nonce=c, uri=d, response=e',
  'Digest =a',
  'Digest "a"',
])('%s is refused', (text) => {
  expect(() => readCredentials(text)).toThrow(MalformedSip)
})

test('algorithms are known in any case, others are not', () => {
  expect(['md5', 'Sha-256', 'MD5-sess', 'SHA-512-256', ''].map(digestAlgorithm)).toEqual([
    'MD5',
    'SHA-256',
    undefined,
    undefined,
    undefined,
  ])
})
