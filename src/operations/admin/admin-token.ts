import { createHash, timingSafeEqual } from 'node:crypto'
import { HttpProblem } from '../problem.ts'

const window = 60_000
const mostFailures = 20
const mostSources = 1000

interface Failures {
  count: number
  readonly since: number
}

/** Who may administer: whoever bears `admin.token` (RFC 6750). A source that guesses is refused for the rest of a minute. */
export class AdminToken {
  readonly #digest: Buffer | undefined
  readonly #now: () => number
  readonly #failures = new Map<string, Failures>()

  constructor(token: string | undefined, now: () => number) {
    this.#digest = token === undefined ? undefined : digestOf(token)
    this.#now = now
  }

  /** Throws the problem that answers a request which may not pass. */
  check(authorization: string | undefined, source: string): void {
    if (this.#digest === undefined) {
      throw new HttpProblem(403, 'Administration is off', 'Set admin.token to a secret of 16 characters or more')
    }
    this.#refuseGuesser(source)
    const token = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
    if (token !== undefined && timingSafeEqual(digestOf(token), this.#digest)) return
    if (token !== undefined) this.#countFailure(source)
    const challenge = `Bearer realm="parley"${token === undefined ? '' : ', error="invalid_token"'}`
    throw new HttpProblem(401, 'Not authenticated', 'Send Authorization: Bearer with the value of admin.token', {
      'www-authenticate': challenge,
    })
  }

  #refuseGuesser(source: string): void {
    const failures = this.#failures.get(source)
    if (failures === undefined) return
    const left = failures.since + window - this.#now()
    if (left <= 0) this.#failures.delete(source)
    else if (failures.count >= mostFailures) {
      const retry = { 'retry-after': String(Math.ceil(left / 1000)) }
      throw new HttpProblem(429, 'Too many attempts', 'Too many wrong tokens came from this address', retry)
    }
  }

  #countFailure(source: string): void {
    const failures = this.#failures.get(source)
    if (failures !== undefined) failures.count++
    else this.#failures.set(source, { count: 1, since: this.#now() })
    const [oldest] = this.#failures.keys()
    if (this.#failures.size > mostSources && oldest !== undefined) this.#failures.delete(oldest)
  }
}

/** Of one length, so that the comparison tells nothing of the token's. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
