import type { SipResponse } from '../../protocols/sip/message.ts'
import type { Timer, TimerTarget } from '../timer-wheel.ts'
import type { Flow, FlowUser } from '../transport/flow.ts'
import type { ClientContext, ClientMachine, ClientUser } from './client-transaction.ts'
import { lifetime, t1, t2, t4 } from './timers.ts'

type State = 'trying' | 'proceeding' | 'completed' | 'terminated'
type TimerName = 'E' | 'F' | 'K'

const nothing: Buffer = Buffer.alloc(0)

/** The client transaction of all methods but INVITE (RFC 3261 §17.1.2, figure 6). */
export class NonInviteClientTransaction implements ClientMachine, TimerTarget<TimerName>, FlowUser {
  readonly key: string
  readonly #context: ClientContext
  readonly #flow: Flow
  #user: ClientUser | undefined
  #bytes: Buffer
  #state: State = 'trying'
  #interval = t1
  #timerE: Timer | undefined
  #timerF: Timer | undefined

  constructor(context: ClientContext, key: string, flow: Flow, bytes: Buffer, user: ClientUser) {
    this.#context = context
    this.key = key
    this.#flow = flow
    this.#bytes = bytes
    this.#user = user
  }

  get state(): State {
    return this.#state
  }

  start(): void {
    this.#timerF = this.#context.wheel.set(lifetime, this, 'F')
    this.#flow.watch(this)
    if (!this.#flow.send(this.#bytes)) this.onFlowClosed()
    else if (!this.#flow.reliable) this.#timerE = this.#context.wheel.set(this.#interval, this, 'E')
  }

  receive(response: SipResponse): void {
    switch (this.#state) {
      case 'trying':
      case 'proceeding':
        if (response.status < 200) this.#proceed(response)
        else this.#complete(response)
        return
      case 'completed':
      case 'terminated':
        return
    }
  }

  onTimer(name: TimerName): void {
    switch (name) {
      case 'E':
        this.#retransmit()
        return
      case 'F': {
        const user = this.#user
        this.#terminate()
        user?.onTimeout()
        return
      }
      case 'K':
        this.#terminate()
        return
    }
  }

  onFlowClosed(): void {
    const user = this.#user
    this.#terminate()
    user?.onTransportError()
  }

  abandon(): void {
    this.#user = undefined
    if (this.#state === 'trying' || this.#state === 'proceeding') this.#absorb()
  }

  #proceed(response: SipResponse): void {
    this.#state = 'proceeding'
    // Once there is a sign of life, retransmissions come every T2 (§17.1.2.2).
    this.#interval = t2
    this.#user?.onResponse(response)
  }

  #complete(response: SipResponse): void {
    const user = this.#user
    this.#absorb()
    user?.onResponse(response)
  }

  /** Completed: what comes again within timer K is absorbed. */
  #absorb(): void {
    this.#release()
    if (this.#flow.reliable) {
      this.#terminate()
      return
    }
    this.#state = 'completed'
    this.#context.wheel.set(t4, this, 'K')
  }

  #retransmit(): void {
    this.#context.counters.retransmitted()
    this.#interval = Math.min(this.#interval * 2, t2)
    if (!this.#flow.send(this.#bytes)) this.onFlowClosed()
    else this.#timerE = this.#context.wheel.set(this.#interval, this, 'E')
  }

  #terminate(): void {
    if (this.#state === 'terminated') return
    this.#release()
    this.#state = 'terminated'
    this.#context.onTerminated(this)
  }

  #release(): void {
    this.#context.wheel.cancel(this.#timerE)
    this.#context.wheel.cancel(this.#timerF)
    this.#timerE = undefined
    this.#timerF = undefined
    this.#flow.unwatch(this)
    this.#user = undefined
    this.#bytes = nothing
  }
}
