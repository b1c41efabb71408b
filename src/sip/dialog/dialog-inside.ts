import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import type { ServerTransaction } from '../inbound-request.ts'
import type { DialogContext } from './dialog-context.ts'
import type { DialogState } from './dialog-state.ts'
import type { Content, DialogHandlers, Ending, Reply } from './dialog-user.ts'
import type { OfferAnswer } from './offer-answer.ts'
import type { SessionTerms } from './session-terms.ts'
import type { SessionTimer } from './session-timer.ts'

export type Phase = 'early' | 'confirmed' | 'terminated'

type HeaderLines = readonly (readonly [name: string, value: string])[]

/** A dialog as the machines that belong to it see it. */
export interface DialogInside {
  readonly context: DialogContext
  readonly dialog: DialogState
  readonly offers: OfferAnswer
  readonly timer: SessionTimer
  readonly handlers: DialogHandlers
  readonly phase: Phase
  /** Whether this end sent the INVITE that opened the dialog, and so owns the Call-ID. */
  readonly initiator: boolean
  allows(method: string): boolean
  /** A response in the dialog, with what the dialog adds. */
  respond(transaction: ServerTransaction, reply: Reply, more?: HeaderLines): void
  newResponse(request: SipRequest, reply: Reply, more?: HeaderLines): SipResponse
  /** A request in the dialog, with what the dialog adds. */
  newRequest(method: string, content?: Content, more?: HeaderLines): SipRequest
  /** The reply of a handler; what it throws becomes one. */
  ask(request: SipRequest, call: () => Reply | Promise<Reply>): Promise<Reply>
  startSession(terms: SessionTerms | undefined, role: 'uac' | 'uas'): void
  confirmed(): void
  /** Something that others had to wait for is over. */
  settled(): void
  end(ending: Ending, sayBye: boolean): void
}
