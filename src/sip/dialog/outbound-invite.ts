import { readCSeq } from '../../protocols/sip/cseq.ts'
import { Headers } from '../../protocols/sip/headers.ts'
import { splitList } from '../../protocols/sip/lists.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import { SipRequest, type SipResponse } from '../../protocols/sip/message.ts'
import { readNameAddr } from '../../protocols/sip/name-addr.ts'
import { type Reason, writeReason } from '../../protocols/sip/reason.ts'
import { responseTo } from '../../protocols/sip/respond.ts'
import type { Target } from '../addresses.ts'
import type { ClientTransaction } from '../outbound-request.ts'
import { carriedHeaders, linesOf } from './carried-headers.ts'
import type { DialogContext } from './dialog-context.ts'
import { DialogState } from './dialog-state.ts'
import type { Answer } from './dialog-user.ts'
import { InviteDialog } from './invite-dialog.ts'
import { SentInvite } from './sent-invite.ts'
import { hasDescription } from './session-description.ts'
import { askingHeaders, intervalAfter422, termsIn } from './session-terms.ts'
import { tell } from './tell.ts'

/** What comes of an INVITE that opens dialogs. */
export interface CallEvents {
  onProvisional?(response: SipResponse, dialog: InviteDialog | undefined): Answer
  onAnswered(dialog: InviteDialog, response: SipResponse): Answer
  onFailed(response: SipResponse, local: boolean): void
}

/** One branch of a fork. */
interface Branch {
  readonly dialog: InviteDialog
  readonly sent: SentInvite
}

/** Responses of more branches than this are not heard. */
const mostBranches = 64

/** The client side of an INVITE that opens dialogs: one for each branch of a fork, one of which stays (RFC 3261 §13.2). */
export class OutboundInvite {
  readonly #context: DialogContext
  readonly #request: SipRequest
  readonly #target: Target
  readonly #events: CallEvents
  readonly #offers: boolean
  readonly #branches = new Map<string, Branch>()
  #transaction: ClientTransaction | undefined
  #cseq: number
  #interval: number
  #answered = false
  #over = false
  #cancelled = false

  constructor(context: DialogContext, request: SipRequest, target: Target, events: CallEvents) {
    this.#context = context
    this.#request = request
    this.#target = target
    this.#events = events
    this.#offers = hasDescription(request)
    this.#cseq = readCSeq(request.headers.get('cseq') ?? '').number
    this.#interval = context.policy.sessionExpires
  }

  start(): void {
    const attempt = this.#cseq
    const onFinal = (response: SipResponse, local: boolean) => {
      if (attempt === this.#cseq) this.#onFinal(response, local)
    }
    const onProvisional = (response: SipResponse) => this.#onProvisional(response)
    this.#transaction = this.#context.send(this.#newRequest(), this.#target, onFinal, onProvisional)
  }

  /** Gives up. Goes on listening for a 2xx that crosses the CANCEL (RFC 3261 §9.1, §15). */
  cancel(reason?: Reason): void {
    if (this.#over || this.#answered || this.#cancelled) return
    this.#cancelled = true
    this.#transaction?.cancelInvite(reason === undefined ? undefined : writeReason(reason))
  }

  #newRequest(): SipRequest {
    const { headers, uri, method, body } = this.#request
    const towards = {
      flow: this.#target.flow,
      isSecure: uri.startsWith('sips:'),
      uri: headers.get('route') ? routeUri(headers) : (this.#target.uri ?? uri),
    }
    const made = new Headers(carriedHeaders(method, linesOf(headers), (given) => this.#context.contact(towards, given)))
    made.set('CSeq', `${this.#cseq} ${method}`)
    const asked = made.has('session-expires') ? [] : askingHeaders(this.#interval, 'uac', this.#context.policy.minSE)
    for (const [name, value] of asked) made.add(name, value)
    return new SipRequest(method, uri, made, body)
  }

  #onProvisional(response: SipResponse): void {
    if (response.status === 100 || this.#over || this.#answered || this.#cancelled) return
    const tag = toTagOf(response)
    const branch = tag === undefined ? undefined : this.#branchOf(response, tag)
    if (branch === undefined) {
      tell(this.#context, this.#request, () => this.#events.onProvisional?.(response, undefined))
      return
    }
    const { dialog, sent } = branch
    if (dialog.phase === 'terminated') return
    dialog.learn(response)
    sent.provisional(response, () => this.#events.onProvisional?.(response, dialog))
    if (response.status === 199) dialog.end({ by: 'refused' }, false) // RFC 6228
  }

  #onFinal(response: SipResponse, local: boolean): void {
    if (response.status < 300) this.#onAccepted(response)
    else if (!this.#triesAgain(response)) this.#fail(response, local)
  }

  #onAccepted(response: SipResponse): void {
    const branch = this.#branchOf(response, toTagOf(response) ?? '')
    if (branch === undefined) return
    const { dialog, sent } = branch
    if (sent.isAccepted) sent.accepted(response, () => undefined)
    else if (this.#answered || this.#cancelled || this.#over || dialog.phase === 'terminated')
      this.#endLate(branch, response)
    else {
      this.#answered = true
      this.#endOthers(dialog)
      this.#confirm(dialog, response)
      sent.accepted(response, () => this.#events.onAnswered(dialog, response))
    }
  }

  #confirm(dialog: InviteDialog, response: SipResponse): void {
    dialog.dialog.confirm(response)
    dialog.learn(response)
    dialog.confirmed()
    dialog.startSession(termsIn(response, this.#interval), 'uac')
  }

  /** A 2xx that nobody wants any more: acknowledged, and ended (RFC 3261 §13.2.2.4). */
  #endLate({ dialog, sent }: Branch, response: SipResponse): void {
    dialog.dialog.confirm(response)
    sent.accepted(response, () => undefined)
    if (dialog.phase === 'terminated') this.#revive(dialog, response)
    else void dialog.bye()
    if (!this.#answered) this.#fail(responseTo(this.#request, 487), true)
  }

  /** The branch was given up as an early dialog; its BYE is said by one that begins where it ended. */
  #revive(ended: InviteDialog, response: SipResponse): void {
    const again = new InviteDialog(this.#context, ended.dialog, true, response)
    this.#context.add(again)
    void again.bye()
  }

  #fail(response: SipResponse, local: boolean): void {
    if (this.#over || this.#answered) return
    this.#over = true
    this.#endOthers(undefined)
    tell(this.#context, this.#request, () => this.#events.onFailed(response, local))
  }

  #endOthers(kept: InviteDialog | undefined): void {
    for (const { dialog } of this.#branches.values()) if (dialog !== kept) dialog.end({ by: 'refused' }, false)
  }

  /** RFC 4028 §7.4: once more with the interval that the peer wants at the least. */
  #triesAgain(response: SipResponse): boolean {
    const interval = response.status === 422 ? intervalAfter422(response, this.#interval) : undefined
    if (interval === undefined || this.#cancelled || this.#over) return false
    this.#interval = interval
    this.#cseq++
    this.start()
    return true
  }

  #branchOf(response: SipResponse, tag: string): Branch | undefined {
    const known = this.#branches.get(tag)
    if (known !== undefined || this.#branches.size >= mostBranches) return known
    const state = DialogState.ofClient(this.#request, response, this.#cseq, this.#target.flow)
    const dialog = new InviteDialog(this.#context, state, true, response)
    const { headers, body } = this.#request
    const offer = this.#offers ? dialog.offers.offeredHere({ headers: linesOf(headers), body }) : undefined
    dialog.contact(headers.get('contact'))
    const branch = { dialog, sent: new SentInvite(dialog, this.#cseq, offer) }
    this.#branches.set(tag, branch)
    this.#context.add(dialog)
    return branch
  }
}

/** Undefined where there is none, or To cannot be read. */
function toTagOf({ headers }: SipResponse): string | undefined {
  try {
    return readNameAddr(headers.get('to') ?? '').params.get('tag')
  } catch (err) {
    if (err instanceof MalformedSip) return undefined
    throw err
  }
}

const routeUri = (headers: Headers) => readNameAddr(splitList(headers.get('route') ?? '')[0] ?? '').uri
