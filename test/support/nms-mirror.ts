import type { NmsUser } from './nms-user.ts'

interface Entry {
  readonly lastModSeq: number
  readonly parentFolder: string
  readonly flags?: readonly string[]
  readonly name?: string
}

// biome-ignore lint/suspicious/noExplicitAny: a notification as it comes
type Json = any

/** What a client keeps of a mailbox: it applies notifications in whatever order they come (NMS §5.1.4). */
export class NmsMirror {
  readonly #user: NmsUser
  readonly #entries = new Map<string, Entry>()
  /** Sequences of what has gone. */
  readonly #gone = new Map<string, number>()
  #resetAt = 0
  /** Up to this index nothing is missing, and this is where a restart begins. */
  #index = 0
  #token = ''
  readonly #early = new Map<number, string>()
  readonly subscription: string

  constructor(user: NmsUser, { resourceURL, restartToken }: Json) {
    this.#user = user
    this.subscription = resourceURL
    this.#token = restartToken
  }

  async take(list: Json): Promise<void> {
    if (list.index < this.#resetAt) return // of a box that is no more
    for (const event of list.nmsEvent) await this.#apply(event, list.index)
    this.#early.set(list.index, list.restartToken)
    for (let next = this.#early.get(this.#index + 1); next !== undefined; next = this.#early.get(this.#index + 1)) {
      this.#index += 1
      this.#token = next
    }
  }

  /** Whether it knows by now that a notification is missing. */
  get hasGap(): boolean {
    return [...this.#early.keys()].some((index) => index > this.#index)
  }

  /** Asks for all since the last one before the gap (§5.1.4.5). */
  async restart(): Promise<void> {
    const change = { nmsSubscriptionUpdate: { restartToken: this.#token } }
    const { status, body, text } = await this.#user.json('POST', this.subscription, change)
    if (status !== 200) throw new Error(text)
    this.#index = body.index - 1
    this.#early.clear()
  }

  /** The last ones may be missing, and nothing comes after them that would tell. */
  async restartIfBehind(): Promise<void> {
    const { body } = await this.#user.json('GET', this.subscription)
    if (this.hasGap || body.index > this.#index + 1) await this.restart()
  }

  /** As `readAll` shows the mailbox. */
  get state(): Record<string, Entry> {
    return Object.fromEntries([...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  async #apply(event: Json, index: number): Promise<void> {
    if ('resetBox' in event) return await this.#reset(index)
    const [[kind, of]] = Object.entries(event) as [[string, Json]]
    const known = Math.max(this.#entries.get(of.resourceURL)?.lastModSeq ?? 0, this.#gone.get(of.resourceURL) ?? 0)
    if (of.lastModSeq <= known) return
    if (kind.startsWith('changed')) {
      this.#entries.set(of.resourceURL, entryOf(of))
      return
    }
    this.#entries.delete(of.resourceURL)
    this.#gone.set(of.resourceURL, of.lastModSeq)
  }

  async #reset(index: number): Promise<void> {
    this.#resetAt = index
    this.#entries.clear()
    this.#gone.clear()
    for (const [url, entry] of Object.entries(await readAll(this.#user))) this.#entries.set(url, entry)
  }
}

const entryOf = ({ lastModSeq, parentFolder, flags, name }: Json): Entry => ({
  lastModSeq: Number(lastModSeq),
  parentFolder,
  ...(flags !== undefined && { flags: flags.flag ?? [] }),
  ...(name !== undefined && { name }),
})

/** All objects, and all folders but the root, page by page. */
export async function readAll(user: NmsUser): Promise<Record<string, Entry>> {
  const all: [string, Entry][] = []
  for (const of of ['folders', 'objects'] as const) {
    let fromCursor: string | undefined
    do {
      const sort = of === 'objects' ? { sortCriteria: { criterion: [{ type: 'Date' }] } } : {}
      const page = await user.search(of, { maxEntries: 7, ...(fromCursor !== undefined && { fromCursor }), ...sort })
      if (page.status !== 200) throw new Error(page.text)
      const found: Json[] = page.body.folder ?? page.body.object
      for (const one of found) if (one.parentFolder !== undefined) all.push([one.resourceURL, entryOf(one)])
      fromCursor = page.body.cursor
    } while (fromCursor !== undefined)
  }
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)))
}
