interface Needs {
  readonly now: () => number
  /** So many within the window are let pass; 0: any number. */
  readonly most: number
  readonly windowMs: number
}

interface Level {
  level: number
  at: number
}

/** Names that are remembered, in each of two generations. */
const mostNames = 10_000

/**
 * Counts failures by name. The count drains all the time, so nobody is shut out for good; names are a stranger's to
 * invent, so they are few.
 */
export class FailedAttempts {
  readonly #needs: Needs
  #young = new Map<string, Level>()
  #old = new Map<string, Level>()
  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** Seconds until `name` may try again; 0 where it may now. */
  wait(name: string): number {
    const { most, windowMs } = this.#needs
    if (most === 0) return 0
    const level = this.#levelOf(name)
    return level > most - 1 ? Math.ceil(((level - (most - 1)) * windowMs) / most / 1000) : 0
  }

  add(name: string): void {
    if (this.#needs.most === 0) return
    const level = { level: this.#levelOf(name) + 1, at: this.#needs.now() }
    if (this.#young.size >= mostNames) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(Buffer.from(name).toString(), level)
  }

  forgive(name: string): void {
    this.#young.delete(name)
    this.#old.delete(name)
  }

  #levelOf(name: string): number {
    const known = this.#young.get(name) ?? this.#old.get(name)
    if (known === undefined) return 0
    const drained = ((this.#needs.now() - known.at) * this.#needs.most) / this.#needs.windowMs
    return Math.max(0, known.level - drained)
  }
}
