import { Failure } from '../../failure.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import { hasToken } from '../../protocols/sip/option-tags.ts'
import { relayed, relayedHead } from './carried.ts'
import { descriptionIn } from './description.ts'
import type { Answer, Content, Dialog, Invitation, Reply } from './dialogs.ts'
import type { Exchange } from './exchange.ts'
import type { Leg } from './leg.ts'
import type { Needs } from './needs.ts'

export interface RingingNeeds {
  readonly invitation: Pick<Invitation, 'message' | 'ring'>
  /** One device is called, and no other. */
  readonly isAlone: boolean
  /** Between the caller and that early dialog. */
  readonly exchangeWith: (leg: Leg, dialog: Dialog) => Exchange
  readonly log: Needs['log']
}

/** Of a device that says more than this before it answers, the rest is not heard. */
const mostPassed = 100

/**
 * What the caller hears before somebody has answered. Of one device all of it, early media too; reliably where both know
 * how, one PRACK for the other (RFC 3262). Of several devices that they ring: the caller's one dialog has one answer.
 */
export class Ringing {
  /** The device with which offer and answer are exchanged already, both acknowledged: more offers may follow. */
  agreed: Dialog | undefined
  readonly #needs: RingingNeeds
  readonly #isReliable: boolean
  #status = 0
  #passed = 0

  constructor(needs: RingingNeeds) {
    const { headers } = needs.invitation.message
    this.#needs = needs
    this.#isReliable = hasToken(headers, 'supported', '100rel') || hasToken(headers, 'require', '100rel')
  }

  /** A provisional response of a device; what is returned goes into its PRACK. */
  pass(leg: Leg, dialog: Dialog | undefined, response: SipResponse): Answer {
    const { status, reason } = response
    if (status === 199 || ++this.#passed > mostPassed) return undefined // 199: a branch of a fork has ended (RFC 6228)
    const { isAlone, invitation } = this.#needs
    const wantsPrack = hasToken(response.headers, 'require', '100rel')
    if (isAlone && dialog !== undefined && (wantsPrack || response.body.length > 0)) {
      this.#status = status
      return this.#passWhole(leg, dialog, response, wantsPrack && this.#isReliable)
    }
    if (status === this.#status) return undefined
    this.#status = status
    void invitation.ring(isAlone ? relayedHead(response) : { status, reason })
    return undefined
  }

  async #passWhole(leg: Leg, dialog: Dialog, response: SipResponse, reliable: boolean): Promise<Awaited<Answer>> {
    const { invitation } = this.#needs
    const isOffer = invitation.message.body.length === 0
    const described = response.body.length > 0 && (!isOffer || reliable)
    const reply = described ? await this.#described(leg, dialog, response, isOffer) : undefined
    const prack = await invitation.ring(reply ?? relayedHead(response))
    if (reply === undefined || prack === undefined || !reliable) return undefined
    if (isOffer) return await this.#answerIn(prack, leg, dialog)
    this.#agree(leg, dialog)
    return undefined
  }

  /** Undefined where the description is none: then the device has rung, and said no more. */
  async #described(leg: Leg, dialog: Dialog, response: SipResponse, isOffer: boolean): Promise<Reply | undefined> {
    try {
      if (isOffer) return await this.#needs.exchangeWith(leg, dialog).offerOf('callee', response)
      const { body } = await leg.answer(dialog, response)
      return relayed(response, body)
    } catch (err) {
      if (!(err instanceof Failure) && !(err instanceof MalformedSip)) throw err
      this.#needs.log.info({ err, callId: dialog.snapshot().callId }, 'early session description not taken')
      return undefined
    }
  }

  #agree(leg: Leg, dialog: Dialog): void {
    this.#needs.exchangeWith(leg, dialog)
    this.agreed = dialog
  }

  /** The offer of the device is answered in the caller's PRACK (RFC 3262 §5). */
  async #answerIn(prack: SipRequest, leg: Leg, dialog: Dialog): Promise<Content | undefined> {
    const answer = descriptionIn(prack)
    if (answer === undefined) throw new Failure('not-acceptable', 'a PRACK without answer')
    const body = answer.body(await leg.bridge.answer(answer.sdp))
    this.#agree(leg, dialog)
    return { headers: prack.headers.all('content-type').map((type) => ['Content-Type', type] as const), body }
  }
}
