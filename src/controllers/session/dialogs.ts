import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import type { Reason } from '../../protocols/sip/reason.ts'

export type Fields = readonly (readonly [name: string, value: string])[]

export interface Reply {
  readonly status: number
  readonly reason?: string
  readonly headers?: Fields
  readonly body?: Buffer
}

export interface Content {
  readonly headers?: Fields
  readonly body?: Buffer
}

export type Answer = Content | undefined | Promise<Content | undefined>

export interface FinalResponse {
  readonly response: SipResponse
  readonly local: boolean
}

export interface Ending {
  readonly by: string
  readonly reason?: Reason
}

/** Who takes what comes in a dialog. */
export interface DialogHandlers {
  onRequest(request: SipRequest): Reply | Promise<Reply>
  onOffer(request: SipRequest, cancelled: AbortSignal): Reply | Promise<Reply>
  onAcknowledged?(ack: SipRequest): void
  onEnded(ending: Ending): void
}

export interface OfferOptions {
  readonly glare?: 'retry' | 'report'
  readonly answer?: (response: SipResponse) => Answer
  readonly cancelled?: AbortSignal
}

/** A dialog as a row: enough to say BYE. */
export interface StoredDialog {
  readonly callId: string
  readonly local: string
  readonly remote: string
  readonly localSeq: number
  readonly remoteTarget: string
  readonly routeSet: readonly string[]
  readonly flow?: string
}

/** What a session does with the dialog of one party. */
export interface Dialog {
  readonly state: 'early' | 'confirmed' | 'terminated'
  /** No offer is on its way, in either direction. */
  readonly canOffer: boolean
  serve(handlers: DialogHandlers): void
  request(method: string, content?: Content): Promise<FinalResponse>
  reinvite(content: Content, options?: OfferOptions): Promise<FinalResponse>
  update(content: Content, options?: Omit<OfferOptions, 'answer'>): Promise<FinalResponse>
  allows(method: string): boolean
  bye(reason?: Reason): Promise<void>
  snapshot(): StoredDialog
}

/** The caller's INVITE, until its final response. */
export interface Invitation {
  readonly message: SipRequest
  readonly source: { readonly transport: string; readonly address: string; readonly trusted: boolean }
  readonly dialog: Dialog
  readonly replaces: Replacement | undefined
  ring(reply: Reply): Promise<SipRequest | undefined>
  accept(reply: Reply): Dialog
  onCancelled(listener: (reason: Reason | undefined) => void): void
}

/** The dialog that an invitation is to take the place of (RFC 3891 §3). */
export interface Replacement {
  readonly dialog: object | undefined
  readonly earlyOnly: boolean
}

/** What comes of an INVITE of the server's. */
export interface CallEvents {
  onProvisional(response: SipResponse, dialog: Dialog | undefined): Answer
  onAnswered(dialog: Dialog, response: SipResponse): Answer
  onFailed(response: SipResponse, local: boolean): void
}

export interface Call {
  cancel(reason?: Reason): void
}
