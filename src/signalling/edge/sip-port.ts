import type { SipRequest, SipResponse } from '../../protocols/sip/message.ts'

/**
 * What the server needs of a SIP stack, and all of it. Two things implement this port: `embedded/`, on the stack of
 * `src/sip`, and an edge over drachtio. Controllers see requests and replies; they never see a transaction or a socket.
 */
export interface SipPort {
  /** Requests that open no dialog. The handler's reply is written; what it throws goes through `failure-status.ts`. */
  serve(handler: RequestHandler): void
  /** Sends a request that opens no dialog. Via, and the transport, are the edge's business. */
  send(request: SipRequest, target: Target): Sending
  /**
   * INVITEs that open a dialog. Until this is called they go to `serve` as any request does. A reply that the handler
   * returns, and what it throws, refuses the invitation, unless it has its final response already.
   */
  serveInvites(handler: InvitationHandler): void
  /**
   * Places a call. `request` is as for `send`; the edge adds Contact (see `Content`), Allow, Supported and Session-Expires,
   * and repeats it with a longer interval after a 422 (RFC 4028 §7.4). Nothing of `events` is called within this call.
   */
  invite(request: SipRequest, target: Target, events: CallEvents): Call
  /** Says BYE in a dialog of an earlier life of this server, of which only the row is left. */
  byeStored(stored: StoredDialog, reason?: Reason): Sending
  /** Tells of each flow that closed, by its name; the bindings made over it lead nowhere any more. */
  onFlowClosed(listener: (flow: string) => void): void
  /** Binds the sockets. Rejects with `Unlistenable`, which names the address, when one cannot be had. */
  start(): Promise<readonly ListeningAddress[]>
  /** Answers new requests 503 from now on; resolves when those under way are answered, or `signal` aborts. */
  drain(signal: AbortSignal): Promise<void>
  /** Lets what was sent be answered until `signal` aborts, then closes every socket and timer. */
  close(signal: AbortSignal): Promise<void>
}

export type RequestHandler = (request: InboundRequest) => Promise<SipReply> | SipReply

export type Transport = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss'

/** A request as it came in. Its top Via has `received` and `rport` filled; a Route that names this server is gone. */
export interface InboundRequest {
  readonly message: SipRequest
  readonly source: Source
}

/** The way a request came: the flow over which its sender can be reached again (RFC 5626), and its other end. */
export interface Source {
  /** Names the flow for as long as it lives; for UDP also after a restart. Opaque to all but the edge. */
  readonly flow: string
  readonly transport: Transport
  readonly address: string
  readonly port: number
  /** A peer of `sip.trustedPeers`: its P-Asserted-Identity is believed. */
  readonly trusted: boolean
}

/** An answer. Via, From, To, Call-ID and CSeq come from the request. */
export interface SipReply {
  readonly status: number
  readonly reason?: string
  /** To tag of a relayed response; one is made where there is none. */
  readonly toTag?: string
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: Buffer
}

/**
 * Where a request goes. Over `flow` if it is given and open; else to the first of its Route header fields, else to
 * `uri` (RFC 3261 §12.2.1.1, RFC 3263), else to its request-URI. `flowOnly` forbids the second (RFC 5626 §5.3: 430).
 */
export interface Target {
  readonly flow?: string
  readonly flowOnly?: boolean
  readonly uri?: string
  /** Of a request that is passed on: the request-URI that it came with, by which a loop is known. */
  readonly receivedUri?: string
}

/** A request under way. */
export interface Sending {
  /**
   * The final response. Never rejects: no answer is a 408, no way there a 503, a flow that is gone a 430, each with
   * `local` set. It comes within the transaction's time (RFC 3261 timer F).
   */
  readonly final: Promise<FinalResponse>
  /** Stops waiting and frees what is held: `final` resolves to a local 408 at once, a later response is absorbed. */
  abandon(): void
}

export interface FinalResponse {
  readonly response: SipResponse
  /** Made by this server, not by the far end. */
  readonly local: boolean
}

export interface ListeningAddress {
  readonly transport: Transport
  readonly address: string
  readonly port: number
}

export type InvitationHandler = (invitation: Invitation) => InvitationReply | Promise<InvitationReply>
/** Undefined: the invitation is answered through its methods. */
export type InvitationReply = SipReply | undefined

/**
 * What the server writes in a message of a dialog. A Contact here gives its user part and its parameters (RFC 3840); the
 * place to be reached at is the edge's business. Allow and Supported are added to.
 */
export interface Content {
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: Buffer
}

/** An INVITE that opens a dialog, until its final response. */
export interface Invitation extends InboundRequest {
  /** Early from the first `ring` on, confirmed by `accept`. */
  readonly dialog: Dialog
  /** The dialog that this one is to take the place of (RFC 3891). */
  readonly replaces: Replacement | undefined
  /** Session-Replaces: the Contribution-ID of the session that a group session is to take the place of. */
  readonly sessionReplaces: string | undefined
  /**
   * A provisional response, 101 to 199; reliable (RFC 3262) when the caller knows how. Resolves with the PRACK, whose body
   * answers an offer made here; undefined when there will be none. A PRACK with an offer of its own goes to `onOffer`.
   */
  ring(reply: SipReply): Promise<SipRequest | undefined>
  /** The 2xx, repeated until the ACK. It waits for the PRACK of a session description that was sent before. */
  accept(reply: SipReply): Dialog
  /** A final response of 300 or more. Does nothing after one. */
  refuse(reply: SipReply): void
  /** Calls back when the caller gives up first: by CANCEL, or by BYE in the early dialog. The edge has answered 487. */
  onCancelled(listener: (reason: Reason | undefined) => void): void
}

/** Replaces (RFC 3891 §3), read. */
export interface Replacement {
  /** The dialog of this server that is named; undefined: there is none, which is a 481. */
  readonly dialog: Dialog | undefined
  readonly earlyOnly: boolean
}

/** What comes of a call. Handlers return nothing, or what the moment allows; a handler that throws ends the call. */
export interface CallEvents {
  /**
   * A provisional response, 101 to 199. Each branch of a fork has a dialog of its own; a response without To tag has none.
   * Where it is reliable and holds an offer, the answer is returned, and goes out in the PRACK.
   */
  onProvisional?(response: SipResponse, dialog: Dialog | undefined): Answer
  /** The first 2xx. Where it holds an offer, the answer is returned, and goes out in the ACK. Others are ended by the edge. */
  onAnswered(dialog: Dialog, response: SipResponse): Answer
  /** The final response was no 2xx, or made here (`local`): 408, 430, 503, or 487 after `cancel`. */
  onFailed(response: SipResponse, local: boolean): void
}

/** The answer to an offer, where there was one. */
export type Answer = Content | undefined | Promise<Content | undefined>

export interface Call {
  /** Gives up: CANCEL, as soon as one may be sent. A 2xx that crosses it is acknowledged and ended by the edge. */
  cancel(reason?: Reason): void
}

/** Reason (RFC 3326): `SIP;cause=200;text="Call completed elsewhere"`. */
export interface Reason {
  readonly protocol: string
  readonly cause?: number
  readonly text?: string
}

export type DialogState = 'early' | 'confirmed' | 'terminated'

/** A session with one peer (RFC 3261 §12, §14, §15). Session refreshes (RFC 4028) pass within it, unseen. */
export interface Dialog {
  readonly callId: string
  readonly localTag: string
  readonly remoteTag: string
  readonly state: DialogState
  /** Whether an offer may be made now: none is on its way, in either direction. */
  readonly canOffer: boolean
  /** Who takes what comes in this dialog. To be called as soon as the dialog is known; before, requests are refused. */
  serve(handlers: DialogHandlers): void
  /** A request of any method but INVITE, UPDATE, ACK, CANCEL, PRACK and BYE. Never rejects, as `Sending.final`. */
  request(method: string, content?: Content): Promise<FinalResponse>
  /**
   * A re-INVITE, with an offer or without; in the second case `answer` is asked for what goes into the ACK. It waits
   * until INVITE transactions under way are over. A 491 is met by trying again after the interval of RFC 3261 §14.1, or
   * with `glare: 'report'`, at once reported, be it ours or the peer's. Never rejects.
   */
  reinvite(content: Content, options?: OfferOptions): Promise<FinalResponse>
  /** An UPDATE (RFC 3311), the only way to make an offer while the dialog is early. The options are those of `reinvite`. */
  update(content: Content, options?: Omit<OfferOptions, 'answer'>): Promise<FinalResponse>
  /** Whether the peer has said that it takes requests of that method. */
  allows(method: string): boolean
  /**
   * Ends the dialog, in any state and any number of times. Handlers hear `onEnded` at once; the promise resolves when the
   * BYE is answered or given up. A BYE that may not be sent before the ACK waits for it (RFC 3261 §15).
   */
  bye(reason?: Reason): Promise<void>
  /** All that it takes to say BYE when nothing else is left. It stays true for as long as the dialog lives. */
  snapshot(): StoredDialog
}

export interface OfferOptions {
  readonly glare?: 'retry' | 'report'
  readonly answer?: (response: SipResponse) => Answer
  /** Takes a re-INVITE back when it aborts, with CANCEL: its final response is then, most likely, a 487. */
  readonly cancelled?: AbortSignal
}

/** A reply is written, what is thrown goes through `failure-status.ts`. */
export interface DialogHandlers {
  /** INFO, MESSAGE, REFER, NOTIFY and all others that are not the edge's. */
  onRequest(request: SipRequest): SipReply | Promise<SipReply>
  /**
   * The peer's re-INVITE, UPDATE or PRACK that makes an offer or, a re-INVITE without one, asks for an offer. The reply
   * is a 2xx with the answer or the offer, or a refusal, after which the session goes on as it was (RFC 3261 §14.2).
   * `cancelled` aborts when the peer takes a re-INVITE back.
   */
  onOffer(request: SipRequest, cancelled: AbortSignal): SipReply | Promise<SipReply>
  /** The ACK of a 2xx: with the answer, where the 2xx made the offer. Once for each INVITE. */
  onAcknowledged?(ack: SipRequest): void
  /** The end, once. */
  onEnded(ending: Ending): void
}

/** Why a dialog ended. */
export interface Ending {
  /**
   * `local`: by `bye`; `remote`: the peer's BYE; `refused`: an early dialog whose INVITE came to nothing or was answered
   * elsewhere; `unacknowledged`: no ACK or no PRACK; `expired`: the session was not refreshed; `lost`: the peer does not
   * know the dialog (481), does not answer, or cannot be reached.
   */
  readonly by: 'local' | 'remote' | 'refused' | 'unacknowledged' | 'expired' | 'lost'
  readonly reason?: Reason
  /** The BYE, where one came. */
  readonly request?: SipRequest
}

/** A dialog as a row: plain JSON, for a BYE after a crash. */
export interface StoredDialog {
  readonly callId: string
  /** The From and the To of requests from here, with their tags. */
  readonly local: string
  readonly remote: string
  readonly localSeq: number
  readonly remoteTarget: string
  readonly routeSet: readonly string[]
  readonly flow?: string
}
