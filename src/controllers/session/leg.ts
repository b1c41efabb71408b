import { Failure } from '../../failure.ts'
import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import type { Reason } from '../../protocols/sip/reason.ts'
import { type Description, descriptionIn } from './description.ts'
import type { Answer, Call, CallEvents, Dialog, Fields } from './dialogs.ts'
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
  readonly onRinging: (leg: Leg, dialog: Dialog | undefined, response: SipResponse) => Answer
  readonly onAnswered: (leg: Leg, dialog: Dialog, response: SipResponse) => Answer
  readonly onFailed: (leg: Leg) => void
}

/** The answer of a device as the caller gets it. */
export interface LegAnswer {
  readonly dialog: Dialog
  readonly body: Buffer
  /** What tells of the body. */
  readonly headers: Fields
}

/** The INVITE to one device, which may be reached in more ways than one. */
export class Leg {
  readonly bridge: Bridge
  /** The last response of the device itself, when it refused. */
  refusal: SipResponse | undefined
  readonly #needs: LegNeeds
  readonly #ways: Way[]
  #state: 'preparing' | 'calling' | 'over' = 'preparing'
  #call: Call | undefined
  #body: Buffer = Buffer.alloc(0)
  #offer: Description | undefined
  /** The last session description that came before the 2xx. */
  #early: { readonly dialog: Dialog; readonly response: SipResponse } | undefined
  #answer: (LegAnswer & { readonly sdp: Buffer }) | undefined
  #answering: Promise<unknown> = Promise.resolve()

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
    this.#offer = description
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

  /**
   * The answer to the caller's offer in `response`, or in one before it. One that repeats what was taken already is that;
   * another one, changed or of another branch of a fork, takes its place.
   */
  answer(dialog: Dialog, response: SipResponse): Promise<LegAnswer> {
    const answering = this.#answering.then(() => this.#takeAnswer(dialog, response))
    this.#answering = answering.catch(() => {})
    return answering
  }

  /** The session goes on, and all that it took to agree on it is of no more use. */
  settle(): void {
    this.#offer = undefined
    this.#early = undefined
    this.#answer = undefined
    this.#answering = Promise.resolve()
    this.#call = undefined
    this.#body = Buffer.alloc(0)
    this.#ways.length = 0
  }

  async #takeAnswer(dialog: Dialog, response: SipResponse): Promise<LegAnswer> {
    const early = this.#early?.dialog === dialog ? this.#early.response : response
    const described = response.body.length > 0 ? response : early
    const answer = descriptionIn(described)
    if (answer === undefined) throw new Failure('not-acceptable', 'no answer')
    const before = this.#answer
    if (before?.dialog === dialog && before.sdp.equals(answer.sdp)) return before
    if (before !== undefined && this.#offer !== undefined) await this.bridge.offer('caller', this.#offer.sdp)
    const body = answer.body(await this.bridge.answer(answer.sdp))
    this.#answer = { dialog, body, headers: typeOf(described), sdp: answer.sdp }
    return this.#answer
  }

  #tryNext(): void {
    const way = this.#ways.shift()
    if (way === undefined) {
      this.fail()
      return
    }
    this.#call = this.#needs.invite(way.request(this.#body), way.target, {
      onProvisional: (response, dialog) => this.#ringing(response, dialog),
      onAnswered: (dialog, response) => this.#answered(dialog, response),
      onFailed: (response, local) => this.#failed(way, response, local),
    })
  }

  #ringing(response: SipResponse, dialog: Dialog | undefined): Answer {
    if (dialog !== undefined && response.body.length > 0) this.#early = { dialog, response }
    return this.isOver ? undefined : this.#needs.onRinging(this, dialog, response)
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
    // A redirection is not followed, and not told: it would lead the caller, or us, around this server (RFC 3261 §8.3).
    if (!local && response.status >= 400) this.refusal = response
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

const typeOf = ({ headers }: SipResponse): Fields =>
  headers.all('content-type').map((value) => ['Content-Type', value] as const)
