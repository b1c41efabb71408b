/** What closing may take, in milliseconds. */
const closeWithin = 10_000

/** What was started, to be closed in reverse. Each close comes to its turn, whatever another one throws. */
export class Started {
  readonly #closers: ((signal: AbortSignal) => unknown)[] = []
  add(close: (signal: AbortSignal) => unknown): void {
    this.#closers.push(close)
  }
  async close(signal: AbortSignal = AbortSignal.timeout(closeWithin)): Promise<void> {
    const errors: unknown[] = []
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      try {
        await close(signal)
      } catch (err) {
        errors.push(err)
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, 'not all could be closed')
  }
}
