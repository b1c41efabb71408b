import type { Notifications } from './notifications.ts'

/** The payload that speaks of every key. */
export const everything = '*'

interface Options<Key, Value> {
  readonly notifications: Pick<Notifications, 'subscribe' | 'listening'>
  readonly channel: string
  /** The keys that a payload speaks of. */
  readonly keysOf: (payload: string) => readonly Key[]
  readonly read: (key: Key) => Promise<Value>
  /** Values of each of two generations: what was not asked for while as many others were is forgotten. */
  readonly most: number
}

/**
 * What was read from the database, until a notification says that it changed. While notifications do not arrive nothing
 * is trusted: everything is read anew. A value that was being read when its change was told is not kept.
 */
export class NotifiedCache<Key, Value extends object | null> {
  readonly #options: Options<Key, Value>
  readonly #unsubscribe: () => void
  #young = new Map<Key, Value>()
  #old = new Map<Key, Value>()
  readonly #reading = new Map<Key, Promise<Value>>()

  constructor(options: Options<Key, Value>) {
    this.#options = options
    this.#unsubscribe = options.notifications.subscribe(
      options.channel,
      (payload, own) => {
        if (!own) this.#changed(payload)
      },
      () => this.clear(),
    )
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** The value; a promise only where the database has to be asked. */
  get(key: Key): Value | Promise<Value> {
    const known = this.peek(key)
    if (known !== undefined) return known
    return this.#reading.get(key) ?? this.#read(key)
  }

  /** The value if it is known and may be trusted. */
  peek(key: Key): Value | undefined {
    const value = this.#young.get(key)
    if (value !== undefined) return value
    const old = this.#old.get(key)
    if (old === undefined) return undefined
    this.#old.delete(key)
    this.#keep(key, old)
    return old
  }

  /** What this node has just written. */
  set(key: Key, value: Value): void {
    this.#reading.delete(key)
    if (this.#trusted) this.#keep(key, value)
    else this.delete(key)
  }

  delete(key: Key): void {
    this.#reading.delete(key)
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear(): void {
    this.#reading.clear()
    this.#young.clear()
    this.#old.clear()
  }

  close(): void {
    this.#unsubscribe()
    this.clear()
  }

  #changed(payload: string): void {
    if (payload === everything) this.clear()
    else for (const key of this.#options.keysOf(payload)) this.delete(key)
  }

  get #trusted(): boolean {
    return this.#options.notifications.listening(this.#options.channel)
  }

  async #read(key: Key): Promise<Value> {
    const reading = this.#options.read(key)
    this.#reading.set(key, reading)
    try {
      const value = await reading
      if (this.#reading.get(key) === reading && this.#trusted) this.#keep(key, value)
      return value
    } finally {
      if (this.#reading.get(key) === reading) this.#reading.delete(key)
    }
  }

  #keep(key: Key, value: Value): void {
    if (this.#young.size >= this.#options.most) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }
}
