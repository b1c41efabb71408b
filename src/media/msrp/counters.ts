/** Why a connection was ended, or not taken. */
export type DropReason = 'malformed' | 'silent' | 'not-reading' | 'over-limit' | 'oversize' | 'certificate'

/** What the plane tells of itself, for metrics. */
export interface MsrpCounters {
  received(kind: 'SEND' | 'REPORT' | 'response'): void
  /** A request was answered with another status than 200 by this server itself. */
  refused(status: number): void
  dropped(reason: DropReason): void
}

export const noCounters: MsrpCounters = { received() {}, refused() {}, dropped() {} }

/** How much of a bounded resource is taken. */
export class Usage {
  readonly limit: number
  #inUse = 0
  #peak = 0

  constructor(limit: number) {
    this.limit = limit
  }

  get inUse(): number {
    return this.#inUse
  }

  get peak(): number {
    return this.#peak
  }

  /** False when all is taken. */
  take(): boolean {
    if (this.#inUse >= this.limit) return false
    this.#peak = Math.max(this.#peak, ++this.#inUse)
    return true
  }

  free(): void {
    this.#inUse--
  }
}
