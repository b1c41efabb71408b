import { Failure } from '../../failure.ts'

/** The register of all sessions: one is in it for as long as it holds anything. */
export class Sessions<Session> implements Iterable<Session> {
  readonly limit: number
  readonly #sessions = new Set<Session>()
  #peak = 0

  constructor(limit: number) {
    this.limit = limit
  }

  get inUse(): number {
    return this.#sessions.size
  }

  get peak(): number {
    return this.#peak
  }

  add(session: Session): void {
    if (this.#sessions.size >= this.limit) throw new Failure('overloaded', 'sessions', { retryAfter: 10 })
    this.#sessions.add(session)
    this.#peak = Math.max(this.#peak, this.#sessions.size)
  }

  remove(session: Session): void {
    this.#sessions.delete(session)
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#sessions.values()
  }
}
