import type { SipRequest } from '../../protocols/sip/message.ts'
import type { ServerTransaction } from '../inbound-request.ts'
import type { DialogInside } from './dialog-inside.ts'
import type { Reply } from './dialog-user.ts'
import { ServedInvite } from './served-invite.ts'
import { hasDescription } from './session-description.ts'
import { isTooBrief, termsFor, termsHeaders } from './session-terms.ts'

/** What the dialog tells of this end's side. */
interface OwnSide {
  readonly invites: boolean
}

/** The INVITE, UPDATE and PRACK requests of the peer in a dialog (RFC 3261 §14.2, RFC 3311 §5.2, RFC 3262 §3). */
export class PeerOffers {
  readonly #inside: DialogInside
  #served: ServedInvite | undefined
  #servesUpdate = false

  constructor(inside: DialogInside) {
    this.#inside = inside
  }

  get servesUpdate(): boolean {
    return this.#servesUpdate
  }

  /** An INVITE of the peer's that is not through: no final response, or no ACK. */
  get servesInvite(): boolean {
    return this.#served !== undefined && (this.#served.isOpen || this.#served.isUnacknowledged)
  }

  /** All that is missing of an INVITE of the peer's is its ACK. */
  get awaitsAck(): boolean {
    return this.#served?.isUnacknowledged === true
  }

  get served(): ServedInvite | undefined {
    return this.#served
  }

  /** Lets go of an INVITE that is through, and of all that hangs on it. */
  settle(): void {
    if (this.#served?.isOver) this.#served = undefined
  }

  /** The INVITE that opens the dialog. */
  open(transaction: ServerTransaction): ServedInvite {
    this.#served = new ServedInvite(this.#inside, transaction)
    return this.#served
  }

  receiveInvite(transaction: ServerTransaction, own: OwnSide): void {
    const { request } = transaction
    const { offers, phase } = this.#inside
    const isOutgoing = own.invites || (phase === 'early' && this.#inside.initiator)
    const refusal = isOutgoing ? 491 : this.servesInvite ? 500 : offers.refusal
    if (refusal !== undefined) this.#refuse(transaction, refusal)
    else if (isTooBrief(request, this.#inside.context.policy)) this.#refuseAsTooBrief(transaction)
    else void this.#reinvite(transaction)
  }

  receiveUpdate(transaction: ServerTransaction): void {
    const { request } = transaction
    const isOffer = hasDescription(request)
    const refusal = this.#servesUpdate ? 500 : isOffer ? this.#inside.offers.refusal : undefined
    if (refusal !== undefined) this.#refuse(transaction, refusal)
    else if (isTooBrief(request, this.#inside.context.policy)) this.#refuseAsTooBrief(transaction)
    else if (isOffer) void this.#offerInUpdate(transaction)
    else this.#acceptUpdate(transaction, { status: 200 })
  }

  /** A PRACK for nothing that waits for one is a 481 (RFC 3262 §3). */
  receivePrack(transaction: ServerTransaction): void {
    const { request } = transaction
    const { offers } = this.#inside
    const mayOffer = offers.canOffer
    const isDescribed = hasDescription(request)
    if (this.#served?.acknowledge(request) !== true) this.#inside.respond(transaction, { status: 481 })
    else if (isDescribed && mayOffer) void this.#offerInPrack(transaction)
    else {
      if (isDescribed) offers.answeredByPeer()
      this.#inside.respond(transaction, { status: 200 })
    }
  }

  async #reinvite(transaction: ServerTransaction): Promise<void> {
    const { request } = transaction
    const cancelled = new AbortController()
    const served = this.open(transaction)
    served.onGivenUp = (reason) => cancelled.abort(reason)
    const reply = await this.#inside.ask(request, () => this.#inside.handlers.onOffer(request, cancelled.signal))
    if (isAccepted(reply)) served.accept(reply)
    else served.refuse(reply)
  }

  async #offerInUpdate(transaction: ServerTransaction): Promise<void> {
    this.#servesUpdate = true
    const reply = await this.#askForAnswer(transaction.request)
    this.#servesUpdate = false
    if (this.#inside.phase === 'terminated') this.#inside.respond(transaction, { status: 481 })
    else if (isAccepted(reply)) this.#acceptUpdate(transaction, reply)
    else this.#inside.respond(transaction, reply)
    this.#inside.settled()
  }

  #acceptUpdate(transaction: ServerTransaction, reply: Reply): void {
    const { context, dialog } = this.#inside
    const terms = termsFor(transaction.request, context.policy)
    dialog.refresh(transaction.request)
    this.#inside.respond(transaction, reply, termsHeaders(terms))
    this.#inside.startSession(terms, 'uas')
  }

  async #offerInPrack(transaction: ServerTransaction): Promise<void> {
    const reply = await this.#askForAnswer(transaction.request)
    this.#inside.respond(transaction, reply)
    this.#inside.settled()
  }

  /** Brings an offer to the user; it is answered or rejected when this resolves. */
  async #askForAnswer(request: SipRequest): Promise<Reply> {
    const { offers, handlers } = this.#inside
    const exchange = offers.offeredByPeer()
    const reply = await this.#inside.ask(request, () => handlers.onOffer(request, never))
    if (isAccepted(reply)) offers.answeredHere(reply)
    offers.rejected(exchange)
    return reply
  }

  /** 500 comes with a random Retry-After of up to ten seconds (RFC 3261 §14.2, RFC 3311 §5.2). */
  #refuse(transaction: ServerTransaction, status: 491 | 500): void {
    const after = String(Math.floor(this.#inside.context.random() * 11))
    this.#inside.respond(transaction, { status }, status === 500 ? [['Retry-After', after]] : [])
  }

  #refuseAsTooBrief(transaction: ServerTransaction): void {
    this.#inside.respond(transaction, { status: 422 }, [['Min-SE', String(this.#inside.context.policy.minSE)]])
  }
}

const isAccepted = ({ status }: Reply) => status >= 200 && status < 300
const never = new AbortController().signal
