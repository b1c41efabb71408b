import { Failure } from '../../failure.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipResponse } from '../../protocols/sip/message.ts'
import type { Reason } from '../../protocols/sip/reason.ts'
import { bestResponse } from './best-response.ts'
import { featuresIn, relayed } from './carried.ts'
import { asRefusal, type Description, descriptionIn } from './description.ts'
import type { Answer, Dialog, DialogHandlers, Ending, Invitation, Reply } from './dialogs.ts'
import { Exchange } from './exchange.ts'
import { Leg, type Way } from './leg.ts'
import type { Device, Needs, Side } from './needs.ts'

export interface SessionNeeds extends Pick<Needs, 'invite' | 'openBridge' | 'ringFor' | 'log'> {
  readonly bindingGone: (binding: Device) => void
  /** It holds nothing any more. */
  readonly onOver: (session: Session) => void
}

/** RFC 3326: why the other devices stop ringing. */
const elsewhere: Reason = { protocol: 'SIP', cause: 200, text: 'Call completed elsewhere' }

const otherSide = (side: Side): Side => (side === 'caller' ? 'callee' : 'caller')

/**
 * A session of two, from the INVITE to the last BYE: the server is the callee of the caller, and the caller of each device
 * of the callee (RFC 3261 §6, back-to-back user agent). The first device that answers has the session.
 */
export class Session {
  readonly #needs: SessionNeeds
  readonly #invitation: Invitation
  readonly #legs: readonly Leg[]
  /** `answering`: a device has accepted, and its answer is on the way to the caller. */
  #state: 'inviting' | 'answering' | 'established' | 'over' = 'inviting'
  #settle: (reply: Reply | undefined) => void = () => {}
  #fail: (failure: unknown) => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #rung = 0
  #fault: unknown
  #winner: Leg | undefined
  #callee: Dialog | undefined
  #exchange: Exchange | undefined
  #ended: Promise<unknown> = Promise.resolve()

  /** `ways`: of each device, those to reach it. */
  constructor(needs: SessionNeeds, invitation: Invitation, ways: readonly (readonly Way[])[]) {
    this.#needs = needs
    this.#invitation = invitation
    this.#legs = ways.map((ofDevice) => this.#newLeg(ofDevice))
  }

  /** Resolves with the reply that refuses the caller, with nothing when the session began or the caller gave up. */
  async begin(): Promise<Reply | undefined> {
    this.#invitation.onCancelled((reason) => this.#cancelled(reason))
    this.#invitation.dialog.serve(this.#handlers('caller'))
    if (this.#invitation.dialog.state === 'terminated') this.#cancelled(undefined)
    try {
      const offer = descriptionIn(this.#invitation.message)
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

  #newLeg(ways: readonly Way[]): Leg {
    const { invite, bindingGone, openBridge } = this.#needs
    const needs = {
      bridge: openBridge(),
      invite,
      bindingGone,
      onRinging: (_: Leg, response: SipResponse) => this.#ringing(response),
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

  /** One 180 is enough, however many devices ring; early media of a fork lead nowhere. */
  #ringing({ status, reason }: SipResponse): void {
    if (this.#state !== 'inviting' || status === this.#rung || status === 199) return
    this.#rung = status
    void this.#invitation.ring({ status, reason })
  }

  #answered(leg: Leg, dialog: Dialog, response: SipResponse): Answer {
    if (this.#state !== 'inviting') {
      void dialog.bye(elsewhere)
      return undefined
    }
    this.#state = 'answering'
    this.#winner = leg
    this.#callee = dialog
    dialog.serve(this.#handlers('callee'))
    const { bridge } = leg
    const dialogs = { caller: this.#invitation.dialog, callee: dialog }
    const exchange = new Exchange({ dialogs, bridge, onBroken: () => this.#end() })
    this.#exchange = exchange
    bridge.onGone = () => this.#end()
    if (this.#invitation.message.body.length === 0) return this.#acceptWithOffer(exchange, response)
    void this.#acceptWithAnswer(leg, dialog, response)
    return undefined
  }

  /** The answer may have come before, reliably (RFC 3262 §5). A device whose answer is of no use is as one that refuses. */
  async #acceptWithAnswer(leg: Leg, dialog: Dialog, response: SipResponse): Promise<void> {
    try {
      const described = response.body.length > 0 ? response : (leg.early ?? response)
      const answer: Description | undefined = descriptionIn(described)
      if (answer === undefined) throw new Failure('not-acceptable', 'no answer')
      const body = answer.body(await leg.bridge.answer(answer.sdp))
      if (dialog.state === 'terminated') throw new Failure('absent', 'gone before it was heard')
      const { headers = [], ...reply } = relayed(response, body)
      const type = described === response ? [] : typeOf(described)
      this.#accept({ ...reply, headers: [...headers, ...type, ...featuresIn(response.headers)] })
    } catch (err) {
      this.#answerFailed(leg, dialog, err)
    }
  }

  /** The caller has offered nothing: the device does, and the caller answers in its ACK (RFC 3261 §13.2.1). */
  async #acceptWithOffer(exchange: Exchange, response: SipResponse): Promise<Awaited<Answer>> {
    try {
      const { headers = [], ...reply } = await exchange.offerOf('callee', response)
      const answer = exchange.answerOf('caller')
      this.#accept({ ...reply, headers: [...headers, ...featuresIn(response.headers)] })
      return await answer
    } catch (err) {
      this.#log(err)
      this.#fail(asRefusal(err))
      this.#end()
      return undefined
    }
  }

  #accept(reply: Reply): void {
    if (this.#state !== 'answering') return
    this.#state = 'established'
    clearTimeout(this.#timer)
    this.#invitation.accept(reply)
    this.#settle(undefined)
    for (const leg of this.#legs) if (leg !== this.#winner) leg.cancel(elsewhere)
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
    if (this.#fault !== undefined) this.#fail(this.#fault)
    else if (best === undefined || best.status < 400) this.#fail(new Failure('absent', 'no device answers'))
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

  #handlers(side: Side): DialogHandlers {
    return {
      onRequest: (request) => this.#established.relayRequest(side, request),
      onOffer: (request, cancelled) => this.#established.relayOffer(side, request, cancelled),
      onAcknowledged: (ack) => this.#exchange?.acknowledge(side, ack),
      onEnded: (ending) => this.#partyEnded(side, ending),
    }
  }

  /** Before the session has begun there is nobody to pass anything to. */
  get #established(): Exchange {
    if (this.#state !== 'established' || this.#exchange === undefined)
      throw new Failure('out-of-order', 'no session yet')
    return this.#exchange
  }

  /** Before the session has begun the invitation tells of the caller, and the answer of the device. */
  #partyEnded(side: Side, { by, reason }: Ending): void {
    if (this.#state !== 'established') return
    this.#needs.log.debug({ callId: this.#callId, by, side }, 'session ended by a party')
    this.#end(reason, otherSide(side))
  }

  /** Ends the session: whoever is in a dialog gets a BYE, whoever still rings a CANCEL. */
  #end(reason?: Reason, only?: Side): void {
    if (this.#state === 'over') return
    const established = this.#state === 'established'
    this.#over(reason)
    const parting: Promise<unknown>[] = []
    if (established && only !== 'callee') parting.push(this.#invitation.dialog.bye(reason))
    if (this.#callee !== undefined && only !== 'caller') parting.push(this.#callee.bye(reason))
    this.#ended = Promise.all(parting)
  }

  #over(reason?: Reason): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    clearTimeout(this.#timer)
    for (const leg of this.#legs) leg.cancel(reason)
    this.#exchange?.close()
    this.#needs.onOver(this)
  }

  get #callId(): string | undefined {
    return this.#invitation.message.headers.get('call-id')
  }

  #log(err: unknown): void {
    const { log } = this.#needs
    if (err instanceof Failure || err instanceof MalformedSip)
      log.info({ callId: this.#callId, err }, 'answer not taken')
    else log.warn({ callId: this.#callId, err }, 'answer failed')
  }
}

const typeOf = ({ headers }: SipResponse) =>
  headers.all('content-type').map((value) => ['Content-Type', value] as const)
