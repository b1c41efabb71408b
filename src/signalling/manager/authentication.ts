import { randomBytes, timingSafeEqual } from 'node:crypto'
import { Failure } from '../../failure.ts'
import {
  type Credentials,
  type DigestAlgorithm,
  digestAlgorithm,
  digestResponse,
  readCredentials,
  writeChallenge,
} from '../../protocols/sip/digest.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import type { InboundRequest, SipReply, Source } from '../edge/sip-port.ts'
import { FailedAttempts } from './failed-attempts.ts'
import { Nonces } from './nonces.ts'

/** What somebody proves with that they are whom they say. */
interface Credential {
  readonly subscriber: number
  readonly md5: string
  readonly sha256: string
}

interface Needs {
  readonly realm: string
  /** Offered in this order; a client takes the first that it knows (RFC 8760 §2.4). */
  readonly algorithms: readonly DigestAlgorithm[]
  readonly credentialsOf: (username: string) => Credential | undefined | Promise<Credential | undefined>
  /** What nonces are sealed with; the same on all nodes. */
  readonly key: Buffer
  readonly nonceLifetimeMs: number
  /** Failures within the window after which a source, or a user, has to wait; 0: never. */
  readonly maxFailures: number
  readonly failureWindowMs: number
  readonly now: () => number
  readonly log: { debug(fields: object, message: string): void; info(fields: object, message: string): void }
}

/** A user who has proven who they are. */
export interface Proof {
  readonly subscriber: number
}

/** Digest authentication as a registrar and as a proxy does it (RFC 3261 §22, RFC 7616, RFC 8760). */
export class Authentication {
  readonly #needs: Needs
  readonly #nonces: Nonces
  readonly #sources: FailedAttempts
  readonly #users: FailedAttempts
  /** Stands for the secret of those who are not there, so that a wrong name costs and looks what a wrong password does. */
  readonly #nobody: Credential

  constructor(needs: Needs) {
    this.#needs = needs
    this.#nonces = new Nonces({ key: needs.key, now: needs.now, lifetimeMs: needs.nonceLifetimeMs })
    const limit = { now: needs.now, most: needs.maxFailures, windowMs: needs.failureWindowMs }
    this.#sources = new FailedAttempts(limit)
    this.#users = new FailedAttempts(limit)
    this.#nobody = { subscriber: -1, md5: randomBytes(16).toString('hex'), sha256: randomBytes(32).toString('hex') }
  }

  /** Who sent it, or the challenge that is the answer. Throws `too-many-attempts`. */
  check(request: InboundRequest): Proof | SipReply | Promise<Proof | SipReply> {
    const { message, source } = request
    const given = this.#credentialsIn(message)
    if (given === undefined) return this.#challenge(message, false)
    const username = textOf(given.username)
    this.#checkAttempts(source, username)
    const credential = this.#needs.credentialsOf(username)
    if (credential instanceof Promise) return credential.then((known) => this.#judge(request, given, username, known))
    return this.#judge(request, given, username, credential)
  }

  /** The first credentials that are for this realm; others are for whoever comes next (RFC 3261 §22.3). */
  #credentialsIn(message: SipRequest): Credentials | undefined {
    for (const line of message.headers.all(message.method === 'REGISTER' ? 'authorization' : 'proxy-authorization')) {
      const credentials = readCredentials(line)
      if (credentials?.realm === this.#needs.realm && this.#algorithmOf(credentials) !== undefined) return credentials
    }
    return undefined
  }

  #algorithmOf({ algorithm }: Credentials): DigestAlgorithm | undefined {
    const known = digestAlgorithm(algorithm)
    return known !== undefined && this.#needs.algorithms.includes(known) ? known : undefined
  }

  #checkAttempts(source: Source, username: string): void {
    const retryAfter = Math.max(this.#sources.wait(source.address), this.#users.wait(username))
    if (retryAfter > 0) throw new Failure('too-many-attempts', username, { retryAfter })
  }

  #judge(request: InboundRequest, given: Credentials, username: string, known: Credential | undefined) {
    const { message, source } = request
    if (!this.#isRight(message, given, known ?? this.#nobody) || known === undefined) {
      this.#sources.add(source.address)
      this.#users.add(username)
      this.#needs.log.info({ part: 'authentication', username, address: source.address }, 'wrong credentials')
      return this.#challenge(message, false)
    }
    this.#users.forgive(username)
    // A nonce that is old, of another run, or used with this count before: whoever knows the password gets a new one.
    if (!this.#nonces.use(given.nonce, countOf(given))) return this.#challenge(message, true)
    return known
  }

  /**
   * Compares the response in constant time. Its `uri` may differ from the request-URI: sipp and others name the address
   * that they send to. Nothing is lost, since a response is good for one request only, and the body was never covered.
   */
  #isRight(message: SipRequest, given: Credentials, credential: Credential): boolean {
    if (given.uri !== message.uri) {
      this.#needs.log.debug({ part: 'authentication', uri: given.uri, target: message.uri }, 'digest-uri differs')
    }
    const algorithm = this.#algorithmOf(given) ?? 'MD5'
    const { method } = message
    const { uri, nonce } = given
    const ha1 = algorithm === 'MD5' ? credential.md5 : credential.sha256
    const input = { algorithm, ha1, method, uri, nonce }
    return isSame(
      given.response,
      digestResponse(given.qop === undefined ? input : { ...input, ...protectionOf(given) }),
    )
  }

  /** RFC 8760 §2.3: one challenge for each algorithm, all with the same nonce. */
  #challenge({ method }: SipRequest, stale: boolean): SipReply {
    const register = method === 'REGISTER'
    const name = register ? 'WWW-Authenticate' : 'Proxy-Authenticate'
    const nonce = this.#nonces.make()
    const { realm, algorithms } = this.#needs
    const headers = algorithms.map(
      (algorithm) => [name, writeChallenge({ realm, nonce, algorithm, qop: ['auth'], stale })] as const,
    )
    return { status: register ? 401 : 407, headers }
  }
}

/** Header text is latin1; what it spells is UTF-8. */
const textOf = (header: string) => (/[\x80-\xff]/.test(header) ? Buffer.from(header, 'latin1').toString() : header)

/** Without qop a nonce is good for one request: there is no count (RFC 2069). */
const countOf = ({ qop, nc }: Credentials) => (qop === undefined ? 1 : Number.parseInt(nc ?? '', 16))

/** `auth` is what was offered; with it there are a count and a nonce of the client (RFC 7616 §3.4). */
function protectionOf({ qop, nc, cnonce }: Credentials): { qop: 'auth'; nc: string; cnonce: string } {
  if (qop?.toLowerCase() !== 'auth' || cnonce === undefined || !/^[0-9a-f]{8}$/i.test(nc ?? '')) {
    throw new MalformedSip('Digest with qop needs qop=auth, nc and cnonce')
  }
  return { qop: 'auth', nc: nc as string, cnonce }
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given.toLowerCase(), 'latin1'), Buffer.from(expected, 'latin1')]
  return a.length === b.length && timingSafeEqual(a, b)
}
