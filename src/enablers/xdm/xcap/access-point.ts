import type { Principal } from './application-usage.ts'

export interface AccessPointNeeds {
  /** A proof, or the challenges that ask for one. Throws Failure('too-many-attempts'). */
  readonly prove: (claim: {
    readonly method: string
    readonly uri: string
    readonly lines: readonly string[]
    readonly address: string
  }) => Verdict | Promise<Verdict>
  /** Throws where a bearer token is not that of the operator. */
  readonly checkOperator: (authorization: string, address: string) => void
  readonly principalById: (id: number) => Principal | undefined | Promise<Principal | undefined>
  /** Whose address it is. */
  readonly principalOf: (uri: string) => Principal | undefined | Promise<Principal | undefined>
  /** Whether a peer at that address vouches for the identities it asserts. */
  readonly trusts: (address: string) => boolean
}

type Verdict = { readonly subscriber: number } | { readonly challenges: readonly string[] }

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
  async principalOf(sent: Sent): Promise<Principal | { readonly challenges: readonly string[] }> {
    const { method, url, address, authorization, asserted } = sent
    if (asserted !== undefined && this.#needs.trusts(address)) {
      const principal = await this.#firstServed(asserted)
      if (principal !== undefined) return principal
    }
    if (authorization !== undefined && /^bearer /i.test(authorization)) {
      this.#needs.checkOperator(authorization, address)
      return operator
    }
    const lines = authorization === undefined ? [] : [authorization]
    const verdict = await this.#needs.prove({ method, uri: url, lines, address })
    if ('challenges' in verdict) return verdict
    return (await this.#needs.principalById(verdict.subscriber)) ?? { challenges: [] }
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
