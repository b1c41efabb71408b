import { Failure } from '../../failure.ts'
import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import { carried, featuresIn, relayed } from './carried.ts'
import { asRefusal, descriptionIn } from './description.ts'
import type { Content, Dialog, FinalResponse, OfferOptions, Reply } from './dialogs.ts'
import type { Bridge, Side } from './needs.ts'

export interface ExchangeNeeds {
  readonly caller: Dialog
  readonly callee: Dialog
  readonly bridge: Bridge
  /** The parties do not agree on their media any more. */
  readonly onBroken: () => void
}

const otherSide = (side: Side): Side => (side === 'caller' ? 'callee' : 'caller')
/** Another offer is on its way (RFC 3261 §14.1). */
const pending: Reply = { status: 491 }
const isAccepted = ({ response }: FinalResponse) => response.status >= 200 && response.status < 300

/** What the parties of a session that has begun say to each other: each request crosses from one dialog to the other. */
export class Exchange {
  readonly #needs: ExchangeNeeds
  readonly #dialogs: Record<Side, Dialog>
  /** Who waits for the ACK of a party that was made an offer in a 2xx. */
  readonly #acknowledged: Partial<Record<Side, (ack: SipRequest | undefined) => void>> = {}

  /** A device is taking the place of another; until it has, nobody offers anything. */
  #isReplacing = false

  constructor(needs: ExchangeNeeds) {
    this.#needs = needs
    this.#dialogs = { caller: needs.caller, callee: needs.callee }
  }

  /** Another dialog is that of a party from now on. */
  replace(side: Side, dialog: Dialog): void {
    this.#resolveAck(side, undefined)
    this.#dialogs[side] = dialog
  }

  /** INFO, MESSAGE and all others that change nothing. */
  async relayRequest(from: Side, request: SipRequest): Promise<Reply> {
    const { response } = await this.#other(from).request(request.method, contentOf(request, request.body))
    return relayed(response)
  }

  /** A re-INVITE or UPDATE, or in an early dialog a PRACK with an offer (RFC 3261 §14, RFC 3311, RFC 3262 §5). */
  relayOffer(from: Side, request: SipRequest, cancelled: AbortSignal): Promise<Reply> {
    if (this.#isReplacing) return Promise.resolve(pending)
    return request.body.length === 0
      ? this.#askForOffer(from, request, cancelled)
      : this.#offer(from, request, cancelled)
  }

  /** The INVITE of another device of a party, whose offer takes the place of what the one before it had. */
  async offerInPlace(side: Side, request: SipRequest, cancelled: AbortSignal): Promise<Reply> {
    const { caller, callee } = this.#dialogs
    if (this.#isReplacing || !caller.canOffer || !callee.canOffer) return pending
    this.#isReplacing = true
    try {
      return await this.#offerInPlace(side, request, cancelled)
    } finally {
      this.#isReplacing = false
    }
  }

  async #offerInPlace(side: Side, request: SipRequest, cancelled: AbortSignal): Promise<Reply> {
    const { bridge } = this.#needs
    const offer = descriptionIn(request)
    if (offer === undefined) throw new Failure('not-acceptable', 'no offer')
    const content = contentOf(request, offer.body(await bridge.offerInPlace(side, offer.sdp)))
    const final = await this.#other(side).reinvite(content, { glare: 'report', cancelled })
    if (isAccepted(final)) return await this.#answer(final.response)
    bridge.reject()
    return relayed(final.response)
  }

  acknowledge(from: Side, ack: SipRequest): void {
    this.#resolveAck(from, ack)
  }

  /** Resolves with the ACK; undefined when there will be none. */
  acknowledgement(from: Side): Promise<SipRequest | undefined> {
    return new Promise((resolve) => {
      this.#acknowledged[from] = resolve
    })
  }

  /** The session is over. */
  close(): void {
    this.#resolveAck('caller', undefined)
    this.#resolveAck('callee', undefined)
  }

  async #offer(from: Side, request: SipRequest, cancelled: AbortSignal): Promise<Reply> {
    const { bridge } = this.#needs
    const offer = descriptionIn(request)
    if (offer === undefined) throw new Failure('not-acceptable', 'no offer')
    const content = contentOf(request, offer.body(await bridge.offer(from, offer.sdp)))
    const final = await this.#send(from, request.method, content, { glare: 'report', cancelled })
    if (isAccepted(final)) return await this.#answer(final.response)
    bridge.reject()
    return relayed(final.response)
  }

  #send(from: Side, method: string, content: Content, options: OfferOptions): Promise<FinalResponse> {
    const other = this.#other(from)
    const byUpdate = (method === 'UPDATE' && other.allows('UPDATE')) || other.state === 'early'
    return byUpdate ? other.update(content, options) : other.reinvite(content, options)
  }

  async #answer(response: SipResponse): Promise<Reply> {
    try {
      const answer = descriptionIn(response)
      if (answer === undefined) throw new Failure('not-acceptable', 'an answer without session description')
      const reply = relayed(response, answer.body(await this.#needs.bridge.answer(answer.sdp)))
      return { ...reply, headers: [...(reply.headers ?? []), ...featuresIn(response.headers)] }
    } catch (err) {
      this.#needs.onBroken()
      throw asRefusal(err)
    }
  }

  /** A re-INVITE without offer: the other party makes one in its 2xx, and gets the answer in the ACK. */
  async #askForOffer(from: Side, request: SipRequest, cancelled: AbortSignal): Promise<Reply> {
    let replied: Promise<Reply> | undefined
    const final = await this.#other(from).reinvite(contentOf(request, request.body), {
      glare: 'report',
      cancelled,
      answer: (response) => {
        const reply = this.offerOf(otherSide(from), response)
        replied = reply
        return reply.then(() => this.answerOf(from)).catch(() => this.#broken())
      },
    })
    return replied ?? relayed(final.response)
  }

  /** A response that makes an offer, as it goes to the other party. */
  async offerOf(side: Side, response: SipResponse): Promise<Reply> {
    const offer = descriptionIn(response)
    if (offer === undefined) throw new Failure('not-acceptable', 'a response without session description')
    return relayed(response, offer.body(await this.#needs.bridge.offer(side, offer.sdp)))
  }

  /** What goes into the ACK to one party once the other has acknowledged with its answer. */
  async answerOf(from: Side): Promise<Content | undefined> {
    const ack = await this.acknowledgement(from)
    const answer = ack && descriptionIn(ack)
    if (ack === undefined || answer === undefined) return this.#broken()
    return contentOf(ack, answer.body(await this.#needs.bridge.answer(answer.sdp)))
  }

  #broken(): undefined {
    this.#needs.bridge.reject()
    this.#needs.onBroken()
  }

  #other(side: Side): Dialog {
    return this.#dialogs[otherSide(side)]
  }

  #resolveAck(side: Side, ack: SipRequest | undefined): void {
    const resolve = this.#acknowledged[side]
    delete this.#acknowledged[side]
    resolve?.(ack)
  }
}

/** A request as it goes on, with `body` in place of its own. */
function contentOf({ headers }: SipRequest, body: Buffer): Content {
  const lines = [...carried(headers), ...featuresIn(headers)]
  return body.length === 0 ? { headers: lines } : { headers: lines, body }
}
