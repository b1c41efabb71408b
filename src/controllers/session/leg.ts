import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import type { Reason } from '../../protocols/sip/reason.ts'
import type { Description } from './description.ts'
import type { Answer, Call, CallEvents, Dialog } from './dialogs.ts'
import type { Bridge, Device, Target } from './needs.ts'

/** One way to a party: a request for it, made with the body that it is to have. */
export interface Way {
  readonly binding: Device | undefined
  readonly target: Target
  request(body: Buffer): SipRequest
}

export interface LegNeeds {
  readonly bridge: Bridge
  readonly invite: (request: SipRequest, target: Target, events: CallEvents) => Call
  readonly bindingGone: (binding: Device) => void
  readonly onRinging: (leg: Leg, response: SipResponse) => void
  readonly onAnswered: (leg: Leg, dialog: Dialog, response: SipResponse) => Answer
  readonly onFailed: (leg: Leg) => void
}

/** The INVITE to one device, which may be reached in more ways than one. */
export class Leg {
  readonly bridge: Bridge
  /** The last response of the device itself, when it refused. */
  refusal: SipResponse | undefined
  /** A session description that came reliably before the 2xx. */
  early: SipResponse | undefined
  readonly #needs: LegNeeds
  readonly #ways: Way[]
  #state: 'preparing' | 'calling' | 'over' = 'preparing'
  #call: Call | undefined
  #body: Buffer = Buffer.alloc(0)

  constructor(needs: LegNeeds, ways: readonly Way[]) {
    this.#needs = needs
    this.bridge = needs.bridge
    this.#ways = [...ways]
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  /** Works out what the device is offered. Throws Failure when that is nothing. */
  async prepare(description: Description | undefined): Promise<void> {
    if (description !== undefined) this.#body = description.body(await this.bridge.offer('caller', description.sdp))
  }

  start(): void {
    if (this.#state !== 'preparing') return
    this.#state = 'calling'
    this.#tryNext()
  }

  /** Gives up; frees the media. */
  cancel(reason?: Reason): void {
    if (this.isOver) return
    this.#state = 'over'
    this.#call?.cancel(reason)
    this.bridge.close()
  }

  /** An answer that could not be taken. */
  fail(): void {
    if (this.isOver) return
    this.#state = 'over'
    this.bridge.close()
    this.#needs.onFailed(this)
  }

  #tryNext(): void {
    const way = this.#ways.shift()
    if (way === undefined) {
      this.fail()
      return
    }
    this.#call = this.#needs.invite(way.request(this.#body), way.target, {
      onProvisional: (response) => this.#ringing(response),
      onAnswered: (dialog, response) => this.#answered(dialog, response),
      onFailed: (response, local) => this.#failed(way, response, local),
    })
  }

  #ringing(response: SipResponse): undefined {
    if (response.body.length > 0) this.early = response
    if (!this.isOver) this.#needs.onRinging(this, response)
  }

  #answered(dialog: Dialog, response: SipResponse): Answer {
    if (!this.isOver) return this.#needs.onAnswered(this, dialog, response)
    void dialog.bye()
    return undefined
  }

  #failed({ binding }: Way, response: SipResponse, local: boolean): void {
    if (this.isOver) return
    const gone = binding !== undefined && isBindingGone(response, local, binding)
    if (gone) this.#needs.bindingGone(binding)
    if (!local) this.refusal = response
    // Another flow of the same device, if this one brought no answer of the device itself (RFC 5626 §5.3).
    if (gone || local) this.#tryNext()
    else this.fail()
  }
}

/** The device says so, or its flow is gone and nobody listens at its contact; of a proxy before it that says nothing. */
function isBindingGone({ status }: SipResponse, local: boolean, { path }: Device): boolean {
  if (!local) return status === 410 || status === 430
  return status === 430 || (status === 503 && path.length === 0)
}
