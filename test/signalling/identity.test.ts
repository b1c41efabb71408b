import { beforeEach, describe, expect, test } from 'vitest'
import type { SipReply } from '../../src/signalling/edge/sip-port.ts'
import { Addresses } from '../../src/signalling/manager/addresses.ts'
import { Identity, type Sender } from '../../src/signalling/manager/identity.ts'
import { sipRequest } from '../support/sip-request.ts'

const domain = 'parley.test'
const alice = {
  id: 1,
  name: 'Alice',
  identities: ['sip:alice@parley.test', 'tel:+15550001', 'sip:+15550001@parley.test'],
}
const bob = { id: 2, name: '', identities: ['sip:bob@parley.test'] }
const users = [alice, bob]
const challenge: SipReply = { status: 407 }

let proof: { subscriber: number } | SipReply
let identity: Identity
const open = (trustFrom = false, later = false) => {
  const when = <T>(value: T) => (later ? Promise.resolve(value) : value)
  return new Identity({
    authenticate: () => when(proof),
    subscriberOf: (aor) => when(users.find(({ identities }) => identities.includes(aor))),
    subscriberById: (id) => when(users.find((user) => user.id === id)),
    addresses: new Addresses({ domain, isOwnHost: (host) => host === domain || host === '127.0.0.1' }),
    trustFrom,
  })
}

beforeEach(() => {
  proof = { subscriber: alice.id }
  identity = open()
})

type Fields = readonly (readonly [string, string])[]
const from = (value: string, ...more: Fields) =>
  sipRequest('MESSAGE', 'sip:bob@parley.test', [['From', value], ...more])
const peer = (value: string, ...more: Fields) =>
  sipRequest('MESSAGE', 'sip:bob@parley.test', [['From', value], ...more], { trusted: true })
const forbidden = expect.objectContaining({ condition: 'forbidden' })

describe('a user', () => {
  test.each([
    ['sip:alice@parley.test', 'sip:alice@parley.test'],
    ['sips:alice@PARLEY.test:5061', 'sip:alice@parley.test'],
    ['sip:alice@127.0.0.1', 'sip:alice@parley.test'],
    ['tel:+1-555-0001', 'tel:+15550001'],
    ['sip:+1(555)0001@parley.test;user=phone', 'sip:+15550001@parley.test'],
  ])('may send as any of their identities: %s', (uri, aor) => {
    expect(identity.senderOf(from(`"Alice" <${uri}>;tag=1`))).toEqual({
      aor,
      subscriber: alice,
      trusted: false,
      anonymous: false,
      display: 'Alice',
    })
  })

  test('is challenged', () => {
    proof = challenge
    expect(identity.senderOf(from('<sip:alice@parley.test>;tag=1'))).toBe(challenge)
  })

  test.each([
    ['another user in From', from('<sip:bob@parley.test>;tag=1')],
    ['somebody who is not there in From', from('<sip:nobody@parley.test>;tag=1')],
    ['the domain itself in From', from('<sip:parley.test>;tag=1')],
    ['another domain in From', from('<sip:alice@other.test>;tag=1')],
    ['no address in From', from('<mailto:alice@parley.test>;tag=1')],
    [
      'another user in P-Preferred-Identity',
      from('<sip:alice@parley.test>;tag=1', ['P-Preferred-Identity', '<sip:bob@parley.test>']),
    ],
    [
      'another user in P-Preferred-Identity of an anonymous request',
      from('<sip:anonymous@anonymous.invalid>;tag=1', ['P-Preferred-Identity', '<sip:bob@parley.test>']),
    ],
  ])('may not send with %s', (_, request) => {
    expect(() => identity.senderOf(request)).toThrow(forbidden)
  })

  test('is known by the identity that they prefer', () => {
    const request = from('<sip:alice@parley.test>;tag=1', ['P-Preferred-Identity', '<tel:+15550001>'])
    expect(identity.senderOf(request)).toMatchObject({ aor: 'tel:+15550001' })
  })

  test('may be anonymous to others, not to the server', () => {
    const request = from('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1')
    expect(identity.senderOf(request)).toMatchObject({
      aor: 'sip:alice@parley.test',
      anonymous: true,
      subscriber: alice,
    })
    proof = challenge
    expect(identity.senderOf(request)).toBe(challenge)
  })

  test('may ask that the asserted identity be kept from others', () => {
    const request = from('<sip:alice@parley.test>;tag=1', ['Privacy', 'id;critical'])
    expect(identity.senderOf(request)).toMatchObject({ anonymous: true })
    const none = from('<sip:alice@parley.test>;tag=1', ['Privacy', 'none'])
    expect(identity.senderOf(none)).toMatchObject({ anonymous: false })
  })

  test('cannot assert an identity', () => {
    const request = from('<sip:alice@parley.test>;tag=1', ['P-Asserted-Identity', '<sip:bob@parley.test>'])
    expect(identity.senderOf(request)).toMatchObject({ aor: 'sip:alice@parley.test', trusted: false })
  })
})

describe('a trusted peer', () => {
  test.each([
    ['<sip:alice@parley.test>', 'sip:alice@parley.test', alice],
    ['"Alice" <sip:alice@parley.test>, <tel:+15550001>', 'sip:alice@parley.test', alice],
    ['<sip:carol@other.test>, <tel:+1-555-0001>', 'tel:+15550001', alice],
    ['<sip:carol@other.test>', 'sip:carol@other.test', undefined],
    ['<sip:gone@parley.test>', 'sip:gone@parley.test', undefined],
    ['tel:+4989123', 'tel:+4989123', undefined],
  ])('is believed in P-Asserted-Identity: %s', (asserted, aor, subscriber) => {
    const request = peer('<sip:whoever@core.test>;tag=1', ['P-Asserted-Identity', asserted])
    const sender = identity.senderOf(request) as Sender
    expect(sender).toMatchObject({ aor, trusted: true, anonymous: false })
    expect(sender.subscriber).toBe(subscriber)
  })

  test('is believed in From only where that is configured', () => {
    const request = peer('<sip:alice@parley.test>;tag=1')
    expect(() => identity.senderOf(request)).toThrow(forbidden)
    expect(open(true).senderOf(request)).toMatchObject({
      aor: 'sip:alice@parley.test',
      subscriber: alice,
      trusted: true,
    })
    expect(open(true).senderOf(peer('<sip:carol@other.test>;tag=1'))).toMatchObject({ aor: 'sip:carol@other.test' })
  })

  test('may hide who it is', () => {
    const asserted = ['P-Asserted-Identity', '<sip:alice@parley.test>'] as const
    const hidden = peer('<sip:anonymous@anonymous.invalid>;tag=1', asserted, ['Privacy', 'id'])
    expect(identity.senderOf(hidden)).toMatchObject({ aor: 'sip:alice@parley.test', anonymous: true })
  })

  test('registers users without asserting anything', () => {
    const request = sipRequest('REGISTER', 'sip:parley.test', [['From', '<sip:scscf.core.test>;tag=1']], {
      trusted: true,
    })
    expect(identity.senderOf(request)).toMatchObject({ aor: 'sip:scscf.core.test', trusted: true })
  })
})

test('nothing is waited for when all is in memory, and all comes out the same when it is not', async () => {
  const requests = [
    from('<sip:alice@parley.test>;tag=1'),
    from('<sip:anonymous@anonymous.invalid>;tag=1'),
    peer('<sip:x@core.test>;tag=1', ['P-Asserted-Identity', '<sip:carol@parley.test>, <tel:+15550001>']),
  ]
  for (const request of requests) {
    const sender = identity.senderOf(request)
    expect(sender).not.toBeInstanceOf(Promise)
    expect(await open(false, true).senderOf(request)).toEqual(sender)
  }
})
