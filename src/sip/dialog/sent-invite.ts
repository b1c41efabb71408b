import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import { hasToken } from '../../protocols/sip/option-tags.ts'
import { readRSeq } from '../../protocols/sip/rack.ts'
import type { DialogInside } from './dialog-inside.ts'
import type { Answer, Content } from './dialog-user.ts'
import { hasDescription } from './session-description.ts'

type Tell = (response: SipResponse) => Answer

/** The client side of one INVITE in one dialog: what is acknowledged by PRACK and ACK (RFC 3262 §4, RFC 3261 §13.2.2.4). */
export class SentInvite {
  readonly #inside: DialogInside
  readonly #cseq: number
  /** The exchange that the INVITE, or else the first of its responses, has begun. */
  #exchange: number | undefined
  readonly #offered: boolean
  #described = false
  #lastRSeq: number | undefined
  #isAccepted = false
  #ack: SipRequest | undefined

  /** `offer`: the exchange that the INVITE has begun; without one its responses make the offer. */
  constructor(inside: DialogInside, cseq: number, offer: number | undefined) {
    this.#inside = inside
    this.#cseq = cseq
    this.#offered = offer !== undefined
    this.#exchange = offer
  }

  get isAccepted(): boolean {
    return this.#isAccepted
  }

  /** A provisional response; one that is repeated, or has overtaken another, is not told of. */
  provisional(response: SipResponse, tell: Tell): void {
    if (this.#isAccepted) return
    const rseq = hasToken(response.headers, 'require', '100rel') ? readRSeq(response.headers.get('rseq')) : undefined
    if (rseq === undefined) {
      this.#tell(response, tell, () => {})
      return
    }
    if (this.#lastRSeq !== undefined && rseq !== this.#lastRSeq + 1) return
    this.#lastRSeq = rseq
    this.#take(response)
    this.#tell(response, tell, (answer) => this.#prack(rseq, answer))
  }

  /** A 2xx: told of once, acknowledged each time. */
  accepted(response: SipResponse, tell: Tell): void {
    if (this.#isAccepted) {
      this.#sendAck()
      return
    }
    this.#isAccepted = true
    this.#take(response)
    this.#tell(response, tell, (answer) => {
      this.#ack = this.#inside.dialog.ack(this.#cseq, this.#answered(answer))
      this.#inside.offers.rejected(this.#exchange) // what is not answered by now never is
      this.#sendAck()
      this.#inside.settled()
    })
  }

  /** The first session description of a response that is acknowledged counts; others repeat it (RFC 6337 §3.1.1). */
  #take(response: SipResponse): void {
    const { offers } = this.#inside
    if (this.#described) return
    this.#described = hasDescription(response)
    if (this.#described && this.#offered) offers.answeredByPeer()
    else if (this.#described) this.#exchange = offers.offeredByPeer()
    else if (this.#isAccepted) offers.rejected(this.#exchange)
  }

  /** Hands a response to the user, and what the user answers on. A user that fails has no answer, and ends the dialog. */
  #tell(response: SipResponse, tell: Tell, send: (answer: Content) => void): void {
    const failed = (err: unknown) => {
      this.#inside.context.failed(err, this.#inside.dialog.ack(this.#cseq))
      send({})
      this.#inside.end({ by: 'local' }, true)
    }
    try {
      const answer = tell(response)
      if (answer instanceof Promise) answer.then((late) => send(late ?? {})).catch(failed)
      else send(answer ?? {})
    } catch (err) {
      failed(err)
    }
  }

  /** What the user gives is sent where an answer is owed: elsewhere it would be an offer (RFC 6337 §2.2). */
  #answered(answer: Content): Content {
    const { offers } = this.#inside
    if (!offers.owes(this.#exchange)) return {}
    offers.answeredHere(answer)
    return answer
  }

  #prack(rseq: number, answer: Content): void {
    if (this.#inside.phase === 'terminated') return
    const prack = this.#inside.newRequest('PRACK', this.#answered(answer), [['RAck', `${rseq} ${this.#cseq} INVITE`]])
    this.#inside.context.send(prack, this.#inside.dialog.target, () => {})
  }

  #sendAck(): void {
    if (this.#ack !== undefined) this.#inside.context.sendAck(this.#ack, this.#inside.dialog.target)
  }
}
