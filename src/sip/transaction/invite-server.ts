import type { SipRequest } from '../../protocols/sip/message.ts'
import type { Timer, TimerTarget } from '../timer-wheel.ts'
import type { Pending, ReturnPath, ServerContext, ServerMachine } from './server-transaction.ts'
import { lifetime, t1, t2, t4, tryingAfter } from './timers.ts'

type State = 'proceeding' | 'completed' | 'confirmed' | 'accepted' | 'terminated'
type TimerName = '100' | 'G' | 'H' | 'I' | 'L'

/** The server transaction of INVITE (RFC 3261 §17.2.1, figure 7, with the Accepted state of RFC 6026 §7.1). */
export class InviteServerTransaction implements ServerMachine, TimerTarget<TimerName> {
  readonly key: string
  readonly #context: ServerContext
  readonly #path: ReturnPath
  #pending: Pending | undefined
  #state: State = 'proceeding'
  #interval = t1
  #timer: Timer | undefined
  #timerG: Timer | undefined
  #last: Buffer | undefined

  constructor(context: ServerContext, key: string, path: ReturnPath, pending: Pending) {
    this.#context = context
    this.key = key
    this.#path = path
    this.#pending = pending
    this.#timer = context.wheel.set(tryingAfter, this, '100')
  }

  get state(): State {
    return this.#state
  }

  receiveRetransmission(): void {
    switch (this.#state) {
      case 'proceeding':
      case 'completed':
        if (this.#last !== undefined) this.#path.send(this.#last)
        return
      // RFC 6026 §7.1: the user retransmits its 2xx itself, until it is acknowledged.
      case 'accepted':
      case 'confirmed':
      case 'terminated':
        return
    }
  }

  respond(status: number, bytes: Buffer): boolean {
    switch (this.#state) {
      case 'proceeding':
        if (status < 200) return this.#proceed(bytes)
        return status < 300 ? this.#accept(bytes) : this.#complete(bytes)
      case 'accepted':
        return status >= 200 && status < 300 && this.#path.send(bytes)
      case 'completed':
      case 'confirmed':
      case 'terminated':
        return false
    }
  }

  /** True when the ACK belongs here; an ACK for a 2xx is the user's. */
  receiveAck(): boolean {
    switch (this.#state) {
      case 'completed':
        this.#confirm()
        return true
      case 'proceeding':
      case 'confirmed':
        return true
      case 'accepted':
      case 'terminated':
        return false
    }
  }

  /** A CANCEL has come: the answer is 487, unless there is one already (RFC 3261 §9.2). */
  cancel(cancel?: SipRequest): void {
    const pending = this.#pending
    if (pending === undefined) return
    this.respond(487, pending.bytesOf(487))
    if (cancel !== undefined) pending.cancelled?.(cancel)
  }

  onTimer(name: TimerName): void {
    switch (name) {
      case '100':
        if (this.#pending !== undefined) this.#proceed(this.#pending.bytesOf(100))
        return
      case 'G':
        this.#retransmit()
        return
      case 'H':
      case 'I':
      case 'L':
        this.terminate()
        return
    }
  }

  terminate(): void {
    if (this.#state === 'terminated') return
    this.#state = 'terminated'
    this.#stop()
    this.#last = undefined
    this.#context.onTerminated(this)
  }

  #proceed(bytes: Buffer): boolean {
    this.#context.wheel.cancel(this.#timer)
    this.#last = Buffer.from(bytes)
    return this.#path.send(bytes)
  }

  #accept(bytes: Buffer): boolean {
    this.#stop()
    this.#last = undefined
    this.#state = 'accepted'
    this.#timer = this.#context.wheel.set(lifetime, this, 'L')
    return this.#path.send(bytes)
  }

  #complete(bytes: Buffer): boolean {
    this.#stop()
    this.#last = Buffer.from(bytes)
    this.#state = 'completed'
    this.#timer = this.#context.wheel.set(lifetime, this, 'H')
    if (!this.#path.reliable) this.#timerG = this.#context.wheel.set(this.#interval, this, 'G')
    return this.#path.send(bytes)
  }

  #retransmit(): void {
    if (this.#last === undefined) return
    this.#context.counters.retransmitted()
    this.#path.send(this.#last)
    this.#interval = Math.min(this.#interval * 2, t2)
    this.#timerG = this.#context.wheel.set(this.#interval, this, 'G')
  }

  #confirm(): void {
    this.#stop()
    this.#last = undefined
    this.#state = 'confirmed'
    if (this.#path.reliable) this.terminate()
    else this.#timer = this.#context.wheel.set(t4, this, 'I')
  }

  #stop(): void {
    this.#context.wheel.cancel(this.#timer)
    this.#context.wheel.cancel(this.#timerG)
    this.#timer = undefined
    this.#timerG = undefined
    this.#pending = undefined
  }
}
