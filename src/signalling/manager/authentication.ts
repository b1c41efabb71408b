import { randomBytes, timingSafeEqual } from 'node:crypto'
import { Failure } from '../../failure.ts'
import {
  type Credentials,
  type DigestAlgorithm,
  digestAlgorithm,
  digestResponse,
  ha1,
  readCredentials,
  writeChallenge,
} from '../../protocols/sip/digest.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { InboundRequest, SipReply } from '../edge/sip-port.ts'
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

/** A request that may hold a proof. */
export interface Claim {
  readonly method: string
  /** What it is for: request-URI, or path and query. */
  readonly uri: string
  /** Its Authorization or Proxy-Authorization header fields. */
  readonly lines: readonly string[]
  /** Where it came from. */
  readonly address: string
}

/** A name and a password, as somebody typed them. */
export interface PasswordClaim {
  readonly username: string
  readonly password: string
  readonly address: string
}

/** The values of the header fields that ask for a proof. */
export interface Challenged {
  readonly challenges: readonly string[]
}

type Verdict = Proof | Challenged

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
  check({ message, source }: InboundRequest): Proof | SipReply | Promise<Proof | SipReply> {
    const register = message.method === 'REGISTER'
    const lines = message.headers.all(register ? 'authorization' : 'proxy-authorization')
    const { method, uri } = message
    const verdict = this.prove({ method, uri, lines, address: source.address })
    if (verdict instanceof Promise) return verdict.then((known) => asReply(known, register))
    return asReply(verdict, register)
  }

  /** The same for a request of any protocol with this authentication, HTTP among them. Throws `too-many-attempts`. */
  prove(claim: Claim): Verdict | Promise<Verdict> {
    const given = this.#credentialsIn(claim.lines)
    if (given === undefined) return this.#challenge(false)
    const username = textOf(given.username)
    this.#checkAttempts(claim.address, username)
    const credential = this.#needs.credentialsOf(username)
    if (credential instanceof Promise) return credential.then((known) => this.#judge(claim, given, username, known))
    return this.#judge(claim, given, username, credential)
  }

  /**
   * The same for somebody who shows the password itself (RFC 6749 §4.3); undefined where it is wrong. Guesses are counted
   * with those by digest. Throws `too-many-attempts`.
   */
  async provePassword(claim: PasswordClaim): Promise<Proof | undefined> {
    const { username, password, address } = claim
    this.#checkAttempts(address, username)
    const known = await this.#needs.credentialsOf(username)
    const shown = ha1('SHA-256', username, this.#needs.realm, password)
    if (!isSame(shown, (known ?? this.#nobody).sha256) || known === undefined) {
      this.#countFailure(username, address)
      return undefined
    }
    this.#users.forgive(username)
    return { subscriber: known.subscriber }
  }

  /** The first credentials that are for this realm; others are for whoever comes next (RFC 3261 §22.3). */
  #credentialsIn(lines: readonly string[]): Credentials | undefined {
    for (const line of lines) {
      const credentials = readCredentials(line)
      if (credentials?.realm === this.#needs.realm && this.#algorithmOf(credentials) !== undefined) return credentials
    }
    return undefined
  }

  #algorithmOf({ algorithm }: Credentials): DigestAlgorithm | undefined {
    const known = digestAlgorithm(algorithm)
    return known !== undefined && this.#needs.algorithms.includes(known) ? known : undefined
  }

  #checkAttempts(address: string, username: string): void {
    const retryAfter = Math.max(this.#sources.wait(address), this.#users.wait(username))
    if (retryAfter > 0) throw new Failure('too-many-attempts', username, { retryAfter })
  }

  #countFailure(username: string, address: string): void {
    this.#sources.add(address)
    this.#users.add(username)
    this.#needs.log.info({ part: 'authentication', username, address }, 'wrong credentials')
  }

  #judge(claim: Claim, given: Credentials, username: string, known: Credential | undefined): Verdict {
    const { address } = claim
    if (!this.#isRight(claim, given, known ?? this.#nobody) || known === undefined) {
      this.#countFailure(username, address)
      return this.#challenge(false)
    }
    this.#users.forgive(username)
    // A nonce that is old, of another run, or used with this count before: whoever knows the password gets a new one.
    if (!this.#nonces.use(given.nonce, countOf(given))) return this.#challenge(true)
    return known
  }

  /**
   * Compares the response in constant time. Its `uri` may differ from the request-URI: sipp and others name the address
   * that they send to. Nothing is lost, since a response is good for one request only, and the body was never covered.
   */
  #isRight({ method, uri: target }: Claim, given: Credentials, credential: Credential): boolean {
    if (given.uri !== target) {
      this.#needs.log.debug({ part: 'authentication', uri: given.uri, target }, 'digest-uri differs')
    }
    const algorithm = this.#algorithmOf(given) ?? 'MD5'
    const { uri, nonce } = given
    const ha1 = algorithm === 'MD5' ? credential.md5 : credential.sha256
    const input = { algorithm, ha1, method, uri, nonce }
    return isSame(
      given.response,
      digestResponse(given.qop === undefined ? input : { ...input, ...protectionOf(given) }),
    )
  }

  /** RFC 8760 §2.3: one challenge for each algorithm, all with the same nonce. */
  #challenge(stale: boolean): Challenged {
    const nonce = this.#nonces.make()
    const { realm, algorithms } = this.#needs
    return {
      challenges: algorithms.map((algorithm) => writeChallenge({ realm, nonce, algorithm, qop: ['auth'], stale })),
    }
  }
}

function asReply(verdict: Verdict, register: boolean): Proof | SipReply {
  if (!('challenges' in verdict)) return verdict
  const name = register ? 'WWW-Authenticate' : 'Proxy-Authenticate'
  return { status: register ? 401 : 407, headers: verdict.challenges.map((challenge) => [name, challenge] as const) }
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
