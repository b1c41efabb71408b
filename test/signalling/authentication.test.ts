import { beforeEach, describe, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import {
  type Challenge,
  type DigestAlgorithm,
  digestResponse,
  ha1,
  readChallenge,
  writeCredentials,
} from '../../src/protocols/sip/digest.ts'
import type { InboundRequest, SipReply, Source } from '../../src/signalling/edge/sip-port.ts'
import { Authentication, type Proof } from '../../src/signalling/manager/authentication.ts'
import { Nonces } from '../../src/signalling/manager/nonces.ts'
import { sipRequest } from '../support/sip-request.ts'

const realm = 'parley.test'
const key = Buffer.alloc(32, 1)
const users: Record<string, string> = { alice: 'secret', 'alice@parley.test': 'secret', zoë: 'Überraschung' }
let clock = 1_700_000_000_000
let asked: string[] = []
let authentication: Authentication

const open = (options: { algorithms?: readonly DigestAlgorithm[]; maxFailures?: number } = {}) =>
  new Authentication({
    realm,
    algorithms: options.algorithms ?? ['MD5', 'SHA-256'],
    credentialsOf: (username) => {
      asked.push(username)
      const password = users[username]
      if (password === undefined) return undefined
      const [md5, sha256] = (['MD5', 'SHA-256'] as const).map((each) => ha1(each, username, realm, password))
      return { subscriber: 7, md5: md5 as string, sha256: sha256 as string }
    },
    key,
    nonceLifetimeMs: 300_000,
    maxFailures: options.maxFailures ?? 5,
    failureWindowMs: 60_000,
    now: () => clock,
    log: { debug() {}, info() {} },
  })

beforeEach(() => {
  clock += 1000
  asked = []
  authentication = open()
})

interface Attempt {
  readonly method?: string
  readonly username?: string
  readonly password?: string
  readonly realm?: string
  readonly algorithm?: DigestAlgorithm
  readonly nc?: string | undefined
  readonly uri?: string
  readonly source?: Partial<Source>
  readonly more?: readonly string[]
}

function request(challenge: Challenge | undefined, attempt: Attempt = {}): InboundRequest {
  const method = attempt.method ?? 'MESSAGE'
  const name = method === 'REGISTER' ? 'Authorization' : 'Proxy-Authorization'
  const lines = [...(attempt.more ?? []), ...(challenge ? [credentials(challenge, method, attempt)] : [])]
  const uri = method === 'REGISTER' ? 'sip:parley.test' : 'sip:bob@parley.test'
  return sipRequest(
    method,
    uri,
    lines.map((line) => [name, line] as const),
    attempt.source,
  )
}

function credentials(challenge: Challenge, method: string, attempt: Attempt): string {
  const {
    username = 'alice',
    password = users[username] ?? 'secret',
    algorithm = 'MD5',
    uri = 'sip:bob@parley.test',
  } = attempt
  const protection =
    'nc' in attempt && attempt.nc === undefined
      ? {}
      : { qop: 'auth' as const, nc: attempt.nc ?? '00000001', cnonce: 'abc' }
  const { nonce } = challenge
  const secret = ha1(algorithm, username, attempt.realm ?? realm, password)
  const response = digestResponse({ algorithm, ha1: secret, method, uri, nonce, ...protection })
  const wire = Buffer.from(username).toString('latin1')
  return writeCredentials({
    username: wire,
    realm: attempt.realm ?? realm,
    nonce,
    uri,
    response,
    algorithm,
    ...protection,
  })
}

const check = (asking: InboundRequest, by = authentication) => by.check(asking) as Proof | SipReply
const challengesIn = (reply: Proof | SipReply): Challenge[] =>
  'status' in reply ? (reply.headers ?? []).map(([, value]) => readChallenge(value) as Challenge) : []
/** A challenge as somebody without credentials gets it. */
const challenge = (by = authentication): Challenge => challengesIn(check(request(undefined), by))[0] as Challenge
const passed = { subscriber: 7 }
const refused = { status: 407 }

describe('a challenge', () => {
  test('is a 401 for REGISTER and a 407 for the rest, one for each algorithm in order, with one nonce', () => {
    const register = check(request(undefined, { method: 'REGISTER' })) as SipReply
    expect(register.status).toBe(401)
    expect(register.headers?.map(([name]) => name)).toEqual(['WWW-Authenticate', 'WWW-Authenticate'])
    const message = check(request(undefined)) as SipReply
    expect(message).toMatchObject(refused)
    expect(message.headers?.map(([name]) => name)).toEqual(['Proxy-Authenticate', 'Proxy-Authenticate'])
    const [md5, sha256] = challengesIn(message)
    expect(md5).toMatchObject({ realm, algorithm: 'MD5', qop: ['auth'], stale: false })
    expect(sha256).toMatchObject({ realm, algorithm: 'SHA-256', nonce: md5?.nonce })
  })

  test('offers only what is configured, and takes nothing else', () => {
    const strict = open({ algorithms: ['SHA-256'] })
    const offered = challenge(strict)
    expect(offered.algorithm).toBe('SHA-256')
    expect(check(request(offered), strict)).toMatchObject(refused)
    expect(check(request(offered, { algorithm: 'SHA-256' }), strict)).toMatchObject(passed)
  })

  test('is not waited for where what is needed is in memory', () => {
    expect(authentication.check(request(undefined))).not.toBeInstanceOf(Promise)
    expect(authentication.check(request(challenge()))).not.toBeInstanceOf(Promise)
  })
})

describe('credentials', () => {
  test.each([
    ['MD5', { algorithm: 'MD5' }],
    ['SHA-256', { algorithm: 'SHA-256' }],
    ['the private identity', { username: 'alice@parley.test' }],
    ['a name beyond ASCII', { username: 'zoë' }],
    ['a digest-uri with the address of the server, as sipp sends', { uri: 'sip:10.0.0.1:5060' }],
    ['no qop, as RFC 2069 has it', { nc: undefined }],
    ['REGISTER', { method: 'REGISTER' }],
  ] as [string, Attempt][])('that are right are taken: %s', (_, attempt) => {
    expect(check(request(challenge(), attempt))).toMatchObject(passed)
  })

  test.each([
    ['a wrong password', { password: 'guess' }],
    ['a user who is not there', { username: 'mallory' }],
    ['no name', { username: '' }],
  ] as [string, Attempt][])('that are wrong get a new challenge that does not say why: %s', (_, attempt) => {
    const reply = check(request(challenge(), attempt))
    expect(reply).toMatchObject(refused)
    expect(challengesIn(reply)[0]).toMatchObject({ stale: false })
  })

  test('for another realm are passed over, before and after ours', () => {
    const foreign = credentials(challenge(), 'MESSAGE', { realm: 'other.test' })
    expect(check(request(undefined, { more: [foreign] }))).toMatchObject(refused)
    expect(asked).toEqual([])
    expect(check(request(challenge(), { more: [foreign] }))).toMatchObject(passed)
  })

  test('of another scheme are passed over, and those that cannot be read are malformed', () => {
    expect(check(request(undefined, { more: ['Basic YWxpY2U6c2VjcmV0'] }))).toMatchObject(refused)
    expect(() => check(request(undefined, { more: ['Digest username'] }))).toThrow()
    const { nonce } = challenge()
    const short = `Digest username="alice", realm="${realm}", nonce="${nonce}", uri="x", response="", qop=auth, nc=1, cnonce="a"`
    expect(() => check(request(undefined, { more: [short] }))).toThrow(/qop/)
  })

  test('in the header field of the other kind do not count', () => {
    const asking = request(challenge())
    const line = asking.message.headers.get('proxy-authorization') as string
    const misplaced = sipRequest('MESSAGE', 'sip:bob@parley.test', [['Authorization', line]])
    expect(check(misplaced)).toMatchObject(refused)
  })
})

describe('a nonce', () => {
  test('is good once with each count, whatever order they come in', () => {
    const offered = challenge()
    const counts = ['00000002', '00000001', '00000004', '00000003']
    for (const nc of counts) expect(check(request(offered, { nc }))).toMatchObject(passed)
    for (const nc of counts) {
      const again = check(request(offered, { nc }))
      expect(again).toMatchObject(refused)
      expect(challengesIn(again)[0]).toMatchObject({ stale: true })
    }
    expect(check(request(offered, { nc: '00000100' }))).toMatchObject(passed)
    expect(check(request(offered, { nc: '00000005' }))).toMatchObject(refused)
  })

  test('without counts is good for one request', () => {
    const offered = challenge()
    expect(check(request(offered, { nc: undefined }))).toMatchObject(passed)
    expect(check(request(offered, { nc: undefined }))).toMatchObject(refused)
  })

  test('that is too old is stale, and the new one is taken', () => {
    const offered = challenge()
    clock += 300_001
    const [fresh] = challengesIn(check(request(offered)))
    expect(fresh).toMatchObject({ stale: true })
    expect(check(request(fresh))).toMatchObject(passed)
  })

  test('that is too old, or not ours, tells nothing to somebody without the password', () => {
    const offered = challenge()
    clock += 300_001
    expect(challengesIn(check(request(offered, { password: 'guess' })))[0]).toMatchObject({ stale: false })
  })

  test.each([
    ['made up', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
    ['with another seal', new Nonces({ key: Buffer.alloc(32, 2), now: () => clock, lifetimeMs: 1 }).make()],
    ['that is empty', ''],
  ])('%s is not taken', (_, nonce) => {
    expect(check(request({ ...challenge(), nonce }))).toMatchObject(refused)
  })

  test('of one node is good at another that was there when it was made', () => {
    const other = open()
    expect(check(request(challenge()), other)).toMatchObject(passed)
  })

  test('from before a restart is stale: its counts are forgotten', () => {
    const offered = challenge()
    expect(check(request(offered))).toMatchObject(passed)
    clock += 1
    const restarted = open()
    expect(challengesIn(check(request(offered), restarted))[0]).toMatchObject({ stale: true })
  })

  test('is never forgotten and taken again, however many are used', () => {
    const nonces = new Nonces({ key, now: () => clock, lifetimeMs: 300_000, mostUsed: 10 })
    const used: string[] = []
    for (let n = 0; n < 100; n++) {
      clock += 1
      const nonce = nonces.make()
      expect(nonces.use(nonce, 1)).toBe(true)
      used.push(nonce)
    }
    for (const nonce of used) expect(nonces.use(nonce, 1)).toBe(false)
  })

  test('written otherwise is not another one', () => {
    const offered = challenge()
    expect(check(request(offered))).toMatchObject(passed)
    expect(check(request({ ...offered, nonce: `${offered.nonce}=` }))).toMatchObject(refused)
  })
})

describe('too many failures', () => {
  const fail = (attempt: Attempt = {}) => check(request(challenge(), { password: 'guess', ...attempt }))
  const from = (address: string) => ({ source: { address } })
  const blocked = { condition: 'too-many-attempts', retryAfter: 12 }

  function thrown(attempt: Attempt): unknown {
    try {
      return check(request(challenge(), attempt))
    } catch (err) {
      expect(err).toBeInstanceOf(Failure)
      return err
    }
  }

  test('of a source make it wait, whomever it tries', () => {
    for (let n = 0; n < 5; n++) fail({ username: `user${n}`, ...from('10.6.6.6') })
    expect(thrown({ ...from('10.6.6.6') })).toMatchObject(blocked)
    expect(thrown({ ...from('10.6.6.7') })).toMatchObject(passed)
  })

  test('for a user make that name wait, wherever they come from, and not for ever', () => {
    for (let n = 0; n < 5; n++) fail(from(`10.6.6.${n}`))
    expect(thrown(from('10.9.9.9'))).toMatchObject(blocked)
    expect(thrown({ ...from('10.9.9.9'), username: 'alice@parley.test' })).toMatchObject(passed)
    clock += 12_000
    expect(thrown(from('10.9.9.9'))).toMatchObject(passed)
  })

  test('are not made by those who come without credentials, or with a stale nonce', () => {
    const old = challenge()
    clock += 300_001
    for (let n = 0; n < 20; n++) check(request(undefined))
    for (let n = 0; n < 20; n++) check(request(old))
    expect(thrown({})).toMatchObject(passed)
  })

  test('are forgiven the user who knows the password', () => {
    for (let n = 0; n < 4; n++) fail(from(`10.6.6.${n}`))
    check(request(challenge()))
    for (let n = 0; n < 4; n++) fail(from(`10.6.6.${n}`))
    expect(thrown({})).toMatchObject(passed)
  })

  test('of any number are let pass when there is no limit', () => {
    const lenient = open({ maxFailures: 0 })
    for (let n = 0; n < 50; n++) check(request(challenge(lenient), { password: 'guess' }), lenient)
    expect(check(request(challenge(lenient)), lenient)).toMatchObject(passed)
  })
})
