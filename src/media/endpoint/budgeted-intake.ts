import type { IncomingMessage, Intake, MessageSink } from '../msrp/index.ts'
import type { ByteBudget } from './byte-budget.ts'

/** Messages whole in memory, in no more of it than these budgets have: chunks of many may come interleaved. */
export function budgeted(intake: Intake, budgets: readonly ByteBudget[], onBytes: () => void): Intake {
  return {
    ...intake,
    begin: (message: IncomingMessage) => {
      const sink = intake.begin(message)
      return typeof sink === 'number' ? sink : new BudgetedSink(sink, budgets, onBytes)
    },
  }
}

class BudgetedSink implements MessageSink {
  readonly #sink: MessageSink
  readonly #budgets: readonly ByteBudget[]
  readonly #onBytes: () => void
  /** Up to here; bytes may come in any order, and twice. */
  #held = 0

  constructor(sink: MessageSink, budgets: readonly ByteBudget[], onBytes: () => void) {
    this.#sink = sink
    this.#budgets = budgets
    this.#onBytes = onBytes
  }

  write(bytes: Buffer, offset: number): void | Promise<void> {
    this.#onBytes()
    const more = offset + bytes.length - this.#held
    if (more > 0 && !this.#take(more)) return Promise.reject(new RangeError('too much at once'))
    return this.#sink.write(bytes, offset)
  }

  complete(): number | Promise<number> {
    const status = this.#sink.complete()
    if (typeof status === 'number') this.#free()
    else void status.then(this.#free, this.#free)
    return status
  }

  abandoned(): void {
    this.#free()
    this.#sink.abandoned()
  }

  #take(bytes: number): boolean {
    for (const [at, budget] of this.#budgets.entries()) {
      if (budget.take(bytes)) continue
      for (const taken of this.#budgets.slice(0, at)) taken.free(bytes)
      return false
    }
    this.#held += bytes
    return true
  }

  readonly #free = (): void => {
    for (const budget of this.#budgets) budget.free(this.#held)
    this.#held = 0
  }
}
