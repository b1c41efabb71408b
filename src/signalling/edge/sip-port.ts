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
  /** Tells of each flow that closed, by its name; the bindings made over it lead nowhere any more. */
  onFlowClosed(listener: (flow: string) => void): void
  /** Binds the sockets. Rejects with `Unlistenable`, which names the address, when one cannot be had. */
  start(): Promise<readonly ListeningAddress[]>
  /** Accepts nothing new, lets what is under way finish until `signal` aborts, then closes every socket and timer. */
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
