import { randomBytes } from 'node:crypto'
import {
  type Challenge,
  type DigestAlgorithm,
  digestAlgorithm,
  digestResponse,
  ha1,
  readChallenge,
  writeCredentials,
} from '../protocols/sip/digest.ts'
import { MalformedSip } from '../protocols/sip/malformed-sip.ts'
import type { SipRequest, SipResponse } from '../protocols/sip/message.ts'
import { readUri } from '../protocols/sip/uri.ts'

/** Who the client is, and what proves it (RFC 3261 §22, RFC 7616, RFC 8760). */
export class Account {
  readonly aor: string
  readonly user: string
  readonly domain: string
  readonly #password: string

  /** `fallbackDomain` is that of a tel: address, which names none. */
  constructor(aor: string, password: string, fallbackDomain: string) {
    const uri = readUri(aor)
    this.aor = aor
    this.user = uri.user ?? ''
    this.domain = uri.host === '' ? fallbackDomain : uri.host
    this.#password = password
  }

  /** Adds the answer to a 401 or 407. False when there is no challenge that can be answered. */
  answer(response: SipResponse, request: SipRequest): boolean {
    const [asked, given] =
      response.status === 407 ? ['proxy-authenticate', 'Proxy-Authorization'] : ['www-authenticate', 'Authorization']
    const chosen = choose(response.headers.all(asked))
    if (chosen === undefined) return false
    request.headers.set(given, this.#credentials(chosen.challenge, chosen.algorithm, request))
    return true
  }

  #credentials(challenge: Challenge, algorithm: DigestAlgorithm, request: SipRequest): string {
    const { realm, nonce, opaque } = challenge
    const { method, uri } = request
    const secret = ha1(algorithm, this.user, realm, this.#password)
    const protection = challenge.qop.includes('auth')
      ? ({ qop: 'auth', nc: '00000001', cnonce: randomBytes(8).toString('hex') } as const)
      : {}
    const response = digestResponse({ algorithm, ha1: secret, method, uri, nonce, ...protection })
    const echoed = opaque === undefined ? {} : { opaque }
    return writeCredentials({ username: this.user, realm, nonce, uri, response, algorithm, ...echoed, ...protection })
  }
}

/** The first one that is understood: the server names what it likes best at the top (RFC 8760 §2.4). */
function choose(values: readonly string[]): { challenge: Challenge; algorithm: DigestAlgorithm } | undefined {
  for (const value of values) {
    const challenge = readOrPass(value)
    const algorithm = challenge && digestAlgorithm(challenge.algorithm)
    if (challenge !== undefined && algorithm !== undefined) return { challenge, algorithm }
  }
  return undefined
}

function readOrPass(value: string): Challenge | undefined {
  try {
    return readChallenge(value)
  } catch (err) {
    if (err instanceof MalformedSip) return undefined
    throw err
  }
}
