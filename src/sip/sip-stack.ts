import { type SipMessage, SipRequest } from '../protocols/sip/message.ts'
import type { ListeningAddress, Target, Transport } from './addresses.ts'
import { ClientCore } from './client-core.ts'
import { type Counters, noCounters } from './counters.ts'
import { DialogLayer, type DialogOptions } from './dialog/dialog-layer.ts'
import { InboundInvite } from './dialog/inbound-invite.ts'
import type { InviteDialog } from './dialog/invite-dialog.ts'
import { type CallEvents, OutboundInvite } from './dialog/outbound-invite.ts'
import { DnsCache } from './dns-cache.ts'
import { Identifiers } from './identifiers.ts'
import type { ServerTransaction } from './inbound-request.ts'
import { defaultLimits, type StackLimits } from './limits.ts'
import type { ClientTransaction, OnFinal, OnProvisional } from './outbound-request.ts'
import { OwnAddresses } from './own-addresses.ts'
import { Resolver } from './resolver.ts'
import { ServerCore } from './server-core.ts'
import { Sources } from './sources.ts'
import { TimerWheel } from './timer-wheel.ts'
import { TransactionLayer } from './transaction/transaction-layer.ts'
import type { Flow } from './transport/flow.ts'
import type { TlsIdentity, TlsTrust } from './transport/tls-options.ts'
import { type Trace, TransportLayer, type TransportUser } from './transport/transport-layer.ts'

export type { Hop, ListeningAddress, Source, Target, Transport } from './addresses.ts'
export type { Counters, DropReason } from './counters.ts'
export { byeFor } from './dialog/bye-for.ts'
export type { DialogOptions } from './dialog/dialog-layer.ts'
export type { InboundInvite } from './dialog/inbound-invite.ts'
export type { InviteDialog } from './dialog/invite-dialog.ts'
export type { CallEvents, OutboundInvite } from './dialog/outbound-invite.ts'
export type { StoredDialog } from './dialog/stored-dialog.ts'
export type { ServerTransaction } from './inbound-request.ts'
export { defaultLimits, type StackLimits } from './limits.ts'
export type { ClientTransaction, OnFinal, OnProvisional } from './outbound-request.ts'
export type { TlsIdentity, TlsTrust } from './transport/tls-options.ts'
export { Unlistenable } from './transport/unlistenable.ts'

/** The few methods of a pino logger that the stack calls. */
export interface StackLog {
  warn(fields: object, note: string): void
  error(fields: object, note: string): void
}

export interface StackOptions {
  readonly listen: readonly ListeningAddress[]
  /** The address that others see: `host`, `host:port`. */
  readonly advertise?: string | undefined
  readonly tls?: TlsIdentity | undefined
  readonly trust?: TlsTrust | undefined
  readonly limits?: Partial<StackLimits> | undefined
  /** A DNS server to ask instead of the system's. */
  readonly dns?: string | undefined
  /** The static route for a host, as a SIP URI; it goes before DNS. */
  readonly routeFor?: ((host: string) => string | undefined) | undefined
  readonly trusted?: ((address: string) => boolean) | undefined
  /** Milliseconds of a clock that does not jump. */
  readonly now?: (() => number) | undefined
  readonly log?: StackLog | undefined
  readonly counters?: Counters | undefined
  readonly trace?: Trace | undefined
  readonly onRequest: (transaction: ServerTransaction) => void
  readonly onFlowClosed?: ((flow: string) => void) | undefined
  readonly dialogs?: DialogOptions | undefined
}

/** SIP for the parts above: requests come in as server transactions and go out as client transactions (RFC 3261 §17, §18). */
export class SipStack {
  readonly #options: StackOptions
  readonly #identifiers = new Identifiers()
  readonly #transactions = new TransactionLayer()
  readonly #wheel: TimerWheel
  readonly #transports: TransportLayer
  readonly #dns: DnsCache
  readonly #own: OwnAddresses
  readonly #client: ClientCore
  readonly #server: ServerCore
  readonly #dialogs: DialogLayer

  constructor(options: StackOptions) {
    const now = options.now ?? (() => performance.now())
    const limits = { ...defaultLimits, ...options.limits }
    const { listen, onRequest, counters = noCounters } = options
    const wheel = new TimerWheel(now)
    const sources = new Sources(limits, options.trusted ?? (() => false), now)
    this.#options = options
    this.#wheel = wheel
    this.#dns = new DnsCache(options.dns, now)
    this.#own = new OwnAddresses(options.advertise, this.#identifiers.nameless)
    this.#transports = new TransportLayer({
      listen,
      tls: options.tls,
      trust: options.trust ?? {},
      limits,
      wheel,
      sources,
      counters,
      trace: options.trace,
      now,
      user: this.#transportUser(counters),
    })
    const resolver = new Resolver({
      dns: this.#dns,
      routeFor: options.routeFor,
      supports: (transport) => transport !== 'udp' || listen.some((each) => each.transport === 'udp'),
      random: Math.random,
    })
    const shared = {
      identifiers: this.#identifiers,
      transactions: this.#transactions,
      transports: this.#transports,
      wheel,
      counters,
    }
    this.#client = new ClientCore({ ...shared, resolver, own: this.#own, now })
    this.#dialogs = new DialogLayer({
      ...options.dialogs,
      wheel,
      send: (request, target, onFinal, onProvisional) => this.send(request, target, onFinal, onProvisional),
      sendAck: (ack, target) => this.#client.sendAck(ack, target),
      transportOf: (flow) => this.#transports.flow(flow)?.transport,
      ownUri: (transport) => this.ownUri(transport),
    })
    this.#server = new ServerCore({
      ...shared,
      sources,
      onRequest: (transaction) => {
        if (!this.#dialogs.receive(transaction)) onRequest(transaction)
      },
      onAck: (ack, checked) => this.#dialogs.receiveAck(ack, checked),
    })
  }

  /** Binds all sockets. Rejects with Unlistenable when one cannot be had; then none stays bound. */
  async start(): Promise<readonly ListeningAddress[]> {
    try {
      const listening = await this.#transports.start()
      this.#own.listensOn(listening)
      return listening
    } catch (err) {
      await this.#release()
      throw err
    }
  }

  /**
   * Sends a request. It belongs to the stack from here on, which adds its Via on top. `onFinal` is called once, never
   * within this call: `local` when nobody answered (408), there is no way (503), or the flow is gone (430).
   */
  send(request: SipRequest, target: Target, onFinal: OnFinal, onProvisional?: OnProvisional): ClientTransaction {
    return this.#client.send(request, target, onFinal, onProvisional)
  }

  /** Takes an INVITE that opens a dialog. Throws MalformedSip when it cannot: without Contact there is no way back. */
  invited(transaction: ServerTransaction): InboundInvite {
    return new InboundInvite(this.#dialogs, transaction)
  }

  /** Sends an INVITE that opens dialogs. It needs what every request needs, and a From tag. */
  invite(request: SipRequest, target: Target, events: CallEvents): OutboundInvite {
    const call = new OutboundInvite(this.#dialogs, request, target, events)
    call.start()
    return call
  }

  /** The dialog of that id, with the tags as this end has them. */
  dialog(callId: string, localTag: string, remoteTag: string): InviteDialog | undefined {
    return this.#dialogs.find(callId, localTag, remoteTag)
  }

  /** Whether host and port of a URI are this server. */
  isOwnAddress(host: string, port?: number): boolean {
    return this.#own.includes(host, port)
  }

  /** The URI at which this server is reached over `transport`, for Record-Route, Path and Service-Route. */
  ownUri(transport: Transport): string {
    return this.#own.uri(transport)
  }

  /** Whether a request can go over the flow of that name now. */
  hasFlow(name: string): boolean {
    return this.#transports.flow(name)?.open === true
  }

  /** New connections are shown this certificate. */
  renewTls(tls: TlsIdentity): void {
    this.#transports.renewTls(tls)
  }

  /** What is held, for metrics and for tests that nothing is left. */
  get held(): { clients: number; servers: number; dialogs: number; timers: number; connections: number } {
    const { clients, servers } = this.#transactions
    const { size: dialogs } = this.#dialogs
    return { clients, servers, dialogs, timers: this.#wheel.size, connections: this.#transports.connections }
  }

  /** Takes no new connections, waits for what is under way until `signal` aborts, then closes every socket and timer. */
  async close(signal: AbortSignal): Promise<void> {
    this.#transports.stop()
    if (!signal.aborted) await this.#idleOr(signal)
    await this.#release()
  }

  #idleOr(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true })
      this.#client.whenIdle(resolve)
    })
  }

  async #release(): Promise<void> {
    this.#dialogs.close()
    this.#client.close()
    await this.#transports.close()
    this.#wheel.close()
    this.#transactions.clear()
    this.#dns.close()
  }

  #transportUser(counters: Counters): TransportUser {
    return {
      onMessage: (message, flow) => this.#onMessage(message, flow, counters),
      onMalformed: (malformed, flow) => this.#server.refuse(malformed, flow),
      onFlowClosed: (name) => this.#options.onFlowClosed?.(name),
    }
  }

  #onMessage(message: SipMessage, flow: Flow, counters: Counters): void {
    const isRequest = message instanceof SipRequest
    counters.received(flow.transport, isRequest ? 'request' : 'response')
    try {
      if (isRequest) this.#server.receive(message, flow)
      else this.#client.receive(message)
    } catch (err) {
      // A bug, and whoever sent this must not bring the others down with it.
      this.#options.log?.error({ err, from: flow.remoteAddress, transport: flow.transport }, 'message not handled')
    }
  }
}
