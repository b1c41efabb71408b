import type { EventEmitter } from 'node:events'
import Srf from 'drachtio-srf'

/** What this edge uses of drachtio-srf. Its own declarations leave out, or have otherwise, much of what is here. */
export interface SrfMessage {
  /** The message as the daemon wrote it. */
  readonly raw: string
  get(name: string): string | undefined
}

export interface SrfRequest extends EventEmitter {
  readonly msg: SrfMessage
  readonly method: string
  readonly source: 'network' | 'application'
  /** WebSocket is `tcp`; empty in an ACK within a dialog. */
  readonly protocol: string
  readonly source_address: string
  readonly source_port: number
  readonly stackTxnId: string
  /** The CANCEL of a request that was sent. */
  cancel(options: { headers?: SrfHeaders }, done: (err: unknown) => void): void
}

export interface SrfResponse {
  readonly msg: SrfMessage
  readonly status: number
  send(status: number, reason: string, options: SrfContent, done: SrfSent): void
}

/** Called with the response as the daemon has sent it. */
export type SrfSent = (err: unknown, sent?: SrfMessage) => void

export type SrfHeaders = Record<string, string>

export interface SrfContent {
  headers?: SrfHeaders
  body?: string
}

/** Acknowledges the 2xx that it came with. */
export type SrfAck = (content: SrfContent, done: (err: unknown) => void) => void

export interface SrfSending extends SrfContent {
  uri: string
  method: string
  /** The URI that the request is sent to, whatever its request-URI says. */
  proxy?: string
  stackDialogId?: string
}

export interface SrfOptions {
  readonly host: string
  readonly port: number
  readonly secret: string
  readonly reconnect: { readonly retryMaxDelay: number }
}

/** The connection, of which drachtio-srf has no more than `disconnect`. */
interface SrfAgent {
  readonly mapServer: Map<{ destroy(): void }, { readonly pendingSipRequests: Map<string, unknown> }>
  readonly wp: { closing?: boolean; socket?: { destroy(): void }; readonly reconnectVars: { retryTimer: unknown } }
}

export interface SrfClient extends EventEmitter {
  readonly app: { readonly client: SrfAgent }
  use(handler: (req: SrfRequest, res: SrfResponse) => void): void
  use(method: string, handler: (req: SrfRequest, res: SrfResponse) => void): void
  connect(options: SrfOptions): void
  /** In callback form: a promise would miss a response that came in the same read. */
  request(uri: string, sending: SrfSending, sent: (err: SrfError | null, req: SrfRequest) => void): void
}

export interface SrfError extends Error {
  readonly code?: 'ENODIALOG' | 'EDRACHTIO' | 'ESOCKETDESTROYED'
}

export const newSrf = (): SrfClient => new Srf() as unknown as SrfClient

/** Ends the connection, or the attempts to have one. `disconnect` of drachtio-srf fails where there is none. */
export function disconnect(srf: SrfClient): void {
  const { wp, mapServer } = srf.app.client
  wp.closing = true
  clearTimeout(wp.reconnectVars.retryTimer as NodeJS.Timeout | undefined)
  for (const socket of mapServer.keys()) socket.destroy()
  wp.socket?.destroy()
}

/** What drachtio-srf would keep for ever of a request that nobody answers. */
export function forget(srf: SrfClient, req: SrfRequest): void {
  for (const { pendingSipRequests } of srf.app.client.mapServer.values()) pendingSipRequests.delete(req.stackTxnId)
}
