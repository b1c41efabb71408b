/**
 * The states of messages of late, for those that are not stored: with several devices the sender sees one `delivered`
 * and one `displayed`. Two generations: what nobody spoke of while `most` others changed is forgotten.
 */
export class DispositionStates {
  readonly #most: number
  #young = new Map<string, number>()
  #old = new Map<string, number>()

  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** The state before; undefined when `rank` is not further, and nothing changed. */
  advance(key: string, rank: number): number | undefined {
    const before = this.#young.get(key) ?? this.#old.get(key) ?? 0
    if (rank <= before) return undefined
    this.set(key, rank)
    return before
  }

  /** Also back to what it was, when the notification could not be passed on. */
  set(key: string, rank: number): void {
    if (this.#young.size >= this.#most) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, rank)
  }
}
