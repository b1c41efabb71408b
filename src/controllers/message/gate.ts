/** Lets so many in at once; the others wait in the order of their coming. */
export class Gate {
  readonly #waiting: ((open: boolean) => void)[] = []
  #free: number
  #closed = false

  constructor(most: number) {
    this.#free = most
  }

  /** Undefined: it was closed before there was room. */
  async enter<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#closed) return undefined
    if (this.#free > 0) this.#free -= 1
    else if (!(await new Promise<boolean>((resolve) => this.#waiting.push(resolve)))) return undefined
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  /** Who waits is turned away. */
  close(): void {
    this.#closed = true
    for (const turn of this.#waiting.splice(0)) turn(false)
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free += 1
    else next(true)
  }
}
