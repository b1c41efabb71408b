import type { SipResponse } from '../../protocols/sip/message.ts'
import { type Device, wayTo } from './device.ts'
import { type FinalResponse, isAcceptance, isBindingGone } from './device-answer.ts'
import type { PagerMessage } from './pager-message.ts'
import type { Send, Sending } from './sending.ts'

export interface DeliveryNeeds {
  readonly send: Send
  readonly bindingGone: (device: Device) => void
}

/** Told of a device whose last answer is known. */
export type Follower = (attempt: Attempt) => void

/** One device of the recipient: tried over each of its bindings until one answers for it. */
export interface Attempt {
  readonly device: string
  readonly bindings: Device[]
  state: 'trying' | 'accepted' | 'failed'
  /** All its bindings lead nowhere. */
  gone: boolean
  sending: Sending | undefined
  last: SipResponse | undefined
}

/**
 * A message on its way to all devices of its recipient at once. Every device goes on by itself, whatever the others
 * answer; also after the sender has been answered.
 */
export class Delivery {
  readonly attempts: readonly Attempt[]
  readonly #needs: DeliveryNeeds
  readonly #message: PagerMessage
  #trying: number
  #acceptance: SipResponse | undefined
  #wake: (() => void) | undefined
  #follower: Follower | undefined

  constructor(needs: DeliveryNeeds, message: PagerMessage, devices: readonly Device[]) {
    this.#needs = needs
    this.#message = message
    this.attempts = attemptsFor(devices)
    this.#trying = this.attempts.length
    for (const attempt of this.attempts) this.#try(attempt)
  }

  get trying(): boolean {
    return this.#trying > 0
  }

  get accepted(): boolean {
    return this.#acceptance !== undefined
  }

  /** Every device has accepted. */
  get complete(): boolean {
    return this.attempts.every(({ state }) => state === 'accepted')
  }

  /** The first 2xx. Undefined when every device has failed, or the time is over. */
  async firstAcceptance(within: number): Promise<SipResponse | undefined> {
    if (this.#acceptance === undefined && this.#trying > 0) await this.#event(within)
    return this.#acceptance
  }

  /** Until every device has answered, or the time is over. */
  async settled(within: number): Promise<void> {
    const end = performance.now() + within
    for (let left = within; this.#trying > 0 && left > 0; left = end - performance.now()) await this.#event(left)
  }

  /** What is answered from now on is told to `follower`. */
  follow(follower: Follower): void {
    this.#follower = follower
  }

  /** Gives up on what has not answered. */
  abandon(): void {
    for (const { sending, state } of this.attempts) if (state === 'trying') sending?.abandon()
  }

  /** Gives up on a device that has registered anew: what it has not answered by now was lost on the way. */
  abandonDevice(owner: number, device: string): void {
    for (const { sending, state, bindings, device: tried } of this.attempts) {
      if (state === 'trying' && tried === device && bindings[0]?.owner === owner) sending?.abandon()
    }
  }

  /** The failure to tell the sender of (RFC 3261 §16.7 item 6): the lowest class, since one 6xx speaks for one device. */
  bestFailure(): SipResponse | undefined {
    let best: SipResponse | undefined
    for (const { last } of this.attempts) if (last !== undefined && (best?.status ?? 700) > last.status) best = last
    return best
  }

  /** Until something that decides: an acceptance, the last answer, or the time. */
  #event(within: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), within)
      this.#wake = () => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
    })
  }

  #try(attempt: Attempt): void {
    const binding = attempt.bindings[0] as Device
    attempt.sending = this.#needs.send(this.#message.toDevice(binding), wayTo(binding, this.#message.request.uri))
    void attempt.sending.final.then((final) => this.#answered(attempt, binding, final))
  }

  #answered(attempt: Attempt, binding: Device, final: FinalResponse): void {
    if (isAcceptance(final)) {
      this.#ended(attempt, 'accepted', final.response)
      return
    }
    attempt.gone = isBindingGone(final, binding.path)
    if (attempt.gone) this.#needs.bindingGone(binding)
    if (!final.local) attempt.last = final.response
    // Another flow of the same device, if this one brought no answer of the device itself (RFC 5626 §5.3).
    const unanswered = attempt.gone || final.local
    if (unanswered && attempt.bindings.length > 1) {
      attempt.bindings.shift()
      this.#try(attempt)
      return
    }
    this.#ended(attempt, 'failed', undefined)
  }

  #ended(attempt: Attempt, state: 'accepted' | 'failed', response: SipResponse | undefined): void {
    attempt.state = state
    attempt.sending = undefined
    this.#trying -= 1
    if (state === 'accepted') this.#acceptance ??= response
    this.#follower?.(attempt)
    if (state === 'accepted' || this.#trying === 0) this.#wake?.()
  }
}

/** Bindings of one device are one attempt. */
function attemptsFor(devices: readonly Device[]): readonly Attempt[] {
  const attempts: Attempt[] = []
  for (const binding of devices) {
    const known = devices.length === 1 ? undefined : attempts.find(({ device }) => device === binding.device)
    if (known !== undefined) known.bindings.push(binding)
    else attempts.push(newAttempt(binding))
  }
  return attempts
}

const newAttempt = (binding: Device): Attempt => ({
  device: binding.device,
  bindings: [binding],
  state: 'trying',
  gone: false,
  sending: undefined,
  last: undefined,
})
