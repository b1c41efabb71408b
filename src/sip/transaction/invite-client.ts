import type { SipResponse } from '../../protocols/sip/message.ts'
import type { Timer, TimerTarget } from '../timer-wheel.ts'
import type { Flow, FlowUser } from '../transport/flow.ts'
import type { ClientContext, ClientMachine, ClientUser } from './client-transaction.ts'
import { lifetime, t1, timerD } from './timers.ts'

type State = 'calling' | 'proceeding' | 'completed' | 'accepted' | 'terminated'
type TimerName = 'A' | 'B' | 'D' | 'M'

/** What an INVITE transaction says besides its request: the bytes of messages that belong to it. */
export interface InviteRequests {
  /** The ACK for a final response that is no 2xx (RFC 3261 §17.1.1.3). */
  ackFor(response: SipResponse): Buffer
  /** Sends a CANCEL, in a transaction of its own (RFC 3261 §9.1). */
  cancel(): void
}

/** The client transaction of INVITE (RFC 3261 §17.1.1, figure 5, with the Accepted state of RFC 6026 §7.2). */
export class InviteClientTransaction implements ClientMachine, TimerTarget<TimerName>, FlowUser {
  readonly key: string
  readonly #context: ClientContext
  readonly #flow: Flow
  readonly #requests: InviteRequests
  readonly #bytes: Buffer
  #user: ClientUser | undefined
  #state: State = 'calling'
  #interval = t1
  #timerA: Timer | undefined
  #timerB: Timer | undefined
  #timerM: Timer | undefined
  #ack: Buffer | undefined
  #cancelWanted = false

  constructor(
    context: ClientContext,
    key: string,
    flow: Flow,
    bytes: Buffer,
    user: ClientUser,
    requests: InviteRequests,
  ) {
    this.#context = context
    this.key = key
    this.#flow = flow
    this.#bytes = bytes
    this.#user = user
    this.#requests = requests
  }

  get state(): State {
    return this.#state
  }

  start(): void {
    this.#timerB = this.#context.wheel.set(lifetime, this, 'B')
    this.#flow.watch(this)
    if (!this.#flow.send(this.#bytes)) this.onFlowClosed()
    else if (!this.#flow.reliable) this.#timerA = this.#context.wheel.set(this.#interval, this, 'A')
  }

  receive(response: SipResponse): void {
    switch (this.#state) {
      case 'calling':
      case 'proceeding':
        if (response.status < 200) this.#proceed(response)
        else if (response.status < 300) this.#accept(response)
        else this.#complete(response)
        return
      case 'completed':
        if (response.status >= 300) this.#sendAck()
        return
      case 'accepted':
        // Other branches of a fork, and retransmissions: each wants its ACK from the user (RFC 6026 §7.2).
        if (response.status >= 200 && response.status < 300) this.#user?.onResponse(response)
        return
      case 'terminated':
        return
    }
  }

  onTimer(name: TimerName): void {
    switch (name) {
      case 'A':
        this.#retransmit()
        return
      case 'B': {
        const user = this.#user
        this.#terminate()
        user?.onTimeout()
        return
      }
      case 'D':
      case 'M':
        this.#terminate()
        return
    }
  }

  onFlowClosed(): void {
    const user = this.#state === 'accepted' ? undefined : this.#user
    this.#terminate()
    user?.onTransportError()
  }

  /** Gives up the call: CANCEL as soon as a provisional response allows it. Its 487 is acknowledged here. */
  abandon(): void {
    this.#user = undefined
    this.giveUp()
  }

  /** The same, but the user hears what comes of it: a 2xx that crosses the CANCEL is to be acknowledged. */
  giveUp(): void {
    if (this.#state === 'calling') this.#cancelWanted = true
    else if (this.#state === 'proceeding') this.#cancel()
  }

  #proceed(response: SipResponse): void {
    this.#state = 'proceeding'
    this.#stopTimers()
    if (this.#cancelWanted) this.#cancel()
    this.#user?.onResponse(response)
  }

  /** A UAS that does not answer the CANCEL is not waited for beyond 64*T1 (RFC 3261 §9.1). */
  #cancel(): void {
    this.#cancelWanted = false
    this.#requests.cancel()
    this.#timerB ??= this.#context.wheel.set(lifetime, this, 'B')
  }

  #accept(response: SipResponse): void {
    this.#stopTimers()
    this.#state = 'accepted'
    this.#timerM = this.#context.wheel.set(lifetime, this, 'M')
    this.#user?.onResponse(response)
  }

  #complete(response: SipResponse): void {
    const user = this.#user
    this.#stopTimers()
    this.#state = 'completed'
    this.#ack = this.#requests.ackFor(response)
    this.#user = undefined
    const sent = this.#sendAck()
    if (!sent || this.#flow.reliable) this.#terminate()
    else this.#context.wheel.set(timerD, this, 'D')
    user?.onResponse(response)
  }

  #sendAck(): boolean {
    return this.#ack !== undefined && this.#flow.send(this.#ack)
  }

  #retransmit(): void {
    this.#context.counters.retransmitted()
    this.#interval *= 2
    if (!this.#flow.send(this.#bytes)) this.onFlowClosed()
    else this.#timerA = this.#context.wheel.set(this.#interval, this, 'A')
  }

  #terminate(): void {
    if (this.#state === 'terminated') return
    this.#stopTimers()
    this.#context.wheel.cancel(this.#timerM)
    this.#flow.unwatch(this)
    this.#user = undefined
    this.#state = 'terminated'
    this.#context.onTerminated(this)
  }

  #stopTimers(): void {
    this.#context.wheel.cancel(this.#timerA)
    this.#context.wheel.cancel(this.#timerB)
    this.#timerA = undefined
    this.#timerB = undefined
  }
}
