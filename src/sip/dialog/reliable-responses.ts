import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import type { RAck } from '../../protocols/sip/rack.ts'
import type { Timer, TimerTarget, TimerWheel } from '../timer-wheel.ts'
import { lifetime, t1 } from '../transaction/timers.ts'

type TimerName = 'retransmit' | 'give-up'

interface Sent {
  readonly response: SipResponse
  readonly rseq: number
  readonly described: boolean
  readonly acknowledged: (prack: SipRequest | undefined) => void
}

interface Needs {
  readonly wheel: TimerWheel
  /** The number of the INVITE. */
  readonly cseq: number
  readonly firstRSeq: number
  readonly send: (response: SipResponse) => void
  /** No PRACK for 64*T1. */
  readonly giveUp: () => void
}

/** The reliable provisional responses to one INVITE (RFC 3262 §3): one after the other, each sent again until its PRACK. */
export class ReliableResponses implements TimerTarget<TimerName> {
  readonly #needs: Needs
  readonly #waiting: Sent[] = []
  #current: Sent | undefined
  #lastRSeq: number
  #interval = t1
  #retransmission: Timer | undefined
  #end: Timer | undefined
  #whenDescribed: (() => void) | undefined

  constructor(needs: Needs) {
    this.#needs = needs
    this.#lastRSeq = needs.firstRSeq - 1
  }

  /** Sends `response`, or does so when those before it are acknowledged. RSeq and Require are added here. */
  add(response: SipResponse, described: boolean): Promise<SipRequest | undefined> {
    const rseq = ++this.#lastRSeq
    response.headers.add('Require', '100rel').add('RSeq', String(rseq))
    return new Promise((acknowledged) => {
      this.#waiting.push({ response, rseq, described, acknowledged })
      if (this.#current === undefined) this.#next()
    })
  }

  /** The PRACK that `rack` is of: true when it is for the response under way. */
  acknowledge(rack: RAck, prack: SipRequest): boolean {
    const { method, cseq, rseq } = rack
    if (this.#current?.rseq !== rseq || cseq !== this.#needs.cseq || method !== 'INVITE') return false
    const { acknowledged } = this.#current
    this.#stopTimers()
    this.#current = undefined
    acknowledged(prack)
    this.#next()
    return true
  }

  /** Calls back when no session description waits for its PRACK any more: then a 2xx may go (RFC 3262 §3). */
  whenDescribed(call: () => void): void {
    if (this.#isDescribing) this.#whenDescribed = call
    else call()
  }

  /** A final response goes: nothing is sent again (RFC 3262 §3). */
  stop(): void {
    this.#stopTimers()
    this.#whenDescribed = undefined
    for (const { acknowledged } of [this.#current, ...this.#waiting.splice(0)].filter((sent) => sent !== undefined)) {
      acknowledged(undefined)
    }
    this.#current = undefined
  }

  onTimer(name: TimerName): void {
    switch (name) {
      case 'retransmit':
        this.#send()
        return
      case 'give-up':
        this.#needs.giveUp()
        return
    }
  }

  get #isDescribing(): boolean {
    return this.#current?.described === true || this.#waiting.some(({ described }) => described)
  }

  #next(): void {
    this.#current = this.#waiting.shift()
    if (this.#current !== undefined) {
      this.#interval = t1 / 2
      this.#end = this.#needs.wheel.set(lifetime, this, 'give-up')
      this.#send()
    }
    if (this.#isDescribing) return
    this.#whenDescribed?.()
    this.#whenDescribed = undefined
  }

  /** The interval doubles each time, without a bound (RFC 3262 §3). */
  #send(): void {
    if (this.#current === undefined) return
    this.#needs.send(this.#current.response)
    this.#interval *= 2
    this.#retransmission = this.#needs.wheel.set(this.#interval, this, 'retransmit')
  }

  #stopTimers(): void {
    this.#needs.wheel.cancel(this.#retransmission)
    this.#needs.wheel.cancel(this.#end)
  }
}
