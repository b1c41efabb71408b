import type { Timer, TimerTarget } from '../timer-wheel.ts'
import type { KeptResponse } from './kept-responses.ts'
import type { Pending, ReturnPath, ServerContext, ServerMachine } from './server-transaction.ts'
import { lifetime, nonInviteTryingAfter } from './timers.ts'

type State = 'trying' | 'proceeding' | 'terminated'
/** `100` is the moment at which RFC 4320 §4.1 wants a 100, `expiry` that of §4.2 after which no answer is of use. */
type TimerName = '100' | 'expiry'

/**
 * The server transaction of all methods but INVITE and ACK (RFC 3261 §17.2.2, figure 8; RFC 4320). Its Completed state,
 * with timer J, is in AnsweredRequests.
 */
export class NonInviteServerTransaction implements ServerMachine, TimerTarget<TimerName> {
  readonly key: string
  readonly #context: ServerContext
  readonly #path: ReturnPath
  #pending: Pending | undefined
  #state: State = 'trying'
  #timer: Timer | undefined
  #last: KeptResponse | undefined

  /** Without `pending` the response follows at once. */
  constructor(context: ServerContext, key: string, path: ReturnPath, pending?: Pending) {
    this.#context = context
    this.key = key
    this.#path = path
    this.#pending = pending
    if (pending !== undefined) this.#timer = context.wheel.set(nonInviteTryingAfter, this, '100')
  }

  get state(): State {
    return this.#state
  }

  receiveRetransmission(): void {
    switch (this.#state) {
      case 'trying':
      case 'terminated':
        return
      case 'proceeding':
        if (this.#last !== undefined) this.#path.send(this.#last.bytes)
        return
    }
  }

  respond(status: number, bytes: Buffer): boolean {
    switch (this.#state) {
      case 'trying':
      case 'proceeding':
        // RFC 4320 §4.1: a provisional response is sent by this machine, if at all. §4.2: 408 comes too late by nature.
        if (status < 200) return false
        if (status !== 408) return this.#complete(bytes)
        this.terminate()
        return false
      case 'terminated':
        return false
    }
  }

  onTimer(name: TimerName): void {
    switch (name) {
      case '100':
        this.#proceed()
        return
      case 'expiry': {
        const pending = this.#pending
        this.terminate()
        pending?.expire()
        return
      }
    }
  }

  terminate(): void {
    if (this.#state === 'terminated') return
    this.#state = 'terminated'
    this.#stop()
    this.#last = undefined
    this.#context.onTerminated(this)
  }

  #proceed(): void {
    if (this.#pending === undefined) return
    this.#state = 'proceeding'
    const bytes = this.#pending.bytesOf(100)
    this.#last = this.#context.kept.keep(bytes)
    this.#path.send(bytes)
    this.#timer = this.#context.wheel.set(lifetime - nonInviteTryingAfter, this, 'expiry')
  }

  #complete(bytes: Buffer): boolean {
    const sent = this.#path.send(bytes)
    if (!this.#path.reliable) this.#context.answered.keep(this.key, bytes)
    this.terminate()
    return sent
  }

  #stop(): void {
    this.#context.wheel.cancel(this.#timer)
    this.#timer = undefined
    this.#pending = undefined
  }
}
