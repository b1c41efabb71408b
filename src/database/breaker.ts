import { Failure } from '../failure.ts'
import type { Log } from './log.ts'

interface Needs {
  /** Resolves when the database serves; rejects, within a bounded time, when it does not. */
  probe(): Promise<void>
  /** A probe has failed: what is under way on old connections will get no answer. */
  onDown(): void
  readonly log: Log
}

const firstPauseMs = 250
const longestPauseMs = 2000
const retryAfter = 2

/**
 * Opens with the first failure of a connection, so that nobody waits for a database that is away, and closes by itself.
 * The first probe goes at once: one connection that was cut costs milliseconds, not a back-off.
 */
export class Breaker {
  readonly #needs: Needs
  #state: 'closed' | 'open' | 'ended' = 'closed'
  #timer: NodeJS.Timeout | undefined
  #cause: unknown
  constructor(needs: Needs) {
    this.#needs = needs
  }

  available(): boolean {
    return this.#state === 'closed'
  }

  /** Throws at once when there is no use in asking. */
  check(): void {
    if (this.#state !== 'closed') throw this.#failure()
  }

  /** Opens because of `cause`; returns what the caller throws. */
  opened(cause: unknown): Failure {
    this.#cause = cause
    if (this.#state === 'closed') {
      this.#state = 'open'
      this.#needs.log.warn({ err: cause }, 'database connection failed')
      void this.#probe(firstPauseMs)
    }
    return this.#failure()
  }

  end(): void {
    this.#state = 'ended'
    clearTimeout(this.#timer)
  }

  async #probe(pauseMs: number): Promise<void> {
    try {
      await this.#needs.probe()
      if (this.#state !== 'open') return
      this.#state = 'closed'
      this.#needs.log.info({}, 'database serves again')
    } catch (error) {
      this.#cause = error
      if (this.#state !== 'open') return
      this.#needs.onDown()
      this.#timer = setTimeout(() => this.#probe(Math.min(pauseMs * 2, longestPauseMs)), pauseMs)
      this.#timer.unref()
    }
  }

  #failure(): Failure {
    return new Failure('database-unavailable', '', { cause: this.#cause, retryAfter })
  }
}
