import { readCSeq } from '../protocols/sip/cseq.ts'
import { Headers } from '../protocols/sip/headers.ts'
import { endOfItem } from '../protocols/sip/lists.ts'
import { SipRequest, type SipResponse, writeMessage } from '../protocols/sip/message.ts'
import { readNameAddr } from '../protocols/sip/name-addr.ts'
import { responseTo } from '../protocols/sip/respond.ts'
import type { Hop, Target } from './addresses.ts'
import { viaValue } from './own-addresses.ts'
import type { ClientContext, ClientMachine, ClientUser } from './transaction/client-transaction.ts'
import { InviteClientTransaction, type InviteRequests } from './transaction/invite-client.ts'
import { NonInviteClientTransaction } from './transaction/non-invite-client.ts'
import { clientKey } from './transaction/transaction-layer.ts'
import type { Flow } from './transport/flow.ts'

/** A request under way, as the user of the stack sees it. */
export interface ClientTransaction {
  /** Waits no more: the user gets a local 408 at once, a response that comes is absorbed, an INVITE is cancelled. */
  abandon(): void
  /**
   * Cancels an INVITE (RFC 3261 §9.1), as soon as it may be, and goes on waiting for what it is answered. `reason` is the
   * value of a Reason header field.
   */
  cancelInvite(reason?: string): void
}

export type OnFinal = (response: SipResponse, local: boolean) => void
export type OnProvisional = (response: SipResponse) => void

/** What an outbound request needs of the stack. */
export interface OutboundNeeds {
  readonly context: ClientContext
  flow(name: string): Flow | undefined
  flowTo(hop: Hop): Flow | undefined
  sentBy(flow: Flow): string
  newBranch(receivedUri?: string): string
  addClient(machine: ClientMachine): void
  resolve(uri: string): readonly Hop[] | Promise<readonly Hop[]>
  /** The hops for a request of that size, where `hop` would be the one. */
  hopsFor(hop: Hop, size: number): readonly Hop[]
  onHopFailed(hop: Hop): void
  onDone(outbound: OutboundRequest): void
}

/**
 * A request on its way to a final response: over its flow, or to one address after the other until one answers
 * (RFC 3263 §4.3). Each attempt is a transaction with a branch of its own.
 */
export class OutboundRequest implements ClientTransaction, ClientUser, InviteRequests {
  readonly #needs: OutboundNeeds
  readonly #request: SipRequest
  readonly #target: Target
  readonly #onProvisional: OnProvisional | undefined
  #onFinal: OnFinal | undefined
  #hops: Hop[] = []
  #hop: Hop | undefined
  #flow: Flow | undefined
  #machine: ClientMachine | undefined
  #branch = ''
  #hasVia = false
  #isCancelled = false
  #cancelReason: string | undefined
  #failure: 408 | 503 = 503

  constructor(
    needs: OutboundNeeds,
    request: SipRequest,
    target: Target,
    onFinal: OnFinal,
    onProvisional: OnProvisional | undefined,
  ) {
    this.#needs = needs
    this.#request = request
    this.#target = target
    this.#onFinal = onFinal
    this.#onProvisional = onProvisional
  }

  /** An INVITE that nobody wants answered any more. */
  get isCancelled(): boolean {
    return this.#isCancelled
  }

  start(): void {
    const { flow: name, flowOnly, uri } = this.#target
    const flow = name === undefined ? undefined : this.#needs.flow(name)
    if (flow?.open) this.#sendOver(flow)
    else if (flowOnly) this.#failLater(430)
    else this.#resolve(uri)
  }

  abandon(): void {
    this.#machine?.abandon()
    this.#finishLocally(408)
  }

  cancelInvite(reason?: string): void {
    this.#cancelReason = reason
    this.#isCancelled = true
    if (this.#machine instanceof InviteClientTransaction) this.#machine.giveUp()
    else if (this.#machine === undefined) queueMicrotask(() => this.#finishLocally(487))
  }

  onResponse(response: SipResponse): void {
    if (response.status < 200) this.#onProvisional?.(response)
    else if (response.status === 503 && this.#hops.length > 0) this.#tryNext()
    else this.#finish(response, false)
  }

  onTimeout(): void {
    this.#failure = 408
    this.#tryNext()
  }

  onTransportError(): void {
    if (this.#hop === undefined) {
      this.#failLater(430)
      return
    }
    this.#needs.onHopFailed(this.#hop)
    this.#failure = 503
    this.#tryNext()
  }

  /** RFC 3261 §17.1.1.3: the topmost Via alone, To as in the response, Route as in the request. */
  ackFor(response: SipResponse): Buffer {
    return writeMessage(this.#companion('ACK', response.headers.get('to')))
  }

  /** RFC 3261 §9.1: the same branch, in a transaction of its own whose answer is of no interest. */
  cancel(): void {
    const flow = this.#flow
    if (flow === undefined) return
    const request = this.#companion('CANCEL', this.#request.headers.get('to'))
    if (this.#cancelReason !== undefined) request.headers.add('Reason', this.#cancelReason)
    const bytes = writeMessage(request)
    const { context } = this.#needs
    const key = clientKey(this.#branch, 'CANCEL')
    this.#launch(new NonInviteClientTransaction(context, key, flow, bytes, noUser))
  }

  #resolve(uri: string | undefined): void {
    try {
      const hops = this.#needs.resolve(this.#nextHop(uri))
      if (!(hops instanceof Promise)) this.#try(hops)
      else hops.then((found) => this.#try(found)).catch(() => this.#finishLocally(503))
    } catch {
      // A URI that cannot be read leads nowhere.
      this.#failLater(503)
    }
  }

  /** The topmost Route, else what the caller says, else the request-URI (RFC 3261 §12.2.1.1). */
  #nextHop(uri: string | undefined): string {
    const route = this.#request.headers.get('route')
    if (this.#target.nextHop !== undefined) return this.#target.nextHop
    return route === undefined ? (uri ?? this.#request.uri) : readNameAddr(firstOf(route)).uri
  }

  #try(hops: readonly Hop[]): void {
    if (this.#onFinal === undefined) return
    this.#hops = [...hops]
    this.#tryNext()
  }

  #tryNext(): void {
    if (this.#onFinal === undefined) return
    const hop = this.#isCancelled ? undefined : this.#hops.shift()
    if (hop === undefined) {
      this.#failLater(this.#failure)
      return
    }
    const flow = this.#needs.flowTo(hop)
    this.#hop = hop
    if (flow === undefined) this.#tryNext()
    else this.#sendTo(hop, flow)
  }

  #sendTo(hop: Hop, flow: Flow): void {
    const bytes = this.#writeFor(flow)
    const [first, ...others] = this.#needs.hopsFor(hop, bytes.length)
    if (first === hop || first === undefined) {
      this.#transact(flow, bytes)
      return
    }
    this.#hops.unshift(first, ...others)
    this.#tryNext()
  }

  #sendOver(flow: Flow): void {
    this.#transact(flow, this.#writeFor(flow))
  }

  #writeFor(flow: Flow): Buffer {
    this.#branch = this.#needs.newBranch(this.#target.receivedUri)
    const via = viaValue(flow.transport, this.#needs.sentBy(flow), this.#branch)
    const { headers } = this.#request
    if (this.#hasVia) headers.setFirst('via', via)
    else headers.prepend('Via', via)
    this.#hasVia = true
    return writeMessage(this.#request)
  }

  #transact(flow: Flow, bytes: Buffer): void {
    const { context } = this.#needs
    const key = clientKey(this.#branch, this.#request.method)
    this.#flow = flow
    this.#machine =
      this.#request.method === 'INVITE'
        ? new InviteClientTransaction(context, key, flow, bytes, this, this)
        : new NonInviteClientTransaction(context, key, flow, bytes, this)
    this.#launch(this.#machine)
  }

  #launch(machine: ClientMachine): void {
    this.#needs.addClient(machine)
    machine.start()
  }

  #companion(method: 'ACK' | 'CANCEL', to: string | undefined): SipRequest {
    const { headers, uri } = this.#request
    const made = new Headers([['Via', headers.get('via') ?? '']])
    for (const route of headers.all('route')) made.add('Route', route)
    made.add('Max-Forwards', '70')
    made.add('From', headers.get('from') ?? '')
    made.add('To', to ?? '')
    made.add('Call-ID', headers.get('call-id') ?? '')
    made.add('CSeq', `${readCSeq(headers.get('cseq') ?? '').number} ${method}`)
    return new SipRequest(method, uri, made)
  }

  /** Not within `start`, so that the caller holds the transaction before it hears of its end. */
  #failLater(status: 408 | 430 | 487 | 503): void {
    queueMicrotask(() => this.#finishLocally(status))
  }

  #finishLocally(status: 408 | 430 | 487 | 503): void {
    if (this.#onFinal !== undefined) this.#finish(responseTo(this.#request, status), true)
  }

  #finish(response: SipResponse, local: boolean): void {
    const onFinal = this.#onFinal
    if (onFinal === undefined) return
    // An INVITE that was forked may be accepted more than once (RFC 6026 §7.2).
    if (this.#request.method !== 'INVITE' || response.status >= 300) this.#onFinal = undefined
    this.#needs.onDone(this)
    onFinal(response, local)
  }
}

const noUser: ClientUser = { onResponse() {}, onTimeout() {}, onTransportError() {} }

const firstOf = (list: string) => (list.includes(',') ? list.slice(0, endOfItem(list, 0)) : list)
