import type { Timer, TimerTarget, TimerWheel } from '../timer-wheel.ts'

type TimerName = 'refresh' | 'expiry'

export interface SessionTimerUser {
  /** Half of the interval is over, and this end refreshes (RFC 4028 §7.2). */
  refreshSession(): void
  /** Nobody has refreshed (RFC 4028 §10). */
  expireSession(): void
}

/** The session timer of one dialog (RFC 4028 §10): set by each 2xx to INVITE or UPDATE. */
export class SessionTimer implements TimerTarget<TimerName> {
  readonly #wheel: TimerWheel
  readonly #user: SessionTimerUser
  #refresh: Timer | undefined
  #expiry: Timer | undefined
  #interval = 0
  #refreshes = false

  constructor(wheel: TimerWheel, user: SessionTimerUser) {
    this.#wheel = wheel
    this.#user = user
  }

  /** In seconds; 0 when there is none. */
  get interval(): number {
    return this.#interval
  }

  /** Whether this end is the refresher. */
  get refreshes(): boolean {
    return this.#refreshes
  }

  start(interval: number, refreshes: boolean): void {
    this.stop()
    this.#interval = interval
    this.#refreshes = refreshes
    const ms = interval * 1000
    if (refreshes) this.#refresh = this.#wheel.set(ms / 2, this, 'refresh')
    // So long before the end a BYE is to be said, if no refresh has come (RFC 4028 §10).
    this.#expiry = this.#wheel.set(ms - Math.min(32_000, ms / 3), this, 'expiry')
  }

  stop(): void {
    this.#wheel.cancel(this.#refresh)
    this.#wheel.cancel(this.#expiry)
    this.#refresh = undefined
    this.#expiry = undefined
  }

  onTimer(name: TimerName): void {
    switch (name) {
      case 'refresh':
        this.#user.refreshSession()
        return
      case 'expiry':
        this.#user.expireSession()
        return
    }
  }
}
