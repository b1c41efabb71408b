import type { Principal } from './application-usage.ts'

export interface AccessPointNeeds {
  /** The user, by digest or with an access token, or the challenges that ask for either. */
  readonly userOf: (sent: Sent) => Promise<Principal | Challenged>
  /** Throws where a bearer token is not that of the operator. */
  readonly checkOperator: (authorization: string, address: string) => void
  readonly isUserToken: (token: string) => boolean
  /** Whose address it is. */
  readonly principalOf: (uri: string) => Principal | undefined | Promise<Principal | undefined>
  /** Whether a peer at that address vouches for the identities it asserts. */
  readonly trusts: (address: string) => boolean
}

/** Who has shown nothing (401), or a token for something else (403). */
export interface Challenged {
  readonly status: 401 | 403
  readonly challenges: readonly string[]
}

/** What of an HTTP request tells who sends it. */
export interface Sent {
  readonly method: string
  readonly url: string
  readonly address: string
  readonly authorization: string | undefined
  /** X-3GPP-Asserted-Identity or X-XCAP-Asserted-Identity. */
  readonly asserted: string | undefined
}

const operator: Principal = { id: 0, identities: [], operator: true }

/** The door of XDM clients: who asks (OMA XDM, access point for XDM clients). */
export class AccessPoint {
  readonly #needs: AccessPointNeeds

  constructor(needs: AccessPointNeeds) {
    this.#needs = needs
  }

  /** A trusted proxy says who it is, users prove it. Resolves with the challenges where they have not. */
  async principalOf(sent: Sent): Promise<Principal | Challenged> {
    const { address, authorization = '', asserted } = sent
    if (asserted !== undefined && this.#needs.trusts(address)) {
      const principal = await this.#firstServed(asserted)
      if (principal !== undefined) return principal
    }
    const token = /^bearer +(\S*) *$/i.exec(authorization)?.[1]
    if (token === undefined || this.#needs.isUserToken(token)) return await this.#needs.userOf(sent)
    this.#needs.checkOperator(authorization, address)
    return operator
  }

  /** Several may be asserted, each in quotes or not (3GPP TS 24.109 §G.1.6). */
  async #firstServed(asserted: string): Promise<Principal | undefined> {
    for (const one of asserted.split(',')) {
      const principal = await this.#needs.principalOf(one.trim().replace(/^"(.*)"$/, '$1'))
      if (principal !== undefined) return principal
    }
    return undefined
  }
}
