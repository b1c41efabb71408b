import { TimerWheel } from '../../src/sip/timer-wheel.ts'

/** A clock that goes on when it is told to, and the wheel that runs by it. */
export class FakeClock {
  readonly wheel: TimerWheel
  #now = 0

  constructor() {
    this.wheel = new TimerWheel(() => this.#now)
  }

  get now(): number {
    return this.#now
  }

  /** Lets `ms` pass, tick by tick. */
  advance(ms: number): void {
    const until = this.#now + ms
    while (this.#now < until) {
      this.#now = Math.min(until, this.#now + 10)
      this.wheel.turn()
    }
  }

  /** Lets `ms` pass as when the process was held up: the wheel turns once, afterwards. */
  jump(ms: number): void {
    this.#now += ms
    this.wheel.turn()
  }
}
