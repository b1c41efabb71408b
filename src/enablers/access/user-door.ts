import { createHash } from 'node:crypto'
import { Failure } from '../../failure.ts'
import type { Grant } from './access-tokens.ts'
import { covers, type Scope, scopes } from './scopes.ts'

interface Subscriber {
  readonly id: number
  readonly username: string
  readonly identities: readonly string[]
}

interface Credential {
  readonly subscriber: number
  readonly md5: string
  readonly sha256: string
}

interface Needs {
  readonly realm: string
  readonly tokens: { find(token: string): Grant | undefined | Promise<Grant | undefined> }
  /** A proof by digest, or the challenges that ask for one. Throws Failure('too-many-attempts'). */
  readonly prove: (claim: {
    readonly method: string
    readonly uri: string
    readonly lines: readonly string[]
    readonly address: string
  }) => Verdict | Promise<Verdict>
  readonly subscriberById: (id: number) => Subscriber | undefined | Promise<Subscriber | undefined>
  readonly credentialOf: (username: string) => Credential | undefined | Promise<Credential | undefined>
}

type Verdict = { readonly subscriber: number } | { readonly challenges: readonly string[] }

/** What of an HTTP request tells who sends it. */
export interface Sent {
  readonly method: string
  readonly url: string
  readonly address: string
  readonly authorization: string | undefined
}

/** A user who has shown who they are, and what they may do in this request. */
export interface UserPrincipal {
  readonly id: number
  /** Canonical addresses, the default public one first. */
  readonly identities: readonly string[]
  readonly scopes: readonly Scope[]
}

/** The answer to a request that does not show who sends it (401), or with a token for something else (403). */
export interface Challenge {
  readonly status: 401 | 403
  /** The values of WWW-Authenticate. */
  readonly challenges: readonly string[]
}

/** The door of users over HTTP: by digest, or with an access token (RFC 6750). */
export class UserDoor {
  readonly #needs: Needs

  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** Who sends it, where they may do what needs `scope`. Throws Failure('too-many-attempts') and 'malformed'. */
  async principalOf(sent: Sent, scope: Scope): Promise<UserPrincipal | Challenge> {
    const token = /^bearer +(\S*) *$/i.exec(sent.authorization ?? '')?.[1]
    if (token !== undefined) return await this.#byToken(sent, token, scope)
    const verdict = await this.#proof(sent)
    if ('challenges' in verdict) return { status: 401, challenges: [...verdict.challenges, this.#bearer()] }
    const user = await this.#needs.subscriberById(verdict.subscriber)
    return user === undefined ? await this.#challenge(sent) : { id: user.id, identities: user.identities, scopes }
  }

  /** Whether what proved the owner when the grant was made still does: a new password ends all that went before. */
  async isInForce({ owner, credential }: Grant): Promise<boolean> {
    return (await this.#userOf(owner, credential)) !== undefined
  }

  /** What stands in a new grant for what proves that somebody is `username`. */
  async sealOf(username: string): Promise<string | undefined> {
    const credential = await this.#needs.credentialOf(username)
    const user = credential && (await this.#needs.subscriberById(credential.subscriber))
    const known = user && (await this.#needs.credentialOf(user.username))
    return known && sealOf(known)
  }

  async #byToken(sent: Sent, token: string, scope: Scope): Promise<UserPrincipal | Challenge> {
    const grant = await this.#needs.tokens.find(token)
    const user = grant && (await this.#userOf(grant.owner, grant.credential))
    if (grant === undefined || user === undefined) return await this.#challenge(sent, 'error="invalid_token"')
    if (covers(grant.scopes, scope)) return { id: user.id, identities: user.identities, scopes: grant.scopes }
    return { status: 403, challenges: [this.#bearer(`error="insufficient_scope", scope="${scope}"`)] }
  }

  async #userOf(owner: number, credential: string): Promise<Subscriber | undefined> {
    const user = await this.#needs.subscriberById(owner)
    const known = user && (await this.#needs.credentialOf(user.username))
    return known !== undefined && sealOf(known) === credential ? user : undefined
  }

  async #proof({ method, url, address, authorization }: Sent): Promise<Verdict> {
    const lines = authorization === undefined ? [] : [authorization]
    try {
      return await this.#needs.prove({ method, uri: url, lines, address })
    } catch (err) {
      if (err instanceof Error && err.name === 'MalformedSip') throw new Failure('malformed', err.message)
      throw err
    }
  }

  /** One challenge for each way (RFC 7616 §3.7): those by digest, which any client knows, come first. */
  async #challenge(sent: Sent, error?: string): Promise<Challenge> {
    const verdict = await this.#needs.prove({ method: sent.method, uri: sent.url, lines: [], address: sent.address })
    const digests = 'challenges' in verdict ? verdict.challenges : []
    return { status: 401, challenges: [...digests, this.#bearer(error)] }
  }

  #bearer(error?: string): string {
    return `Bearer realm="${this.#needs.realm}"${error === undefined ? '' : `, ${error}`}`
  }
}

const sealOf = ({ md5, sha256 }: Credential): string =>
  createHash('sha256').update(`access grant\n${md5}\n${sha256}`).digest('base64url')
