/** A number that costs a query. Scrapes share it: asked for at most once in `maxAge`, waited for no longer than `patience`. */
export class CachedReading {
  readonly #read: () => number | Promise<number>
  readonly #now: () => number
  readonly #maxAge: number
  readonly #patience: number
  #value: number | undefined
  #readAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined

  constructor(read: () => number | Promise<number>, now: () => number, maxAge = 5000, patience = 1000) {
    this.#read = read
    this.#now = now
    this.#maxAge = maxAge
    this.#patience = patience
  }

  /** The number, or undefined while nobody can tell, as when the database is away. */
  async value(): Promise<number | undefined> {
    if (this.#now() - this.#readAt >= this.#maxAge) {
      this.#reading ??= this.#refresh()
      await within(this.#patience, this.#reading)
    }
    return this.#value
  }

  async #refresh(): Promise<void> {
    try {
      this.#value = await this.#read()
    } catch {
      this.#value = undefined
    } finally {
      this.#readAt = this.#now()
      this.#reading = undefined
    }
  }
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}
