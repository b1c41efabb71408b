import type { SipRequest } from '../../protocols/sip/message.ts'
import type { Reason } from '../../protocols/sip/reason.ts'
import type { Source } from '../addresses.ts'
import type { ServerTransaction } from '../inbound-request.ts'
import type { Timer, TimerTarget } from '../timer-wheel.ts'
import type { DialogContext } from './dialog-context.ts'
import { DialogState } from './dialog-state.ts'
import type { Reply } from './dialog-user.ts'
import { InviteDialog } from './invite-dialog.ts'
import type { ServedInvite } from './served-invite.ts'
import { isTooBrief } from './session-terms.ts'
import { tell } from './tell.ts'

/** The server side of an INVITE that opens a dialog (RFC 3261 §13.3). */
export class InboundInvite implements TimerTarget<'expires'> {
  readonly message: SipRequest
  readonly source: Source
  readonly dialog: InviteDialog
  readonly #context: DialogContext
  readonly #served: ServedInvite
  readonly #onCancelled: ((reason: Reason | undefined) => void)[] = []
  #isKnown = false
  #expires: Timer | undefined

  /** Throws MalformedSip when the INVITE has no Contact, or routes that are none. */
  constructor(context: DialogContext, transaction: ServerTransaction) {
    const tag = context.newTag()
    this.message = transaction.request
    this.source = transaction.source
    this.#context = context
    this.dialog = new InviteDialog(context, DialogState.ofServer(transaction, tag), false, transaction.request)
    transaction.tagWith(tag)
    this.#served = this.dialog.open(transaction)
    this.#served.onGivenUp = (reason) => this.#givenUp(reason)
    const seconds = transaction.request.headers.get('expires') ?? ''
    if (/^[0-9]{1,9}$/.test(seconds)) this.#expires = context.wheel.set(Number(seconds) * 1000, this, 'expires')
  }

  /** The status and header fields to refuse it with at once, if its session interval is too brief (RFC 4028 §9). */
  get objection(): Reply | undefined {
    const { policy } = this.#context
    if (!isTooBrief(this.message, policy)) return undefined
    return { status: 422, headers: [['Min-SE', String(policy.minSE)]] }
  }

  /** Whether a final response is still to be given. */
  get isOpen(): boolean {
    return this.#served.isOpen
  }

  /** A provisional response; resolves with its PRACK, if there is to be one. */
  ring(reply: Reply): Promise<SipRequest | undefined> {
    if (this.isOpen) this.#makeKnown()
    return this.#served.ring(reply)
  }

  accept(reply: Reply): InviteDialog {
    if (this.isOpen) this.#makeKnown()
    this.#context.wheel.cancel(this.#expires)
    this.#served.accept(reply)
    return this.dialog
  }

  refuse(reply: Reply): void {
    if (!this.isOpen) return
    this.#context.wheel.cancel(this.#expires)
    this.#served.refuse(reply)
    this.dialog.end({ by: 'local' }, false)
  }

  onCancelled(listener: (reason: Reason | undefined) => void): void {
    this.#onCancelled.push(listener)
  }

  /** The caller did not want to wait any longer (RFC 3261 §13.3.1). */
  onTimer(): void {
    if (this.isOpen) this.#served.terminate()
  }

  /** From the first response with a tag on the peer may send requests in the dialog. */
  #makeKnown(): void {
    if (!this.#isKnown) this.#context.add(this.dialog)
    this.#isKnown = true
  }

  #givenUp(reason: Reason | undefined): void {
    this.#context.wheel.cancel(this.#expires)
    for (const listener of this.#onCancelled) tell(this.#context, this.message, () => listener(reason))
    this.dialog.end({ by: 'remote', ...(reason && { reason }) }, false)
  }
}
