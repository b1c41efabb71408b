/** Who waits for the floor: by priority, and of one priority in the order of their requests. */
export class TalkQueue<Who> {
  readonly #waiting: { readonly who: Who; readonly priority: number }[] = []

  get length(): number {
    return this.#waiting.length
  }

  /** Puts one in. A request that is repeated keeps its place unless it has another priority. */
  add(who: Who, priority: number): void {
    if (this.priorityOf(who) === priority) return
    this.remove(who)
    const behind = this.#waiting.findIndex((one) => one.priority < priority)
    this.#waiting.splice(behind === -1 ? this.#waiting.length : behind, 0, { who, priority })
  }

  remove(who: Who): boolean {
    const at = this.#waiting.findIndex((one) => one.who === who)
    if (at !== -1) this.#waiting.splice(at, 1)
    return at !== -1
  }

  next(): { readonly who: Who; readonly priority: number } | undefined {
    return this.#waiting.shift()
  }

  /** 1 is next; undefined for one that does not wait. */
  positionOf(who: Who): number | undefined {
    const at = this.#waiting.findIndex((one) => one.who === who)
    return at === -1 ? undefined : at + 1
  }

  priorityOf(who: Who): number | undefined {
    return this.#waiting.find((one) => one.who === who)?.priority
  }

  [Symbol.iterator](): IterableIterator<Who> {
    return this.#waiting.map(({ who }) => who).values()
  }
}
