import { type Checked, checkRequest } from '../protocols/sip/check-request.ts'
import { MalformedSip } from '../protocols/sip/malformed-sip.ts'
import { type SipRequest, writeMessage } from '../protocols/sip/message.ts'
import { responseTo } from '../protocols/sip/respond.ts'
import { readTopVia } from '../protocols/sip/via.ts'
import type { Hop } from './addresses.ts'
import type { Counters } from './counters.ts'
import type { Identifiers } from './identifiers.ts'
import { FlowSource, type InboundNeeds, InboundRequest, type ServerTransaction } from './inbound-request.ts'
import { MergedRequests } from './merged-requests.ts'
import { returnPath } from './return-path.ts'
import type { SourceRecord, Sources } from './sources.ts'
import type { TimerWheel } from './timer-wheel.ts'
import { AnsweredRequests } from './transaction/answered-requests.ts'
import { InviteServerTransaction } from './transaction/invite-server.ts'
import { KeptResponses } from './transaction/kept-responses.ts'
import { NonInviteServerTransaction } from './transaction/non-invite-server.ts'
import type { ReturnPath, ServerContext } from './transaction/server-transaction.ts'
import { serverKey, type TransactionLayer } from './transaction/transaction-layer.ts'
import type { Flow } from './transport/flow.ts'
import { stampVia } from './via-stamp.ts'

interface Needs {
  readonly identifiers: Identifiers
  readonly transactions: TransactionLayer
  readonly wheel: TimerWheel
  readonly counters: Counters
  readonly sources: Sources
  readonly transports: { flowTo(hop: Hop): Flow | undefined }
  readonly onRequest: (transaction: ServerTransaction) => void
  /** An ACK that no transaction waits for. False when nobody else does. */
  readonly onAck?: (ack: SipRequest, checked: Checked) => boolean
}

/** The receiving side: requests in, each as a server transaction, or answered on the spot (RFC 3261 §8.2, §17.2, §18.2). */
export class ServerCore implements InboundNeeds {
  readonly #needs: Needs
  readonly #context: ServerContext
  readonly #merged = new MergedRequests()

  constructor(needs: Needs) {
    const { wheel, counters, transactions } = needs
    this.#needs = needs
    this.#context = {
      wheel,
      counters,
      kept: new KeptResponses(),
      answered: new AnsweredRequests(wheel),
      onTerminated: (machine) => transactions.removeServer(machine),
    }
  }

  receive(request: SipRequest, flow: Flow): void {
    const source = this.#needs.sources.of(flow.remoteAddress)
    const admission = this.#needs.sources.admitRequest(source)
    if (admission !== 'admitted') this.#needs.counters.dropped('over-limit')
    if (admission === 'admitted') this.#take(request, flow, source)
    else if (admission === 'refused') this.answerStatelessly(request, flow, 503, [['Retry-After', '1']])
  }

  /** A request that is not SIP as it should be: answered with what is wrong, if it can be answered, and forgotten. */
  refuse(malformed: MalformedSip, flow: Flow): void {
    this.#needs.counters.dropped('malformed')
    const { request, status, message } = malformed
    if (request === undefined) return
    if (this.#needs.sources.admitRequest(this.#needs.sources.of(flow.remoteAddress)) !== 'admitted') return
    this.answerStatelessly(request, flow, status, [], message)
  }

  answerStatelessly(
    request: SipRequest,
    flow: Flow,
    status: number,
    headers: readonly (readonly [name: string, value: string])[] = [],
    reason?: string,
  ): void {
    if (request.method === 'ACK') return
    const path = this.#statelessPath(request, flow)
    const toTag = this.#needs.identifiers.statelessTag
    path.send(writeMessage(responseTo(request, status, { toTag, headers, ...(reason !== undefined && { reason }) })))
  }

  newTag(): string {
    return this.#needs.identifiers.newTag()
  }

  onAnswered(mergeKey: string): void {
    this.#merged.remove(mergeKey)
  }

  #take(request: SipRequest, flow: Flow, source: SourceRecord): void {
    const checked = this.#check(request, flow)
    if (checked === undefined) return
    const topVia = request.headers.get('via') ?? ''
    if (request.method === 'ACK') {
      this.#takeAck(request, checked, topVia)
      return
    }
    const key = serverKey(request.method, request, checked, topVia)
    const known = this.#needs.transactions.server(key)
    if (known !== undefined) {
      known.receiveRetransmission()
      return
    }
    const answer = this.#context.answered.find(key)
    if (answer !== undefined) {
      returnPath(flow, checked.via, this.#needs.transports).send(answer)
      return
    }
    stampVia(request, checked.via, flow.remoteAddress, flow.remotePort)
    const path = returnPath(flow, checked.via, this.#needs.transports)
    if (request.method === 'CANCEL') this.#takeCancel(request, checked, topVia, key, path)
    else this.#begin(request, checked, key, path, new FlowSource(flow, source.trusted))
  }

  #check(request: SipRequest, flow: Flow): Checked | undefined {
    try {
      return checkRequest(request)
    } catch (err) {
      if (!(err instanceof MalformedSip)) throw err
      this.#needs.counters.dropped('malformed')
      this.answerStatelessly(request, flow, err.status, [], err.message)
      return undefined
    }
  }

  #begin(request: SipRequest, checked: Checked, key: string, path: ReturnPath, source: FlowSource): void {
    const mergeKey = this.#merged.add(request, checked)
    const inbound = new InboundRequest(this, request, checked, source, mergeKey === false ? undefined : mergeKey)
    const machine =
      request.method === 'INVITE'
        ? new InviteServerTransaction(this.#context, key, path, inbound)
        : new NonInviteServerTransaction(this.#context, key, path, inbound)
    this.#needs.transactions.addServer(machine)
    inbound.attach(machine)
    if (mergeKey === false || this.#needs.identifiers.isLoop(request)) inbound.respond(responseTo(request, 482))
    else this.#needs.onRequest(inbound)
  }

  /** The ACK for a final response that is no 2xx ends here (RFC 3261 §17.2.1). */
  #takeAck(request: SipRequest, checked: Checked, topVia: string): void {
    const invite = this.#needs.transactions.invite(request, checked, topVia)
    if (invite?.receiveAck() !== true && this.#needs.onAck?.(request, checked) !== true)
      this.#needs.counters.dropped('stray-ack')
  }

  /** RFC 3261 §9.2: the CANCEL is answered here, in a transaction of its own, and so is the INVITE it cancels. */
  #takeCancel(request: SipRequest, checked: Checked, topVia: string, key: string, path: ReturnPath): void {
    const invite = this.#needs.transactions.invite(request, checked, topVia)
    const response = responseTo(request, invite === undefined ? 481 : 200, { toTag: this.newTag() })
    const machine = new NonInviteServerTransaction(this.#context, key, path)
    this.#needs.transactions.addServer(machine)
    machine.respond(response.status, writeMessage(response))
    invite?.cancel(request)
  }

  /** Back where it came from when the Via does not say where to (RFC 4475 §3.1.2.1 wants an answer to such a request). */
  #statelessPath(request: SipRequest, flow: Flow): ReturnPath {
    try {
      const via = readTopVia(request.headers)
      stampVia(request, via, flow.remoteAddress, flow.remotePort)
      return returnPath(flow, via, this.#needs.transports)
    } catch (err) {
      if (!(err instanceof MalformedSip)) throw err
      return flow
    }
  }
}
