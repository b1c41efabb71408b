import type { SipRequest } from '../../protocols/sip/message.ts'
import { hasToken } from '../../protocols/sip/option-tags.ts'
import { readRAck } from '../../protocols/sip/rack.ts'
import { type Reason, readReason } from '../../protocols/sip/reason.ts'
import type { ServerTransaction } from '../inbound-request.ts'
import type { Timer, TimerTarget } from '../timer-wheel.ts'
import { AcceptedResponse } from './accepted-response.ts'
import type { DialogInside } from './dialog-inside.ts'
import type { Reply } from './dialog-user.ts'
import { ReliableResponses } from './reliable-responses.ts'
import { describes, hasDescription } from './session-description.ts'
import { termsFor, termsHeaders } from './session-terms.ts'
import { tell } from './tell.ts'

/** `accepting`: the 2xx waits for a PRACK; `accepted`: it waits for its ACK. */
type State = 'proceeding' | 'accepting' | 'accepted' | 'over'

/** So often a caller is told that the call goes on, as proxies on the way give up otherwise (RFC 3261 §13.3.1.1). */
const repeatAfter = 60_000

/** The server side of one INVITE, the first of a dialog or a later one (RFC 3261 §13.3, §14.2; RFC 3262 §3). */
export class ServedInvite implements TimerTarget<'repeat'> {
  readonly cseq: number
  /** Told when the peer gives up before the final response. */
  onGivenUp: ((reason: Reason | undefined) => void) | undefined
  readonly #inside: DialogInside
  readonly #transaction: ServerTransaction
  readonly #isReliable: boolean
  /** The session descriptions of the responses answer that of the request, or the first of them is an offer. */
  #isAsked: boolean
  #exchange: number | undefined
  #state: State = 'proceeding'
  #reliable: ReliableResponses | undefined
  #accepted: AcceptedResponse | undefined
  #ringing: Reply | undefined
  #repeat: Timer | undefined

  constructor(inside: DialogInside, transaction: ServerTransaction) {
    const { headers } = transaction.request
    this.#inside = inside
    this.#transaction = transaction
    this.cseq = transaction.checked.cseq.number
    this.#isReliable = hasToken(headers, 'supported', '100rel') || hasToken(headers, 'require', '100rel')
    this.#isAsked = !hasDescription(transaction.request)
    if (!this.#isAsked) this.#exchange = inside.offers.offeredByPeer()
    transaction.onCancelled((cancel) => this.#cancelled(readReason(cancel.headers)))
  }

  /** No final response is decided on. */
  get isOpen(): boolean {
    return this.#state === 'proceeding'
  }

  /** A 2xx went, and its ACK has not come. */
  get isUnacknowledged(): boolean {
    return this.#state === 'accepted'
  }

  /** Nothing is waited for any more. */
  get isOver(): boolean {
    return this.#state === 'over'
  }

  ring(reply: Reply): Promise<SipRequest | undefined> {
    if (this.#state !== 'proceeding') return Promise.resolve(undefined)
    this.#repeatLater({ status: reply.status, ...(reply.reason !== undefined && { reason: reply.reason }) })
    if (this.#isReliable) return this.#ringReliably(reply)
    this.#inside.respond(this.#transaction, reply)
    return Promise.resolve(undefined)
  }

  accept(reply: Reply): void {
    if (this.#state !== 'proceeding') return
    this.#state = 'accepting'
    this.#inside.context.wheel.cancel(this.#repeat)
    if (this.#reliable === undefined) this.#accept(reply)
    else this.#reliable.whenDescribed(() => this.#accept(reply))
  }

  refuse(reply: Reply): void {
    if (!this.#isPending) return
    this.#finish()
    this.#inside.respond(this.#transaction, reply)
    this.#inside.settled()
  }

  /** The dialog ends: a request that waits is answered 487 (RFC 3261 §15.1.2). */
  terminate(reason?: Reason): void {
    const isPending = this.#isPending
    this.#finish()
    if (!isPending) return
    this.#inside.respond(this.#transaction, { status: 487 })
    this.onGivenUp?.(reason)
  }

  /** Whether the PRACK is of a response that waits for it (RFC 3262 §3). */
  acknowledge(prack: SipRequest): boolean {
    return this.#reliable?.acknowledge(readRAck(prack.headers.get('rack') ?? ''), prack) === true
  }

  receiveAck(ack: SipRequest): void {
    if (this.#state !== 'accepted') return
    const { context, offers, handlers } = this.#inside
    if (hasDescription(ack)) offers.answeredByPeer()
    this.#finish()
    tell(context, ack, () => handlers.onAcknowledged?.(ack))
    this.#inside.settled()
  }

  onTimer(): void {
    if (this.#ringing !== undefined) void this.ring(this.#ringing)
  }

  get #isPending(): boolean {
    return this.#state === 'proceeding' || this.#state === 'accepting'
  }

  /** A CANCEL came in time: the transaction has answered 487 by itself (RFC 3261 §9.2). */
  #cancelled(reason: Reason | undefined): void {
    if (!this.#isPending) return
    this.#finish()
    this.onGivenUp?.(reason)
    this.#inside.settled()
  }

  #repeatLater(ringing: Reply): void {
    const { wheel } = this.#inside.context
    this.#ringing = ringing
    wheel.cancel(this.#repeat)
    this.#repeat = wheel.set(repeatAfter, this, 'repeat')
  }

  #ringReliably(reply: Reply): Promise<SipRequest | undefined> {
    const { context } = this.#inside
    this.#reliable ??= new ReliableResponses({
      wheel: context.wheel,
      cseq: this.cseq,
      firstRSeq: 1 + Math.floor(context.random() * 2 ** 30),
      send: (response) => this.#transaction.respond(response),
      giveUp: () => this.#unacknowledged(),
    })
    this.#describe(reply)
    return this.#reliable.add(this.#inside.newResponse(this.#transaction.request, reply), describes(reply))
  }

  #accept(reply: Reply): void {
    const { context, dialog } = this.#inside
    const { request } = this.#transaction
    const terms = termsFor(request, context.policy)
    const response = this.#inside.newResponse(request, reply, termsHeaders(terms))
    this.#reliable?.stop()
    dialog.refresh(request)
    this.#describe(reply)
    this.#state = 'accepted'
    const send = () => this.#transaction.respond(response)
    this.#accepted = new AcceptedResponse(context.wheel, send, () => this.#unacknowledged())
    this.#accepted.start()
    this.#inside.confirmed()
    this.#inside.startSession(terms, 'uas')
  }

  #describe(reply: Reply): void {
    const { offers } = this.#inside
    if (!describes(reply)) return
    if (this.#isAsked) this.#exchange = offers.offeredHere(reply)
    else offers.answeredHere(reply)
    this.#isAsked = false
  }

  /** RFC 3261 §13.3.1.4 wants a BYE where no ACK came, RFC 3262 §3 a refusal where no PRACK did. */
  #unacknowledged(): void {
    const isAccepted = this.#state === 'accepted'
    if (isAccepted) this.#finish()
    else this.refuse({ status: 504 })
    this.#inside.settled()
    if (isAccepted || this.#inside.phase === 'early') this.#inside.end({ by: 'unacknowledged' }, isAccepted)
    if (!isAccepted) this.onGivenUp?.(undefined)
  }

  #finish(): void {
    this.#state = 'over'
    this.#inside.context.wheel.cancel(this.#repeat)
    this.#reliable?.stop()
    this.#accepted?.stop()
    this.#accepted = undefined
    this.#inside.offers.rejected(this.#exchange)
  }
}
