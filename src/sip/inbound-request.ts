import type { Checked } from '../protocols/sip/check-request.ts'
import { type SipRequest, type SipResponse, writeMessage } from '../protocols/sip/message.ts'
import { responseTo } from '../protocols/sip/respond.ts'
import type { Source, Transport } from './addresses.ts'
import type { Pending, ServerMachine } from './transaction/server-transaction.ts'
import type { Flow } from './transport/flow.ts'

/** A request that awaits its response, as the user of the stack sees it. */
export interface ServerTransaction {
  readonly request: SipRequest
  readonly source: Source
  /** What had to be read to take the request in, so that it need not be read again. */
  readonly checked: Checked
  /** Sends a response made for this request; To gets a tag where there is none. After a final one nothing is sent. */
  respond(response: SipResponse): void
  /** Of an INVITE: calls back when a CANCEL has taken it back, and 487 is the answer. */
  onCancelled(listener: (cancel: SipRequest) => void): void
  /** The To tag of this end in each response. */
  tagWith(tag: string): void
}

/** What an inbound request needs of the stack. */
export interface InboundNeeds {
  newTag(): string
  onAnswered(mergeKey: string): void
}

export class InboundRequest implements ServerTransaction, Pending {
  readonly request: SipRequest
  readonly source: Source
  readonly checked: Checked
  readonly #needs: InboundNeeds
  #mergeKey: string | undefined
  #machine: ServerMachine | undefined
  #toTag: string | undefined
  #onCancelled: ((cancel: SipRequest) => void) | undefined

  constructor(
    needs: InboundNeeds,
    request: SipRequest,
    checked: Checked,
    source: Source,
    mergeKey: string | undefined,
  ) {
    this.#needs = needs
    this.request = request
    this.checked = checked
    this.source = source
    this.#mergeKey = mergeKey
  }

  /** The transaction through which the response goes. */
  attach(machine: ServerMachine): void {
    this.#machine = machine
  }

  onCancelled(listener: (cancel: SipRequest) => void): void {
    this.#onCancelled = listener
  }

  tagWith(tag: string): void {
    this.#toTag = tag
  }

  cancelled(cancel: SipRequest): void {
    this.#onCancelled?.(cancel)
  }

  respond(response: SipResponse): void {
    if (this.#machine === undefined) return
    if (response.status > 100) this.#tag(response)
    const machine = this.#machine
    if (response.status >= 200) this.#answered()
    machine.respond(response.status, writeMessage(response))
  }

  bytesOf(status: 100 | 487): Buffer {
    const response = responseTo(this.request, status)
    if (status === 487) {
      this.#tag(response)
      this.#answered()
    }
    return writeMessage(response)
  }

  expire(): void {
    this.#answered()
  }

  /** Every response but 100 has a tag in To, the same in each (RFC 3261 §8.2.6.2). */
  #tag(response: SipResponse): void {
    if (this.checked.to.params.has('tag')) return
    const to = response.headers.get('to')
    if (to === undefined || hasTag.test(to)) return
    this.#toTag ??= this.#needs.newTag()
    response.headers.setFirst('to', `${to};tag=${this.#toTag}`)
  }

  /** An INVITE answered 2xx may be answered so again: its machine stays, and refuses what may not be sent. */
  #answered(): void {
    if (this.request.method !== 'INVITE') this.#machine = undefined
    if (this.#mergeKey !== undefined) this.#needs.onAnswered(this.#mergeKey)
    this.#mergeKey = undefined
  }
}

const hasTag = /;[ \t]*tag[ \t]*=[^>]*$/i

/** Where a request came from; the name of its flow is made when asked for. */
export class FlowSource implements Source {
  readonly trusted: boolean
  readonly #flow: Flow
  constructor(flow: Flow, trusted: boolean) {
    this.#flow = flow
    this.trusted = trusted
  }
  get flow(): string {
    return this.#flow.name
  }
  get transport(): Transport {
    return this.#flow.transport
  }
  get address(): string {
    return this.#flow.remoteAddress
  }
  get port(): number {
    return this.#flow.remotePort
  }
}
