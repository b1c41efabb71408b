/** When things end, to the second: one timer for all of them. */
export class Expiries<Thing> {
  readonly #bySecond = new Map<number, Set<Thing>>()
  readonly #secondOf = new Map<Thing, number>()
  readonly #now: () => number
  readonly #onExpired: (thing: Thing) => void
  readonly #timer: NodeJS.Timeout
  #looked: number

  constructor(now: () => number, onExpired: (thing: Thing) => void) {
    this.#now = now
    this.#onExpired = onExpired
    this.#looked = secondOf(now())
    this.#timer = setInterval(() => this.#look(), 1_000)
    this.#timer.unref()
  }

  /** Milliseconds since 1970; a later call for the same thing moves it. */
  set(thing: Thing, at: number): void {
    this.delete(thing)
    const second = Math.max(secondOf(at), this.#looked + 1)
    this.#secondOf.set(thing, second)
    const others = this.#bySecond.get(second)
    if (others === undefined) this.#bySecond.set(second, new Set([thing]))
    else others.add(thing)
  }

  delete(thing: Thing): void {
    const second = this.#secondOf.get(thing)
    if (second === undefined) return
    this.#secondOf.delete(thing)
    const others = this.#bySecond.get(second)
    others?.delete(thing)
    if (others?.size === 0) this.#bySecond.delete(second)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const until = secondOf(this.#now())
    if (until - this.#looked > 3_600) this.#lookAtAll(until)
    else while (this.#looked < until) this.#expire(++this.#looked)
  }

  /** The clock was set forward. */
  #lookAtAll(until: number): void {
    this.#looked = until
    for (const second of [...this.#bySecond.keys()]) if (second <= until) this.#expire(second)
  }

  #expire(second: number): void {
    const things = this.#bySecond.get(second)
    this.#bySecond.delete(second)
    for (const thing of things ?? []) {
      this.#secondOf.delete(thing)
      this.#onExpired(thing)
    }
  }
}

/** Rounded up: nothing ends early. */
const secondOf = (at: number): number => Math.ceil(at / 1_000)
