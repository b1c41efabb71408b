import { Failure } from '../../../failure.ts'
import type { StoredObject } from '../mailbox/stored-object.ts'
import type { ArchivedObject, Entry, ImportOptions, Store } from './entry.ts'
import { faultIn } from './lines.ts'

export interface Imported {
  readonly added: number
  /** Were there before. */
  readonly known: number
  /** Lines that were passed over. */
  readonly faults: number
}

interface Waiting {
  readonly line: number
  readonly object: ArchivedObject
}

const mostWaiting = 100
const mostBytes = 4 * 1024 ** 2

/** Takes entries into a mailbox: small objects many at a time, large ones as they are read. */
export class Import {
  readonly #store: Store
  readonly #owner: number
  readonly #options: ImportOptions
  #waiting: Waiting[] = []
  #bytes = 0
  #added = 0
  #known = 0
  #faults = 0

  constructor(store: Store, owner: number, options: ImportOptions) {
    this.#store = store
    this.#owner = owner
    this.#options = options
  }

  async add(entry: Entry): Promise<void> {
    if ('fault' in entry) this.#fault(entry.line, entry.fault)
    else if ('folder' in entry) await this.#addFolder(entry.line, entry.folder)
    else if (isHeld(entry.object)) await this.#wait(entry, entry.bytes)
    else await this.#stream(entry)
  }

  async end(): Promise<Imported> {
    await this.#flush()
    return { added: this.#added, known: this.#known, faults: this.#faults }
  }

  async #addFolder(line: number, names: readonly string[]): Promise<void> {
    try {
      if (names.length > 0) await this.#store.folderAt(this.#owner, names)
    } catch (err) {
      this.#fault(line, faultIn(err))
    }
  }

  async #wait(entry: Waiting, bytes: number): Promise<void> {
    this.#waiting.push(entry)
    this.#bytes += bytes
    if (this.#waiting.length >= mostWaiting || this.#bytes >= mostBytes) await this.#flush()
  }

  async #stream(entry: Waiting): Promise<void> {
    await this.#flush()
    await this.#take([entry])
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    this.#bytes = 0
    if (waiting.length > 0) await this.#take(waiting)
  }

  async #take(entries: readonly Waiting[]): Promise<void> {
    const ids = entries.map(({ object }) => object.id)
    const known = new Map((await this.#store.findMany(this.#owner, ids)).map((found) => [found.id, found]))
    const fresh = entries.filter(({ object }) => !known.has(object.id))
    const made = await this.#store.createMany(
      this.#owner,
      fresh.map(({ object }) => object),
    )
    for (const [at, entry] of fresh.entries()) {
      const result = made[at] as StoredObject | Failure
      if (result instanceof Failure) this.#fault(entry.line, faultIn(result))
      else {
        if (known.has(result.id)) this.#known += 1
        else this.#added += 1
        known.set(result.id, result)
      }
      this.#options.onObject?.()
    }
    this.#known += entries.length - fresh.length
    for (const { object } of entries) await this.#advance(object, known.get(object.id))
  }

  /** What was known of the message in the archive may be more than what is known here. */
  async #advance({ id, disposition }: ArchivedObject, found: StoredObject | undefined): Promise<void> {
    if (found !== undefined && found.disposition < disposition)
      await this.#store.update(this.#owner, id, { disposition })
  }

  #fault(line: number, fault: string): void {
    this.#faults += 1
    this.#options.onFault(line, fault)
  }
}

const isHeld = ({ payload, parts = [] }: ArchivedObject): boolean =>
  [...(payload ? [payload] : []), ...parts].every(({ content }) => Buffer.isBuffer(content))
