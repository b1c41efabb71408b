import type { SipRequest } from '../../protocols/sip/message.ts'
import { readReplaces } from '../../protocols/sip/replaces.ts'
import type { InboundInvite } from '../../sip/dialog/inbound-invite.ts'
import type { ServerTransaction } from '../../sip/inbound-request.ts'
import type { EdgeStack } from './edge-stack.ts'
import type { Dialog, Invitation, InvitationReply, Reason, Replacement, SipReply, Source } from './sip-port.ts'

/** An INVITE that opens a dialog of the stack. */
export class EdgeInvitation implements Invitation {
  readonly message: SipRequest
  readonly source: Source
  readonly replaces: Replacement | undefined
  readonly #invite: InboundInvite
  readonly #observe: (status: number) => void

  /** Throws MalformedSip where no dialog can come of it. An interval that is too brief is refused at once. */
  constructor(stack: EdgeStack, transaction: ServerTransaction, observe: (status: number) => void) {
    this.message = transaction.request
    this.source = transaction.source
    this.replaces = replacement(stack, transaction.request)
    this.#invite = stack.invited(transaction)
    this.#observe = observe
    this.#invite.onCancelled(() => observe(487))
    const { objection } = this.#invite
    if (objection !== undefined) this.refuse(objection)
  }

  get sessionReplaces(): string | undefined {
    return this.message.headers.get('session-replaces')?.trim() || undefined
  }

  get dialog(): Dialog {
    return this.#invite.dialog
  }

  /** Whether it has no final response yet. */
  get isOpen(): boolean {
    return this.#invite.isOpen
  }

  ring(reply: SipReply): Promise<SipRequest | undefined> {
    return this.#invite.ring(reply)
  }

  accept(reply: SipReply): Dialog {
    if (this.isOpen) this.#observe(reply.status)
    return this.#invite.accept(reply)
  }

  refuse(reply: SipReply): void {
    if (this.isOpen) this.#observe(reply.status)
    this.#invite.refuse(reply)
  }

  onCancelled(listener: (reason: Reason | undefined) => void): void {
    this.#invite.onCancelled(listener)
  }

  /** What the handler has returned. */
  settle(reply: InvitationReply): void {
    if (reply === undefined) return
    if (reply.status < 300) this.accept(reply)
    else this.refuse(reply)
  }
}

/** In Replaces, the tags are as its receiver has them (RFC 3891 §3). */
function replacement(stack: EdgeStack, { headers }: SipRequest): Replacement | undefined {
  const value = headers.get('replaces')
  if (value === undefined) return undefined
  const { callId, toTag, fromTag, earlyOnly } = readReplaces(value)
  return { dialog: stack.dialog(callId, toTag, fromTag), earlyOnly }
}
