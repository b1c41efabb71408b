import { splitList } from '../protocols/sip/lists.ts'
import { type SipRequest, type SipResponse, writeMessage } from '../protocols/sip/message.ts'
import { readNameAddr } from '../protocols/sip/name-addr.ts'
import type { Hop, Target } from './addresses.ts'
import type { Counters } from './counters.ts'
import type { Identifiers } from './identifiers.ts'
import {
  type ClientTransaction,
  type OnFinal,
  type OnProvisional,
  type OutboundNeeds,
  OutboundRequest,
} from './outbound-request.ts'
import { type OwnAddresses, viaValue } from './own-addresses.ts'
import type { Resolver } from './resolver.ts'
import { TcpSwitch } from './tcp-switch.ts'
import type { TimerWheel } from './timer-wheel.ts'
import type { ClientContext, ClientMachine } from './transaction/client-transaction.ts'
import { clientKey, type TransactionLayer } from './transaction/transaction-layer.ts'
import type { Flow } from './transport/flow.ts'

interface Needs {
  readonly identifiers: Identifiers
  readonly transactions: TransactionLayer
  readonly wheel: TimerWheel
  readonly counters: Counters
  readonly resolver: Resolver
  readonly own: OwnAddresses
  readonly transports: { flow(name: string): Flow | undefined; flowTo(hop: Hop): Flow | undefined }
  readonly now: () => number
}

/** A phone that has not answered its INVITE may never do so, and holds up nobody who closes (RFC 3261 §9.1). */
const cancelledWaitsMs = 1000

/** The sending side: requests out, their responses back to them (RFC 3261 §17.1, §18.1). */
export class ClientCore implements OutboundNeeds {
  readonly context: ClientContext
  readonly #needs: Needs
  readonly #tcpSwitch: TcpSwitch
  readonly #branchPrefix: string
  readonly #underWay = new Set<OutboundRequest>()
  #onIdle: () => void = () => {}
  #giveUp: NodeJS.Timeout | undefined

  constructor(needs: Needs) {
    const { wheel, counters, transactions } = needs
    this.#needs = needs
    this.#tcpSwitch = new TcpSwitch(needs.now)
    this.#branchPrefix = needs.identifiers.branchPrefix
    this.context = { wheel, counters, onTerminated: (machine) => transactions.removeClient(machine) }
  }

  send(request: SipRequest, target: Target, onFinal: OnFinal, onProvisional?: OnProvisional): ClientTransaction {
    const outbound = new OutboundRequest(this, request, target, onFinal, onProvisional)
    this.#underWay.add(outbound)
    outbound.start()
    return outbound
  }

  /**
   * Sends an ACK for a 2xx, which has no transaction: to the first address that can be had (RFC 3261 §13.2.2.4). One that
   * does not arrive is asked for again by the 2xx.
   */
  sendAck(ack: SipRequest, target: Target): void {
    const flow = target.flow === undefined ? undefined : this.flow(target.flow)
    if (flow?.open) this.#sendAckOver(flow, ack)
    else void this.#resolveAck(ack, target).catch(() => {})
  }

  /** Calls back once when no request is under way. For the end of an INVITE that was cancelled it waits a moment only. */
  whenIdle(call: () => void): void {
    if (this.#underWay.size === 0) {
      call()
      return
    }
    this.#onIdle = call
    this.#giveUp = setTimeout(() => {
      for (const outbound of this.#underWay) if (outbound.isCancelled) outbound.abandon()
    }, cancelledWaitsMs)
  }

  /** Ends what is under way; each is told a local 408. */
  close(): void {
    clearTimeout(this.#giveUp)
    for (const outbound of this.#underWay) outbound.abandon()
  }

  /** A response finds its request by the branch that was made for it (RFC 3261 §17.1.3); others are dropped (§18.1.2). */
  receive(response: SipResponse): void {
    const branch = this.#ownBranch(response.headers.get('via') ?? '')
    const cseq = response.headers.get('cseq') ?? ''
    const method = cseq.slice(cseq.lastIndexOf(' ') + 1)
    const machine = branch === undefined ? undefined : this.#needs.transactions.client(clientKey(branch, method))
    if (machine === undefined) this.#needs.counters.dropped('stray-response')
    else machine.receive(response)
  }

  flow(name: string): Flow | undefined {
    return this.#needs.transports.flow(name)
  }

  flowTo(hop: Hop): Flow | undefined {
    return this.#needs.transports.flowTo(hop)
  }

  sentBy(flow: Flow): string {
    return this.#needs.own.sentBy(flow)
  }

  newBranch(receivedUri?: string): string {
    return this.#needs.identifiers.newBranch(receivedUri)
  }

  addClient(machine: ClientMachine): void {
    this.#needs.transactions.addClient(machine)
  }

  resolve(uri: string): readonly Hop[] | Promise<readonly Hop[]> {
    return this.#needs.resolver.resolve(uri)
  }

  hopsFor(hop: Hop, size: number): readonly Hop[] {
    return this.#tcpSwitch.hopsFor(hop, size)
  }

  onHopFailed(hop: Hop): void {
    this.#tcpSwitch.onFailed(hop)
  }

  onDone(outbound: OutboundRequest): void {
    this.#underWay.delete(outbound)
    if (this.#underWay.size === 0) this.#onIdle()
  }

  async #resolveAck(ack: SipRequest, target: Target): Promise<void> {
    const route = ack.headers.get('route')
    const nextHop = route === undefined ? (target.uri ?? ack.uri) : readNameAddr(splitList(route)[0] ?? '').uri
    for (const hop of await this.resolve(target.nextHop ?? nextHop)) {
      const flow = this.flowTo(hop)
      if (flow !== undefined && this.#sendAckOver(flow, ack)) return
    }
  }

  /** Repeated, it is the same ACK, branch and all. */
  #sendAckOver(flow: Flow, ack: SipRequest): boolean {
    if (!ack.headers.has('via')) {
      ack.headers.prepend('Via', viaValue(flow.transport, this.sentBy(flow), this.newBranch()))
    }
    return flow.send(writeMessage(ack))
  }

  /** The branch in the first value of Via, if it is one of ours; its text is sought and not parsed, as we wrote it. */
  #ownBranch(via: string): string | undefined {
    const from = via.indexOf(this.#branchPrefix)
    if (from === -1 || via.lastIndexOf(',', from) !== -1) return undefined
    let end = from + this.#branchPrefix.length
    while (isBranchChar(via.charCodeAt(end))) end++
    return via.slice(from, end)
  }
}

/** Of the base-36 count that ends a branch, or of the dot and the mark after it. */
const isBranchChar = (code: number) => (code >= 48 && code <= 57) || (code >= 97 && code <= 122) || code === 46
