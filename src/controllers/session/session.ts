import { Failure } from '../../failure.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import type { Reason } from '../../protocols/sip/reason.ts'
import { bestResponse } from './best-response.ts'
import { featuresIn, relayed, relayedHead } from './carried.ts'
import { asRefusal, descriptionIn } from './description.ts'
import type { Answer, Content, Dialog, DialogHandlers, Ending, Invitation, Reply } from './dialogs.ts'
import { Exchange } from './exchange.ts'
import { Leg, type Way } from './leg.ts'
import type { Device, History, Needs, Outcome, Parties, Side } from './needs.ts'
import { mediaIn, offerIn } from './offered-media.ts'
import { placeOfCaller, placeOfDevice } from './place.ts'
import { Ringing } from './ringing.ts'
import type { SessionRecord } from './session-record.ts'

export interface SessionNeeds
  extends Pick<Needs, 'invite' | 'openBridge' | 'ringFor' | 'inSessionMessage' | 'referInSession' | 'log'> {
  readonly bindingGone: (binding: Device) => void
  readonly newRecord: () => SessionRecord
  /** It holds nothing any more. */
  readonly onOver: (session: Session) => void
}

/** RFC 3326: why the other devices stop ringing. */
const elsewhere: Reason = { protocol: 'SIP', cause: 200, text: 'Call completed elsewhere' }
const replaced: Reason = { protocol: 'SIP', cause: 200, text: 'Replaced' }

const otherSide = (side: Side): Side => (side === 'caller' ? 'callee' : 'caller')

/**
 * A session of two, from the INVITE to the last BYE: the server is the callee of the caller, and the caller of each device
 * of the callee (RFC 3261 §6, back-to-back user agent). The first device that answers has the session.
 */
export class Session {
  readonly parties: Parties
  readonly #needs: SessionNeeds
  /** Until the session is established, which may last long and has no more use of it. */
  #setUp: { readonly invitation: Invitation; readonly ringing: Ringing } | undefined
  readonly #callId: string | undefined
  #legs: readonly Leg[]
  /** `answering`: a device has accepted, and its answer is on the way to the caller. */
  #state: 'inviting' | 'answering' | 'established' | 'over' = 'inviting'
  #settle: (reply: Reply | undefined) => void = () => {}
  #fail: (failure: unknown) => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #fault: unknown
  #winner: Leg | undefined
  #caller: Dialog
  #callee: Dialog | undefined
  #exchange: Exchange | undefined
  #record: SessionRecord | undefined
  #ended: Promise<unknown> = Promise.resolve()
  readonly #history: History | undefined
  /** Calls that the caller asked for, and what became of them. */
  readonly #offered: ReadonlySet<string>
  #outcome: Outcome = 'missed'

  /** `ways`: of each device, those to reach it. */
  constructor(
    needs: SessionNeeds,
    invitation: Invitation,
    parties: Parties,
    ways: readonly (readonly Way[])[],
    history?: History,
  ) {
    this.#needs = needs
    this.#history = history
    this.#offered = history === undefined ? noMedia : mediaIn(offerIn(invitation.message))
    this.parties = parties
    this.#caller = invitation.dialog
    this.#callId = invitation.message.headers.get('call-id')
    this.#legs = ways.map((ofDevice) => this.#newLeg(invitation, ofDevice))
    const ringing = new Ringing({
      invitation,
      isAlone: ways.length === 1,
      exchangeWith: (leg, dialog) => this.#exchangeWith(leg, dialog),
      log: needs.log,
    })
    this.#setUp = { invitation, ringing }
  }

  /** Resolves with the reply that refuses the caller, with nothing when the session began or the caller gave up. */
  async begin(): Promise<Reply | undefined> {
    const invitation = this.#setUp?.invitation
    invitation?.onCancelled((reason) => this.#cancelled(reason))
    this.#caller.serve(this.#handlers('caller', this.#caller))
    if (this.#caller.state === 'terminated') this.#cancelled(undefined)
    try {
      const offer = invitation && descriptionIn(invitation.message)
      for (const leg of this.#legs) await leg.prepare(offer)
      return await this.#ringAll()
    } catch (err) {
      this.#over()
      throw err
    }
  }

  /** The server closes: both parties hear it. Resolves when they have answered. */
  shutDown(): Promise<unknown> {
    this.#fault = new Failure('overloaded', 'shutting down', { retryAfter: 5 })
    this.#fail(this.#fault)
    this.#end()
    return this.#ended
  }

  /** Brings the row up to date, if what leads to a party has changed. */
  saveRecord(): void {
    if (this.#callee !== undefined) this.#record?.save([this.#caller, this.#callee], this.#history?.kept)
  }

  get isInviting(): boolean {
    return this.#state === 'inviting' || this.#state === 'answering'
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  /** What its users keep of it. */
  get history(): History | undefined {
    return this.#history
  }

  /** The party whose dialog that is. */
  sideOf(dialog: object): Side | undefined {
    if (dialog === this.#caller) return 'caller'
    return dialog === this.#callee ? 'callee' : undefined
  }

  /**
   * Another device of the party of `side` goes on in its place (RFC 3891): its offer goes to the other party as a change of
   * media, and the device before it gets a BYE. Resolves with the reply that refuses it.
   */
  async replace(side: Side, invitation: Invitation): Promise<Reply | undefined> {
    const exchange = this.#open
    const before = this.#dialog(side)
    const { dialog, message } = invitation
    const givenUp = new AbortController()
    invitation.onCancelled(() => givenUp.abort())
    const outcome = await exchange.offerInPlace(side, message, givenUp.signal)
    if (outcome.status >= 300) return outcome
    if (this.#state !== 'established' || dialog.state === 'terminated') {
      // The other party has agreed with somebody who is not there any more.
      this.#end()
      return { status: 481 }
    }
    if (side === 'caller') this.#caller = dialog
    else this.#callee = dialog
    exchange.replace(side, dialog)
    dialog.serve(this.#handlers(side, dialog))
    invitation.accept(outcome)
    void before?.bye(replaced)
    this.saveRecord()
    return undefined
  }

  #newLeg(invitation: Invitation, ways: readonly Way[]): Leg {
    const { invite, bindingGone, openBridge } = this.#needs
    const needs = {
      bridge: openBridge(
        this.parties,
        { caller: placeOfCaller(invitation), callee: placeOfDevice(ways[0]?.binding) },
        this.#history,
      ),
      invite,
      bindingGone,
      onRinging: (leg: Leg, dialog: Dialog | undefined, response: SipResponse) => this.#rings(leg, dialog, response),
      onAnswered: (leg: Leg, dialog: Dialog, response: SipResponse) => this.#answered(leg, dialog, response),
      onFailed: () => this.#legFailed(),
    }
    return new Leg(needs, ways)
  }

  #ringAll(): Promise<Reply | undefined> {
    return new Promise((settle, fail) => {
      this.#settle = settle
      this.#fail = fail
      if (this.#state === 'over') {
        // While the offers were worked out the caller gave up, or the server began to close.
        if (this.#fault === undefined) settle(undefined)
        else fail(this.#fault)
        return
      }
      this.#timer = setTimeout(() => this.#timedOut(), this.#needs.ringFor)
      for (const leg of this.#legs) leg.start()
    })
  }

  #rings(leg: Leg, dialog: Dialog | undefined, response: SipResponse): Answer {
    if (this.#state !== 'inviting') return undefined
    dialog?.serve(this.#handlers('callee', dialog))
    return this.#setUp?.ringing.pass(leg, dialog, response)
  }

  /** The exchange with that dialog: before its 2xx it may have begun already. */
  #exchangeWith({ bridge }: Leg, callee: Dialog): Exchange {
    if (this.#exchange !== undefined && this.#callee === callee) return this.#exchange
    this.#callee = callee
    this.#exchange?.close()
    this.#exchange = new Exchange({ caller: this.#caller, callee, bridge, onBroken: () => this.#broken() })
    bridge.onGone = () => this.#broken()
    return this.#exchange
  }

  #answered(leg: Leg, dialog: Dialog, response: SipResponse): Answer {
    if (this.#state !== 'inviting' || this.#setUp === undefined) {
      void dialog.bye(elsewhere)
      return undefined
    }
    const { invitation, ringing } = this.#setUp
    this.#state = 'answering'
    this.#winner = leg
    dialog.serve(this.#handlers('callee', dialog))
    const exchange = this.#exchangeWith(leg, dialog)
    if (invitation.message.body.length > 0) void this.#acceptWithAnswer(leg, dialog, response)
    else if (ringing.agreed === dialog) this.#accept(withFeatures(relayedHead(response), response), response)
    else return this.#acceptWithOffer(exchange, response)
    return undefined
  }

  /** A device whose answer is of no use is as one that refuses. */
  async #acceptWithAnswer(leg: Leg, dialog: Dialog, response: SipResponse): Promise<void> {
    try {
      const { body, headers } = await leg.answer(dialog, response)
      if (dialog.state === 'terminated') throw new Failure('absent', 'gone before it was heard')
      const reply = withFeatures(relayed(response, body), response)
      const type = response.body.length > 0 ? [] : headers
      this.#accept({ ...reply, headers: [...(reply.headers ?? []), ...type] }, response)
    } catch (err) {
      this.#answerFailed(leg, dialog, err)
    }
  }

  /** The caller has offered nothing: the device does, and the caller answers in its ACK (RFC 3261 §13.2.1). */
  async #acceptWithOffer(exchange: Exchange, response: SipResponse): Promise<Awaited<Answer>> {
    try {
      const reply = await exchange.offerOf('callee', response)
      const answer = exchange.answerOf('caller')
      this.#accept(withFeatures(reply, response), response)
      const content = await answer
      void this.#history?.changed()
      return content
    } catch (err) {
      this.#log(err)
      this.#fail(asRefusal(err))
      this.#end()
      return undefined
    }
  }

  #accept(reply: Reply, response: SipResponse): void {
    if (this.#state !== 'answering') return
    this.#state = 'established'
    this.#outcome = 'answered'
    clearTimeout(this.#timer)
    this.#setUp?.invitation.accept(reply)
    this.#setUp = undefined
    this.#settle(undefined)
    for (const leg of this.#legs) if (leg !== this.#winner) leg.cancel(elsewhere)
    this.#legs = this.#legs.filter((leg) => leg === this.#winner)
    this.#winner?.settle()
    this.#record = this.#needs.newRecord()
    this.saveRecord()
    const bridge = this.#winner?.bridge
    if (bridge !== undefined)
      void this.#history?.answered(bridge, response.headers, response.body, () => this.saveRecord())
  }

  #answerFailed(leg: Leg, dialog: Dialog, err: unknown): void {
    this.#log(err)
    if (this.#state !== 'answering') return
    this.#fault = asRefusal(err)
    this.#state = 'inviting'
    this.#winner = undefined
    this.#callee = undefined
    void dialog.bye()
    leg.fail()
  }

  #legFailed(): void {
    if (this.#state !== 'inviting' || this.#legs.some(({ isOver }) => !isOver)) return
    const best = bestResponse(this.#legs.flatMap(({ refusal }) => refusal ?? []))
    if (best !== undefined && isDeclined(best.status)) this.#outcome = 'declined'
    if (this.#fault !== undefined) this.#fail(this.#fault)
    else if (best === undefined) this.#fail(new Failure('absent', 'no device answers'))
    // RFC 3261 §16.7 item 6: a 503 of one device is not one of this server.
    else this.#settle(best.status === 503 ? { status: 500 } : relayed(best))
    this.#over()
  }

  #timedOut(): void {
    this.#fail(new Failure('absent', 'nobody answers'))
    this.#over()
  }

  #cancelled(reason: Reason | undefined): void {
    if (this.#state === 'established') return
    this.#settle(undefined)
    this.#end(reason)
  }

  #handlers(side: Side, dialog: Dialog): DialogHandlers {
    return {
      onRequest: (request) => this.#relay(side, request),
      onOffer: async (request, cancelled) => {
        const reply = await this.#open.relayOffer(side, request, cancelled)
        this.saveRecord()
        if (this.#state === 'established') void this.#history?.changed()
        return reply
      },
      onAcknowledged: (ack) => this.#exchange?.acknowledge(side, ack),
      onEnded: (ending) => this.#partyEnded(side, dialog, ending),
    }
  }

  #relay(side: Side, request: SipRequest): Reply | Promise<Reply> {
    const exchange = this.#open
    if (request.method === 'REFER') return this.#refer(side, request) ?? exchange.relayRequest(side, request)
    if (request.method !== 'MESSAGE') return exchange.relayRequest(side, request)
    const { [side]: sender, [otherSide(side)]: recipient } = this.parties
    const relay = () => exchange.relayRequest(side, request)
    return this.#needs.inSessionMessage(request, sender, recipient.aor, relay, this.#history?.copiesOf(side))
  }

  /** Undefined: it is for the other party. */
  #refer(side: Side, message: SipRequest): Promise<Reply> | undefined {
    const [history, dialog] = [this.#history, this.#dialog(side)]
    if (history === undefined || dialog === undefined || this.#state !== 'established') return undefined
    const request = async (method: string, content: Content) => (await dialog.request(method, content)).response.status
    return this.#needs.referInSession?.({ message, side, history, request })
  }

  /**
   * Before there is somebody to pass anything to, a request waits: 500 with Retry-After (RFC 3311 §5.2). In an early
   * dialog there is once offer and answer are through.
   */
  get #open(): Exchange {
    const isEarly = this.#state === 'inviting' && this.#setUp?.ringing.agreed !== undefined
    if (this.#exchange !== undefined && (isEarly || this.#state === 'established')) return this.#exchange
    throw new Failure('out-of-order', 'no session yet', { retryAfter: Math.floor(Math.random() * 11) })
  }

  #dialog(side: Side): Dialog | undefined {
    return side === 'caller' ? this.#caller : this.#callee
  }

  /** Before the session has begun the invitation tells of the caller, and the answer of the device. */
  #partyEnded(side: Side, dialog: Dialog, { by, reason }: Ending): void {
    if (this.#state !== 'established' || dialog !== this.#dialog(side)) return
    this.#needs.log.debug({ callId: this.#callId, by, side }, 'session ended by a party')
    this.#end(reason, otherSide(side))
  }

  /** The parties do not agree on their media any more, or one of them is gone from there. */
  #broken(): void {
    this.#fail(new Failure('not-acceptable', 'the media came to nothing'))
    this.#end()
  }

  /** Ends the session: whoever is in a dialog gets a BYE, whoever still rings a CANCEL. */
  #end(reason?: Reason, only?: Side): void {
    if (this.#state === 'over') return
    const established = this.#state === 'established'
    const answered = established || this.#state === 'answering'
    this.#over(reason)
    const parting: Promise<unknown>[] = []
    if (established && only !== 'callee') parting.push(this.#caller.bye(reason))
    if (answered && this.#callee !== undefined && only !== 'caller') parting.push(this.#callee.bye(reason))
    this.#ended = Promise.all(parting)
  }

  #over(reason?: Reason): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    clearTimeout(this.#timer)
    for (const leg of this.#legs) leg.cancel(reason)
    this.#exchange?.close()
    void this.#record?.remove()
    this.#history?.ended(this.#outcome, this.#offered)
    this.#needs.onOver(this)
  }

  #log(err: unknown): void {
    const { log } = this.#needs
    if (err instanceof Failure || err instanceof MalformedSip)
      log.info({ callId: this.#callId, err }, 'answer not taken')
    else log.warn({ callId: this.#callId, err }, 'answer failed')
  }
}

const noMedia: ReadonlySet<string> = new Set()

/** Somebody was there, and did not want the call. */
const isDeclined = (status: number): boolean => status === 486 || status === 600 || status === 603

/** The 2xx of a device, as the caller gets it, tells what the device can do. */
const withFeatures = (reply: Reply, { headers }: SipResponse): Reply => ({
  ...reply,
  headers: [...(reply.headers ?? []), ...featuresIn(headers)],
})
