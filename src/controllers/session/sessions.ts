import { Failure } from '../../failure.ts'

/** What the server ends when it closes; resolves when the parties have heard it. */
export interface HeldSession {
  shutDown(): Promise<unknown>
  /** Writes what it takes to end the session after a crash, where that has changed. */
  saveRecord(): void
}

/** The register of all sessions: one is in it for as long as it holds anything. */
export class Sessions<Session> implements Iterable<Session> {
  readonly limit: number
  readonly #limitOfUser: number
  /** With the user who has begun it, if that is one of ours. */
  readonly #sessions = new Map<Session, number | undefined>()
  readonly #ofUser = new Map<number, number>()
  #peak = 0

  constructor(limit: number, limitOfUser = limit) {
    this.limit = limit
    this.#limitOfUser = limitOfUser
  }

  get inUse(): number {
    return this.#sessions.size
  }

  get peak(): number {
    return this.#peak
  }

  add(session: Session, user?: number): void {
    if (this.#sessions.size >= this.limit) throw new Failure('overloaded', 'sessions', { retryAfter: 10 })
    if (user !== undefined) this.#count(user)
    this.#sessions.set(session, user)
    this.#peak = Math.max(this.#peak, this.#sessions.size)
  }

  remove(session: Session): void {
    const user = this.#sessions.get(session)
    this.#sessions.delete(session)
    if (user === undefined) return
    const left = (this.#ofUser.get(user) ?? 1) - 1
    if (left === 0) this.#ofUser.delete(user)
    else this.#ofUser.set(user, left)
  }

  #count(user: number): void {
    const before = this.#ofUser.get(user) ?? 0
    if (before >= this.#limitOfUser) throw new Failure('overloaded', 'sessions of the user', { retryAfter: 10 })
    this.#ofUser.set(user, before + 1)
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#sessions.keys()
  }
}
