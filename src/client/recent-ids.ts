const most = 1000

/** The ids of recent messages, so that one that comes twice is shown once. */
export class RecentIds {
  readonly #ids = new Set<string>()

  /** False when it was there already. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false
    this.#ids.add(id)
    const [oldest] = this.#ids
    if (this.#ids.size > most && oldest !== undefined) this.#ids.delete(oldest)
    return true
  }
}
