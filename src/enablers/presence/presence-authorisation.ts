import type { Circumstances } from '../../protocols/common-policy/conditions.ts'
import { MalformedXml } from '../../protocols/xml/malformed-xml.ts'
import { type Decision, everything, type Handling, PresenceRules } from './presence-rules.ts'

interface RulesDocument {
  readonly etag: string
  readonly content: Buffer
}

type Found<T> = T | undefined | Promise<T | undefined>

export interface AuthorisationNeeds {
  readonly rulesOf: (owner: number) => Found<RulesDocument>
  /** Addresses in the list of that owner which an XCAP URI names. */
  readonly listed: (owner: number, uri: string) => ReadonlySet<string> | Promise<ReadonlySet<string>>
  readonly addressOf: (uri: string) => string | undefined
  /** For users without rules. */
  readonly unruled: Handling
  readonly now: () => number
}

const mostRead = 10_000

/** Who may see whose presence, and how much of it: what the rules of the watched user say. */
export class PresenceAuthorisation {
  readonly #needs: AuthorisationNeeds
  readonly #read = new Map<string, PresenceRules | undefined>()

  constructor(needs: AuthorisationNeeds) {
    this.#needs = needs
  }

  async decide(
    owner: number,
    watcher: { readonly aor: string; readonly owner: number | undefined; readonly anonymous: boolean },
  ): Promise<Decision> {
    if (watcher.owner === owner) return { handling: 'allow', shows: everything }
    const document = await this.#needs.rulesOf(owner)
    if (document === undefined) return { handling: this.#needs.unruled, shows: everything }
    const rules = this.#rulesIn(document)
    // Rules that cannot be read were never accepted by this server: nothing is granted.
    if (rules === undefined)
      return { handling: 'block', shows: { services: [], persons: [], devices: [], attributes: new Set() } }
    const asker = { identities: [watcher.aor], anonymous: watcher.anonymous }
    return rules.decide(asker, await this.#circumstances(owner, rules))
  }

  async #circumstances(owner: number, rules: PresenceRules): Promise<Omit<Circumstances, 'other'>> {
    const lists = new Map<string, ReadonlySet<string>>()
    for (const uri of rules.lists) lists.set(uri, await this.#needs.listed(owner, uri))
    return { now: this.#needs.now(), inList: (uri, aor) => lists.get(uri)?.has(aor) === true }
  }

  #rulesIn({ etag, content }: RulesDocument): PresenceRules | undefined {
    if (this.#read.has(etag)) return this.#read.get(etag)
    const rules = readQuietly(content, this.#needs.addressOf)
    if (this.#read.size >= mostRead) this.#read.clear()
    this.#read.set(etag, rules)
    return rules
  }
}

function readQuietly(content: Buffer, addressOf: (uri: string) => string | undefined): PresenceRules | undefined {
  try {
    return new PresenceRules(content, addressOf)
  } catch (err) {
    if (err instanceof MalformedXml) return undefined
    throw err
  }
}
