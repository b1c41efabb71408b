import { type Condition, readConditions } from '../../../protocols/common-policy/conditions.ts'
import { readElements } from '../../../protocols/xml/read-elements.ts'
import type { Document, Documents } from '../documents/index.ts'
import type { Access, ApplicationUsage } from './application-usage.ts'

interface Needs {
  readonly documents: Pick<Documents, 'find'>
  /** Applications whose documents owners may let others read. */
  readonly shared: ReadonlySet<string>
  readonly addressOf: (uri: string) => string | undefined
  readonly now: () => number
}

interface Rule {
  readonly matches: Condition
  readonly allows: readonly { readonly auid: string; readonly document: string | undefined }[]
}

const limits = { depth: 100, elements: 50_000 }
const mostRead = 1_000

/** What the access rules of owners let others read: the document `access-rules` of the shared policy (OMA XDM). */
export class GrantedAccess {
  readonly #needs: Needs
  readonly #read = new Map<string, readonly Rule[]>()

  constructor(needs: Needs) {
    this.#needs = needs
  }

  async grants({ auid }: Pick<ApplicationUsage, 'auid'>, { principal, owner, document }: Access): Promise<boolean> {
    if (owner === undefined || !this.#needs.shared.has(auid)) return false
    const key = { owner: owner.id, auid: 'org.openmobilealliance.access-rules', name: 'access-rules' }
    const found = await this.#needs.documents.find(key)
    if (found === undefined) return false
    const rules = this.#rulesIn(found)
    const now = this.#needs.now()
    const asker = { identities: principal.identities, anonymous: false }
    const matching = (other: boolean) => rules.filter(({ matches }) => matches(asker, { now, other }))
    const direct = matching(false)
    return (direct.length > 0 ? direct : matching(true)).some(({ allows }) =>
      allows.some((one) => one.auid === auid && (one.document ?? document) === document),
    )
  }

  #rulesIn({ etag, content }: Document): readonly Rule[] {
    const known = this.#read.get(etag)
    if (known !== undefined) return known
    const rules = readRules(content, this.#needs.addressOf)
    if (this.#read.size >= mostRead) this.#read.clear()
    this.#read.set(etag, rules)
    return rules
  }
}

/** The schema was checked when the document was put. */
function readRules(content: Buffer, addressOf: Needs['addressOf']): readonly Rule[] {
  const text = content.toString('utf8')
  return readElements(text, limits).children.map((rule) => {
    const actions = rule.children.filter(({ name }) => name === 'actions').flatMap(({ children }) => children)
    const allows = actions.filter(
      ({ name, namespace }) => name === 'allow-read' && namespace === 'urn:parley:access-rules',
    )
    return {
      matches: readConditions(text, rule, addressOf),
      allows: allows.map(({ attributes }) => {
        const attribute = (name: string) => attributes.find((one) => one.name === name)?.value
        return { auid: attribute('auid') ?? '', document: attribute('document') }
      }),
    }
  })
}
