/** Columns of the bar. */
const width = 24
const everyMs = 100

/** How far a long command is: a bar where a person watches, nothing elsewhere. */
export class Progress {
  readonly #screen: NodeJS.WritableStream | undefined
  readonly #total: number
  readonly #unit: string
  readonly #now: () => number
  #done = 0
  #drawn = 0

  /** `unit` says what is counted, such as `objects`. */
  constructor(screen: NodeJS.WritableStream | undefined, total: number, unit: string, now: () => number = Date.now) {
    this.#screen = screen
    this.#total = total
    this.#unit = unit
    this.#now = now
  }

  advance(by: number): void {
    this.#done += by
    if (this.#screen === undefined || this.#now() - this.#drawn < everyMs) return
    this.#drawn = this.#now()
    this.#screen.write(`\r${this.#bar()}`)
  }

  /** The line is as it was before. */
  end(): void {
    if (this.#drawn > 0) this.#screen?.write('\r\x1b[K')
  }

  #bar(): string {
    const part = Math.min(1, this.#done / Math.max(1, this.#total))
    const filled = Math.round(part * width)
    return `[${'#'.repeat(filled).padEnd(width)}] ${Math.round(100 * part)} % of ${this.#total} ${this.#unit}`
  }
}
