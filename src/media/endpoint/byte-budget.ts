/** Bytes that may be held in memory at once for messages that are not complete, or not yet dealt with. */
export class ByteBudget {
  readonly limit: number
  #inUse = 0

  constructor(limit: number) {
    this.limit = limit
  }

  get inUse(): number {
    return this.#inUse
  }

  /** False when that is too much. */
  take(bytes: number): boolean {
    if (this.#inUse + bytes > this.limit) return false
    this.#inUse += bytes
    return true
  }

  free(bytes: number): void {
    this.#inUse -= bytes
  }
}
