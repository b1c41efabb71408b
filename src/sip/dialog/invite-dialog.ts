import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import { tokensOf } from '../../protocols/sip/option-tags.ts'
import { type Reason, readReason, writeReason } from '../../protocols/sip/reason.ts'
import { responseTo } from '../../protocols/sip/respond.ts'
import type { ServerTransaction } from '../inbound-request.ts'
import { carriedHeaders, supported } from './carried-headers.ts'
import type { DialogContext, DialogEntry } from './dialog-context.ts'
import type { DialogInside, Phase } from './dialog-inside.ts'
import type { DialogState } from './dialog-state.ts'
import {
  type Content,
  type DialogHandlers,
  type Ending,
  type FinalResponse,
  noHandlers,
  type OfferOptions,
  type Reply,
} from './dialog-user.ts'
import { OfferAnswer } from './offer-answer.ts'
import { isLost, OwnOffers } from './own-offers.ts'
import { PeerOffers } from './peer-offers.ts'
import type { ServedInvite } from './served-invite.ts'
import type { SessionTerms } from './session-terms.ts'
import { SessionTimer, type SessionTimerUser } from './session-timer.ts'
import type { StoredDialog } from './stored-dialog.ts'
import { tell } from './tell.ts'

type HeaderLines = readonly (readonly [name: string, value: string])[]

/** A dialog that an INVITE has opened, or is about to (RFC 3261 §12 to §15). */
export class InviteDialog implements DialogEntry, DialogInside, SessionTimerUser {
  readonly context: DialogContext
  readonly dialog: DialogState
  readonly initiator: boolean
  readonly offers = new OfferAnswer()
  readonly timer: SessionTimer
  readonly key: string
  readonly #own: OwnOffers
  readonly #peer: PeerOffers
  #handlers = noHandlers
  #phase: Phase = 'early'
  #peerAllows: ReadonlySet<string> = new Set()
  /** The peer knows of session timers. */
  #isAgreed = false
  /** The Contact that the user gave last; it is given again. */
  #contact: string | undefined
  #bye: { readonly done: Promise<void>; readonly resolve: () => void } | undefined
  /** A BYE that waits for the ACK. */
  #waitingBye: { readonly reason: Reason | undefined } | undefined

  /** `opening` is the peer's first message: the INVITE, or the response to ours. */
  constructor(context: DialogContext, dialog: DialogState, initiator: boolean, opening: SipRequest | SipResponse) {
    this.context = context
    this.dialog = dialog
    this.initiator = initiator
    this.key = dialog.key
    this.timer = new SessionTimer(context.wheel, this)
    this.#peer = new PeerOffers(this)
    this.#own = new OwnOffers(this, this.#peer)
    this.learn(opening)
  }

  get callId(): string {
    return this.dialog.callId
  }
  get localTag(): string {
    return this.dialog.localTag
  }
  get remoteTag(): string {
    return this.dialog.remoteTag
  }
  get state(): Phase {
    return this.#phase
  }
  get phase(): Phase {
    return this.#phase
  }
  get handlers(): DialogHandlers {
    return this.#handlers
  }
  get canOffer(): boolean {
    return this.#phase !== 'terminated' && this.offers.canOffer
  }

  serve(handlers: DialogHandlers): void {
    this.#handlers = handlers
  }

  allows(method: string): boolean {
    return this.#peerAllows.has(method.toLowerCase())
  }

  /** Sends a request that neither opens nor changes the session (RFC 3261 §12.2.1). */
  request(method: string, content: Content = {}): Promise<FinalResponse> {
    if (this.#phase === 'terminated') {
      return Promise.resolve({ response: this.dialog.localResponse(method, 481), local: true })
    }
    return new Promise((resolve) => {
      this.context.send(this.newRequest(method, content), this.dialog.target, (response, local) => {
        resolve({ response, local })
        if (isLost(response, local)) this.end({ by: 'lost' }, !local || response.status === 408)
      })
    })
  }

  reinvite(content: Content, options: OfferOptions = {}): Promise<FinalResponse> {
    return this.#own.make('INVITE', content, options)
  }

  update(content: Content, options: OfferOptions = {}): Promise<FinalResponse> {
    return this.#own.make('UPDATE', content, options)
  }

  /** Ends the dialog; resolves when its BYE is answered or given up, or there is none to say. */
  bye(reason?: Reason): Promise<void> {
    if (this.#phase !== 'terminated') this.end({ by: 'local', ...(reason && { reason }) }, true)
    return this.#bye?.done ?? Promise.resolve()
  }

  snapshot(): StoredDialog {
    return this.dialog.snapshot()
  }

  /** The INVITE of the peer that opens this dialog. */
  open(transaction: ServerTransaction): ServedInvite {
    return this.#peer.open(transaction)
  }

  /** Reads what a message tells of the peer. */
  learn({ headers }: SipRequest | SipResponse): void {
    if (headers.has('allow')) this.#peerAllows = new Set(tokensOf(headers, 'allow'))
  }

  receive(transaction: ServerTransaction): void {
    const { checked } = transaction
    if (this.#phase === 'terminated') this.#receiveAfterEnd(transaction)
    else if (!this.dialog.accepts(checked.cseq.number))
      this.respond(transaction, { status: 500, reason: 'Out Of Order' })
    else {
      try {
        this.#receiveInOrder(transaction)
      } catch (err) {
        if (!(err instanceof MalformedSip)) throw err
        this.respond(transaction, { status: err.status, reason: err.message })
      }
    }
  }

  receiveAck(ack: SipRequest, cseq: number): void {
    if (this.#peer.served?.cseq === cseq) this.#peer.served.receiveAck(ack)
  }

  close(): void {
    this.end({ by: 'local' }, false)
  }

  respond(transaction: ServerTransaction, reply: Reply, more: HeaderLines = []): void {
    transaction.respond(this.newResponse(transaction.request, reply, more))
  }

  newResponse(request: SipRequest, { status, reason, headers = [], body }: Reply, more: HeaderLines = []): SipResponse {
    const opensOrRefreshes = status > 100 && status < 300
    const carried = opensOrRefreshes ? this.#carried(request.method, headers) : headers
    const routes = opensOrRefreshes ? request.headers.all('record-route') : []
    return responseTo(request, status, {
      toTag: this.localTag,
      headers: [...routes.map((route) => ['Record-Route', route] as const), ...carried, ...more],
      ...(reason !== undefined && { reason }),
      ...(body && { body }),
    })
  }

  newRequest(method: string, { headers = [], body }: Content = {}, more: HeaderLines = []): SipRequest {
    return this.dialog.request(method, { headers: [...this.#carried(method, headers), ...more], ...(body && { body }) })
  }

  /** Contact, as the peer of this dialog is to see it. */
  contact(given: string | undefined): string {
    if (given !== undefined) this.#contact = given
    return this.context.contact(this.dialog.nextHop, this.#contact)
  }

  async ask(request: SipRequest, call: () => Reply | Promise<Reply>): Promise<Reply> {
    try {
      return await call()
    } catch (err) {
      return this.context.failed(err, request)
    }
  }

  startSession(terms: SessionTerms | undefined, role: 'uac' | 'uas'): void {
    if (this.#phase !== 'confirmed') return
    this.#isAgreed = terms?.agreed === true
    if (terms === undefined) this.timer.stop()
    else this.timer.start(terms.interval, terms.refresher === role)
  }

  confirmed(): void {
    if (this.#phase === 'early') this.#phase = 'confirmed'
  }

  settled(): void {
    this.#peer.settle()
    if (this.#waitingBye !== undefined && !this.#peer.servesInvite) this.#sayBye(this.#waitingBye.reason)
    else this.#own.next()
  }

  refreshSession(): void {
    void this.#refresh()
  }

  expireSession(): void {
    this.end({ by: 'expired' }, true)
  }

  /** The end, whoever brings it about. With `sayBye` the peer is told, as the state of the dialog allows (RFC 3261 §15). */
  end(ending: Ending, sayBye: boolean): void {
    if (this.#phase === 'terminated') return
    const isUnanswered = this.#phase === 'early' && !this.initiator
    this.#phase = 'terminated'
    this.timer.stop()
    this.#own.abandon()
    if (sayBye && !isUnanswered) this.#endWithBye(ending.reason)
    else this.#endWithoutBye(sayBye, ending.reason)
    this.#tellEnd(ending)
  }

  #endWithBye(reason: Reason | undefined): void {
    let resolve = () => {}
    const done = new Promise<void>((settle) => {
      resolve = settle
    })
    this.#bye = { done, resolve }
    if (this.#peer.served?.isUnacknowledged) {
      this.#waitingBye = { reason }
      return
    }
    this.#peer.served?.terminate()
    this.#sayBye(reason)
  }

  /** In an early dialog the UAS has no BYE: it refuses (RFC 3261 §15). */
  #endWithoutBye(refuses: boolean, reason: Reason | undefined): void {
    if (refuses) this.#peer.served?.refuse({ status: 480, headers: reasonHeaders(reason) })
    else this.#peer.served?.terminate(reason)
    this.context.remove(this)
  }

  #sayBye(reason: Reason | undefined): void {
    this.#waitingBye = undefined
    const bye = this.newRequest('BYE', { headers: reasonHeaders(reason) })
    this.context.send(bye, this.dialog.target, () => this.#gone())
  }

  #tellEnd(ending: Ending): void {
    tell(this.context, ending.request ?? this.dialog.ack(0), () => this.#handlers.onEnded(ending))
  }

  #receiveInOrder(transaction: ServerTransaction): void {
    const { request } = transaction
    const missing = tokensOf(request.headers, 'require').filter((tag) => !supported.includes(tag))
    this.learn(request)
    if (missing.length > 0) {
      this.respond(transaction, { status: 420, headers: [['Unsupported', missing.join(', ')]] })
      return
    }
    switch (request.method) {
      case 'BYE':
        this.#receiveBye(transaction)
        return
      case 'INVITE':
        this.dialog.moveTo(transaction)
        this.#peer.receiveInvite(transaction, this.#own)
        return
      case 'UPDATE':
        this.dialog.moveTo(transaction)
        this.#peer.receiveUpdate(transaction)
        return
      case 'PRACK':
        this.#peer.receivePrack(transaction)
        return
      default:
        void this.#serveRequest(transaction)
    }
  }

  /** A BYE that crosses ours is as good as the answer to it. */
  #receiveAfterEnd(transaction: ServerTransaction): void {
    const isBye = transaction.request.method === 'BYE'
    this.respond(transaction, { status: isBye ? 200 : 481 })
    if (!isBye || this.#waitingBye === undefined) return
    this.#waitingBye = undefined
    this.#peer.served?.terminate()
    this.#gone()
  }

  #gone(): void {
    this.context.remove(this)
    this.#bye?.resolve()
  }

  #receiveBye(transaction: ServerTransaction): void {
    const { request } = transaction
    const reason = readReason(request.headers)
    this.respond(transaction, { status: 200 })
    this.end({ by: 'remote', request, ...(reason && { reason }) }, false)
  }

  async #serveRequest(transaction: ServerTransaction): Promise<void> {
    const { request } = transaction
    this.respond(transaction, await this.ask(request, () => this.#handlers.onRequest(request)))
  }

  /** By UPDATE, which needs no session description, or by a re-INVITE that offers what is in force (RFC 4028 §7.4). */
  async #refresh(): Promise<void> {
    const { local } = this.offers
    const byUpdate = local === undefined || this.allows('UPDATE')
    const { interval } = this.timer
    await (byUpdate ? this.update({}) : this.reinvite(local))
    // A peer that knows no session timers and refuses is alive all the same.
    if (!this.#isAgreed && this.#phase === 'confirmed') this.timer.start(interval, true)
  }

  #carried(method: string, headers: HeaderLines): (readonly [string, string])[] {
    return carriedHeaders(method, headers, (given) => this.contact(given))
  }
}

const reasonHeaders = (reason: Reason | undefined): HeaderLines =>
  reason === undefined ? [] : [['Reason', writeReason(reason)]]
