import { readCSeq } from '../../protocols/sip/cseq.ts'
import type { SipResponse } from '../../protocols/sip/message.ts'
import type { ClientTransaction } from '../outbound-request.ts'
import type { Timer, TimerTarget } from '../timer-wheel.ts'
import type { DialogInside } from './dialog-inside.ts'
import type { Answer, Content, FinalResponse, OfferOptions } from './dialog-user.ts'
import { SentInvite } from './sent-invite.ts'
import { describes, hasDescription } from './session-description.ts'
import { askingHeaders, intervalAfter422, termsIn } from './session-terms.ts'

type Method = 'INVITE' | 'UPDATE'

interface Attempt {
  readonly method: Method
  readonly content: Content
  readonly options: OfferOptions
  readonly resolve: (final: FinalResponse) => void
  tries: number
  exchange: number | undefined
  /** The session interval to ask for after a 422. */
  interval?: number
}

/** An attempt that meets glare or a 422 this often is given up. */
const mostTries = 8

/** What the dialog tells of the peer's side, where this end has to wait for it. */
interface PeerSide {
  readonly servesInvite: boolean
  readonly servesUpdate: boolean
  readonly awaitsAck: boolean
}

/**
 * The re-INVITEs and UPDATEs of this end: one at a time, when the rules allow one (RFC 3261 §14.1, RFC 3311 §5.1), and again
 * after a glare.
 */
export class OwnOffers implements TimerTarget<'glare'> {
  readonly #inside: DialogInside
  readonly #peer: PeerSide
  readonly #waiting: Attempt[] = []
  #current: Attempt | undefined
  #transaction: ClientTransaction | undefined
  #glare: Timer | undefined

  constructor(inside: DialogInside, peer: PeerSide) {
    this.#inside = inside
    this.#peer = peer
  }

  get invites(): boolean {
    return this.#current?.method === 'INVITE'
  }

  make(method: Method, content: Content, options: OfferOptions): Promise<FinalResponse> {
    return new Promise((settle) => {
      const { cancelled } = options
      const cancel = () => this.#cancel(attempt)
      const resolve = (final: FinalResponse) => {
        cancelled?.removeEventListener('abort', cancel)
        settle(final)
      }
      const attempt: Attempt = { method, content, options, resolve, tries: 0, exchange: undefined }
      cancelled?.addEventListener('abort', cancel, { once: true })
      if (cancelled?.aborted) resolve(this.#refusal(attempt, 487))
      else if (this.#inside.phase === 'terminated') resolve(this.#refusal(attempt, 481))
      else if (options.glare === 'report' && this.#isGlare(attempt)) resolve(this.#refusal(attempt, 491))
      else this.#add(attempt)
    })
  }

  /** Starts what waits, if it may. */
  next(): void {
    const [attempt] = this.#waiting
    if (attempt === undefined || this.#glare !== undefined || !this.#mayStart(attempt)) return
    this.#waiting.shift()
    this.#start(attempt)
  }

  /** The dialog is over. */
  abandon(): void {
    this.#inside.context.wheel.cancel(this.#glare)
    this.#glare = undefined
    this.#transaction?.abandon()
    for (const attempt of this.#waiting.splice(0)) attempt.resolve(this.#refusal(attempt, 481))
  }

  onTimer(): void {
    this.#glare = undefined
    this.next()
  }

  #cancel(attempt: Attempt): void {
    const at = this.#waiting.indexOf(attempt)
    if (at !== -1) this.#waiting.splice(at, 1)
    if (at !== -1) attempt.resolve(this.#refusal(attempt, 487))
    else if (attempt === this.#current && attempt.method === 'INVITE') this.#transaction?.cancelInvite()
  }

  #add(attempt: Attempt): void {
    this.#waiting.push(attempt)
    this.next()
  }

  /** An ACK that is still on its way crosses nothing: it is waited for. */
  #isGlare(attempt: Attempt): boolean {
    return !this.#mayStart(attempt) && !(this.#peer.awaitsAck && this.#waiting.length === 0)
  }

  #mayStart({ method, content }: Attempt): boolean {
    const { phase, offers } = this.#inside
    if (phase === 'terminated' || this.#current !== undefined) return false
    const mayOffer = offers.canOffer && !this.#peer.servesUpdate
    if (method === 'UPDATE') return mayOffer || !describes(content)
    return phase === 'confirmed' && mayOffer && !this.#peer.servesInvite
  }

  #start(attempt: Attempt): void {
    const { context, dialog, offers } = this.#inside
    const { method, content } = attempt
    attempt.exchange = describes(content) ? offers.offeredHere(content) : undefined
    const request = this.#inside.newRequest(method, content, this.#timerHeaders(attempt))
    const cseq = readCSeq(request.headers.get('cseq') ?? '').number
    const sent = new SentInvite(this.#inside, cseq, attempt.exchange)
    this.#current = attempt
    attempt.tries++
    this.#transaction = context.send(
      request,
      dialog.target,
      (response, local) => this.#onFinal(attempt, sent, response, local),
      method === 'INVITE' ? (response) => sent.provisional(response, this.#answerOf(attempt)) : undefined,
    )
  }

  #timerHeaders(attempt: Attempt) {
    const { timer, context } = this.#inside
    const refresher = timer.refreshes || timer.interval === 0 ? 'uac' : 'uas'
    return askingHeaders(this.#intervalFor(attempt), refresher, context.policy.minSE)
  }

  #intervalFor({ interval }: Attempt): number {
    return interval ?? (this.#inside.timer.interval || this.#inside.context.policy.sessionExpires)
  }

  #onFinal(attempt: Attempt, sent: SentInvite, response: SipResponse, local: boolean): void {
    if (sent.isAccepted) {
      sent.accepted(response, () => undefined) // its ACK is said again
      return
    }
    this.#current = undefined
    this.#transaction = undefined
    if (response.status < 300) this.#accepted(attempt, sent, response)
    else this.#failed(attempt, response, local)
    this.#inside.settled()
  }

  #accepted(attempt: Attempt, sent: SentInvite, response: SipResponse): void {
    const { dialog, offers } = this.#inside
    dialog.refresh(response)
    this.#inside.startSession(termsIn(response, this.#intervalFor(attempt)), 'uac')
    if (attempt.method === 'INVITE') sent.accepted(response, this.#answerOf(attempt))
    else if (hasDescription(response)) offers.answeredByPeer()
    else offers.rejected(attempt.exchange)
    attempt.resolve({ response, local: false })
  }

  #failed(attempt: Attempt, response: SipResponse, local: boolean): void {
    this.#inside.offers.rejected(attempt.exchange)
    if (this.#triesAgain(attempt, response)) return
    attempt.resolve({ response, local })
    if (isLost(response, local)) this.#inside.end({ by: 'lost' }, !local || response.status === 408)
  }

  #triesAgain(attempt: Attempt, response: SipResponse): boolean {
    if (this.#inside.phase === 'terminated' || attempt.tries >= mostTries) return false
    if (attempt.options.cancelled?.aborted) return false
    const interval = response.status === 422 ? intervalAfter422(response, this.#intervalFor(attempt)) : undefined
    if (interval !== undefined) attempt.interval = interval
    else if (response.status !== 491 || attempt.options.glare === 'report') return false
    else this.#glare = this.#inside.context.wheel.set(this.#glareInterval(), this, 'glare')
    this.#waiting.unshift(attempt)
    return true
  }

  /** RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other one up to 2 s, in steps of 10 ms. */
  #glareInterval(): number {
    const random = this.#inside.context.random()
    return this.#inside.initiator ? 2100 + 10 * Math.floor(random * 191) : 10 * Math.floor(random * 201)
  }

  #refusal({ method }: Attempt, status: number): FinalResponse {
    return { response: this.#inside.dialog.localResponse(method, status), local: true }
  }

  /** The user is asked for an answer where the response makes an offer. */
  #answerOf({ options }: Attempt): (response: SipResponse) => Answer {
    const { offers } = this.#inside
    return (response) => (offers.state === 'remote-offer' ? options.answer?.(response) : undefined)
  }
}

/** The peer has no such dialog, or is not there any more (RFC 3261 §12.2.1.2). */
export const isLost = ({ status }: SipResponse, local: boolean): boolean => status === 481 || status === 408 || local
