/** Users who may not register for a while. On this node, until it ends. */
export class Barred {
  readonly #now: () => number
  readonly #until = new Map<number, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** Milliseconds since 1970. */
  add(owner: number, until: number): void {
    for (const [known, end] of this.#until) if (end <= this.#now()) this.#until.delete(known)
    this.#until.set(owner, until)
  }

  /** Seconds that the user has to wait; 0: none. */
  wait(owner: number): number {
    const until = this.#until.get(owner)
    return until === undefined ? 0 : Math.max(0, Math.ceil((until - this.#now()) / 1_000))
  }
}
