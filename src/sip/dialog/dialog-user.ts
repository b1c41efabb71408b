import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import type { Reason } from '../../protocols/sip/reason.ts'

/** An answer; what belongs to the transaction and the dialog is added. */
export interface Reply {
  readonly status: number
  readonly reason?: string
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: Buffer
}

/** What a message carries beyond what the dialog writes. A Contact gives its user part and parameters only. */
export interface Content {
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: Buffer
}

/** The answer to an offer, where there was one. */
export type Answer = Content | undefined | Promise<Content | undefined>

export interface FinalResponse {
  readonly response: SipResponse
  /** Made here, not by the peer. */
  readonly local: boolean
}

/** The user of a dialog: what RFC 3261 calls the UA core, and above it. */
export interface DialogHandlers {
  onRequest(request: SipRequest): Reply | Promise<Reply>
  /** An offer, or a re-INVITE that asks for one. `cancelled` aborts when the peer takes a re-INVITE back. */
  onOffer(request: SipRequest, cancelled: AbortSignal): Reply | Promise<Reply>
  onAcknowledged?(ack: SipRequest): void
  onEnded(ending: Ending): void
}

/** Why a dialog ended. */
export interface Ending {
  readonly by: 'local' | 'remote' | 'refused' | 'unacknowledged' | 'expired' | 'lost'
  readonly reason?: Reason
  /** The BYE, where one came. */
  readonly request?: SipRequest
}

export interface OfferOptions {
  /** What a 491 leads to: another try after the interval of RFC 3261 §14.1, or the report of it. */
  readonly glare?: 'retry' | 'report'
  /** Asked for the answer when the 2xx to an INVITE without offer brings one. */
  readonly answer?: (response: SipResponse) => Answer
  /** Takes a re-INVITE back when it aborts; an UPDATE only as long as it waits. */
  readonly cancelled?: AbortSignal
}

/** Who takes what comes before somebody serves the dialog. */
export const noHandlers: DialogHandlers = {
  onRequest: () => ({ status: 405 }),
  onOffer: () => ({ status: 488 }),
  onEnded() {},
}
