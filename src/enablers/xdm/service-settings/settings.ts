import { readElements } from '../../../protocols/xml/read-elements.ts'
import { stringValue } from '../../../protocols/xml/string-value.ts'
import type { XmlElement } from '../../../protocols/xml/xml-element.ts'

export type Medium = 'message' | 'chat' | 'file' | 'voice' | 'video'
export type Reception = 'deliver' | 'keep' | 'refuse'

interface Sender {
  /** Canonical address. */
  readonly aor: string
  readonly anonymous: boolean
  /** One of our users, with all addresses. */
  readonly subscriber?: { readonly identities: readonly string[] }
}

export type Storage = 'always' | 'ask' | 'never'

/** Which things that it names become part of the history; without partners it is about all. */
interface StorageRule {
  readonly partners: SenderList | undefined
  readonly media: Medium | undefined
  readonly action: Storage
}

interface Rule {
  readonly device: string | undefined
  readonly contact: string | undefined
  readonly media: Medium | undefined
  readonly action: Reception
}

/** Senders that a list names. */
interface SenderList {
  readonly addresses: ReadonlySet<string>
  readonly domains: ReadonlySet<string>
  readonly anonymous: boolean
}

const limits = { depth: 20, elements: 50_000 }

/** How messages and sessions are to reach a user: a document of service settings, read. */
export class Settings {
  readonly storage: Storage | undefined
  readonly absent: 'keep' | 'notify' | 'discard' | undefined
  /** How long a mailbox keeps what is in it; undefined: as long as the operator says. */
  readonly keepDays: number | undefined
  /** Whether what is sent from one device is copied to the others. */
  readonly copies: 'always' | 'never' | undefined
  /** Of texts that the server itself sends, such as `de`. */
  readonly language: string | undefined
  readonly #rules: readonly Rule[]
  readonly #storageRules: readonly StorageRule[]
  readonly #allowed: SenderList
  readonly #blocked: SenderList
  readonly #others: 'allow' | 'block'

  constructor(content: Buffer, addressOf: (uri: string) => string | undefined) {
    const text = content.toString('utf8')
    const root = readElements(text, limits)
    const contentOf = (element: XmlElement | undefined) => element && stringValue(text, element).trim()
    const senders = childOf(root, 'senders')
    this.storage = contentOf(childOf(root, 'storage')) as Settings['storage']
    this.absent = contentOf(childOf(root, 'absent')) as Settings['absent']
    const keepDays = contentOf(childOf(root, 'keep-days'))
    this.keepDays = keepDays === undefined ? undefined : Number(keepDays)
    this.copies = contentOf(childOf(root, 'copies')) as Settings['copies']
    this.language = contentOf(childOf(childOf(root, 'notifications'), 'language'))
    this.#rules = (childOf(root, 'reception')?.children ?? []).map(readRule)
    this.#storageRules = (childOf(root, 'storage-rules')?.children ?? []).map((rule) => readStorage(rule, addressOf))
    this.#allowed = readSenders(childOf(senders, 'allowed'), addressOf)
    this.#blocked = readSenders(childOf(senders, 'blocked'), addressOf)
    this.#others = attributeOf(senders, 'others') === 'block' ? 'block' : 'allow'
  }

  /** Whether anything is to be stored, ever; undefined: nothing is said of it. */
  get storesAny(): boolean | undefined {
    if (this.#storageRules.some(({ action }) => action !== 'never')) return true
    return this.storage && this.storage !== 'never'
  }

  /** There are rules about devices, addresses or media. */
  get differs(): boolean {
    return this.#rules.length > 0
  }

  /**
   * Whether somebody comes through. Who is blocked is so under all their addresses, shown or not. `awaited`: with what this
   * user has asked for, so that only who is named is refused.
   */
  admits({ aor, anonymous, subscriber }: Sender, awaited: boolean): boolean {
    const aors = subscriber?.identities ?? [aor]
    if (!anonymous && isNamed(this.#allowed, aors)) return true
    if (isNamed(this.#blocked, aors) || (anonymous && this.#blocked.anonymous)) return false
    if (anonymous && this.#allowed.anonymous) return true
    return awaited || this.#others === 'allow'
  }

  /** Whether something with that partner, under any of their addresses, is to be stored; undefined: nothing is said. */
  storageOf(peers: readonly string[], medium: Medium): Storage | undefined {
    for (const { partners, media, action } of this.#storageRules) {
      if (media !== undefined && media !== medium) continue
      if (partners === undefined || isNamed(partners, peers)) return action
    }
    return this.storage
  }

  /** What becomes of something for a device that came to one of the user's addresses. `device`: '' for one that is not known. */
  reception(device: string, contact: string, medium: Medium): Reception {
    for (const rule of this.#rules) {
      if (rule.device !== undefined && rule.device !== device) continue
      if (rule.contact !== undefined && rule.contact !== contact) continue
      if (rule.media === undefined || rule.media === medium) return rule.action
    }
    return 'deliver'
  }
}

function readStorage(element: XmlElement, addressOf: (uri: string) => string | undefined): StorageRule {
  return {
    partners: element.children.length === 0 ? undefined : readSenders(element, addressOf),
    media: attributeOf(element, 'media') as Medium | undefined,
    action: attributeOf(element, 'action') as Storage,
  }
}

function readRule(element: XmlElement): Rule {
  return {
    device: attributeOf(element, 'device'),
    contact: attributeOf(element, 'contact'),
    media: attributeOf(element, 'media') as Medium | undefined,
    action: attributeOf(element, 'action') as Reception,
  }
}

function readSenders(list: XmlElement | undefined, addressOf: (uri: string) => string | undefined): SenderList {
  const named = (name: string, attribute: string) =>
    (list?.children ?? []).flatMap((child) => (child.name === name ? (attributeOf(child, attribute) ?? []) : []))
  return {
    addresses: new Set(named('sender', 'uri').map((uri) => addressOf(uri) ?? uri)),
    domains: new Set(named('domain', 'name').map((domain) => domain.toLowerCase())),
    anonymous: childOf(list, 'anonymous') !== undefined,
  }
}

const isNamed = ({ addresses, domains }: SenderList, aors: readonly string[]): boolean =>
  aors.some((aor) => addresses.has(aor) || (domains.size > 0 && domains.has(aor.slice(aor.lastIndexOf('@') + 1))))
const childOf = (element: XmlElement | undefined, name: string): XmlElement | undefined =>
  element?.children.find((child) => child.name === name)
const attributeOf = (element: XmlElement | undefined, name: string): string | undefined =>
  element?.attributes.find((one) => one.name === name && one.namespace === '')?.value
