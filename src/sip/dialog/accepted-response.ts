import type { Timer, TimerTarget, TimerWheel } from '../timer-wheel.ts'
import { lifetime, t1, t2 } from '../transaction/timers.ts'

type TimerName = 'retransmit' | 'give-up'

/** A 2xx to an INVITE, sent again by the UAS core until its ACK comes, whatever the transport (RFC 3261 §13.3.1.4). */
export class AcceptedResponse implements TimerTarget<TimerName> {
  readonly #wheel: TimerWheel
  readonly #send: () => void
  readonly #giveUp: () => void
  #interval = t1
  #retransmission: Timer | undefined
  #end: Timer | undefined

  constructor(wheel: TimerWheel, send: () => void, giveUp: () => void) {
    this.#wheel = wheel
    this.#send = send
    this.#giveUp = giveUp
  }

  start(): void {
    this.#send()
    this.#retransmission = this.#wheel.set(this.#interval, this, 'retransmit')
    this.#end = this.#wheel.set(lifetime, this, 'give-up')
  }

  /** The ACK has come, or something that makes it needless. */
  stop(): void {
    this.#wheel.cancel(this.#retransmission)
    this.#wheel.cancel(this.#end)
  }

  onTimer(name: TimerName): void {
    switch (name) {
      case 'retransmit':
        this.#send()
        this.#interval = Math.min(this.#interval * 2, t2)
        this.#retransmission = this.#wheel.set(this.#interval, this, 'retransmit')
        return
      case 'give-up':
        this.stop()
        this.#giveUp()
        return
    }
  }
}
