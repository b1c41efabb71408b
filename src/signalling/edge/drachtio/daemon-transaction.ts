import { type Checked, checkRequest } from '../../../protocols/sip/check-request.ts'
import { Headers } from '../../../protocols/sip/headers.ts'
import { SipRequest, type SipResponse } from '../../../protocols/sip/message.ts'
import { readRAck, readRSeq } from '../../../protocols/sip/rack.ts'
import { reasonOf } from '../../../protocols/sip/respond.ts'
import { isTransport, type Source, type Transport } from '../../../sip/addresses.ts'
import type { ServerTransaction } from '../../../sip/inbound-request.ts'
import { contentOf, objectionTo, ofTheDaemon } from './carried.ts'
import { flowName } from './daemon-flow.ts'
import type { SrfContent, SrfMessage, SrfRequest, SrfResponse, SrfSent } from './srf.ts'

export interface TransactionNeeds {
  trusted(address: string): boolean
  onAnswered(transaction: DaemonTransaction): void
  /** The daemon did not send a response. */
  onRefused(why: unknown, status: number): void
}

/** A request from the daemon. It absorbs retransmissions and repeats responses, and answers a CANCEL by itself. */
export class DaemonTransaction implements ServerTransaction {
  readonly request: SipRequest
  readonly source: Source
  readonly checked: Checked
  readonly #needs: TransactionNeeds
  readonly #res: SrfResponse
  #toTag: string | undefined
  #last: SipResponse | undefined
  #isAnswered = false
  #onCancelled: ((cancel: SipRequest) => void) | undefined
  /** The daemon numbers reliable responses itself: its RSeq, and ours (RFC 3262 §3). */
  #numbered: { readonly theirs: number; readonly ours: number } | undefined

  /** Throws MalformedSip, with the request in it. */
  constructor(needs: TransactionNeeds, request: SipRequest, req: SrfRequest, res: SrfResponse) {
    this.#needs = needs
    this.request = request
    this.checked = checkRequest(request)
    this.source = sourceOf(req, this.checked.via.transport, needs.trusted(req.source_address))
    this.#res = res
  }

  respond(response: SipResponse): void {
    // Whoever keeps the dialog repeats what is not acknowledged; the daemon does so as well.
    if (this.#isAnswered || response === this.#last) return
    this.#last = response
    if (response.status >= 200) this.#answered()
    const objection = objectionTo(response)
    if (objection === undefined) this.#send(response.status, response)
    else this.#send(response.status < 200 ? response.status : objection, undefined)
  }

  onCancelled(listener: (cancel: SipRequest) => void): void {
    this.#onCancelled = listener
  }

  tagWith(tag: string): void {
    this.#toTag = tag
  }

  /** The daemon has answered 487, or it is gone and nobody can be answered any more. */
  cancelled(cancel = this.#newCancel()): void {
    if (this.#isAnswered) return
    this.#answered()
    this.#onCancelled?.(cancel)
  }

  /** Gives a PRACK the number by which its response is known here. */
  renumber(prack: SipRequest): void {
    const { rseq, cseq, method } = readRAck(prack.headers.get('rack') ?? '')
    if (rseq === this.#numbered?.theirs) prack.headers.set('RAck', `${this.#numbered.ours} ${cseq} ${method}`)
  }

  #answered(): void {
    this.#isAnswered = true
    this.#needs.onAnswered(this)
  }

  #send(status: number, response: SipResponse | undefined): void {
    const content = response === undefined ? {} : contentOf(response, ofResponse)
    const to = this.#to(status, response)
    const headers = to === undefined ? content.headers : { ...content.headers, To: to }
    const ours = readRSeq(response?.headers.get('rseq'))
    const options = { ...content, ...(headers && { headers }) }
    sendKnown(this.#res, status, response?.reason ?? reasonOf(status), options, (err, sent) => {
      if (err) this.#needs.onRefused(err, status)
      else if (ours !== undefined) this.#learn(ours, sent)
    })
  }

  /** drachtio-srf takes nothing but the tag from it. */
  #to(status: number, response: SipResponse | undefined): string | undefined {
    if (this.checked.to.params.has('tag') || status === 100) return undefined
    if (this.#toTag !== undefined) return `${this.request.headers.get('to')};tag=${this.#toTag}`
    return response?.headers.get('to')
  }

  #learn(ours: number, sent: SrfMessage | undefined): void {
    const theirs = readRSeq(sent?.get('rseq'))
    if (theirs !== undefined) this.#numbered = { theirs, ours }
  }

  #newCancel(): SipRequest {
    const names = new Set(['from', 'to', 'call-id', 'via'])
    const kept = [...this.request.headers.entries()].filter(([name]) => names.has(name))
    const headers = new Headers(kept.map(([, written, value]) => [written, value]))
    return new SipRequest('CANCEL', this.request.uri, headers.add('CSeq', `${this.checked.cseq.number} CANCEL`))
  }
}

function sourceOf(req: SrfRequest, via: string, trusted: boolean): Source {
  const { source_address: address, source_port: port } = req
  const transport = transportOf(req.protocol, via.toLowerCase())
  return { flow: flowName(transport, address, port), transport, address, port, trusted }
}

/** What the daemon calls tcp may be a WebSocket, and within a dialog it may say nothing: Via tells. */
function transportOf(protocol: string, via: string): Transport {
  if (isTransport(via) && (protocol === 'tcp' || protocol === '')) return via
  return isTransport(protocol) ? protocol : 'udp'
}

/** What the daemon copies from the request. */
const ofResponse = new Set([...ofTheDaemon, 'from', 'to', 'call-id', 'cseq'])

/** drachtio-srf throws at a status that is not in its list; such a one is what its class is (RFC 3261 §8.1.3.2). */
function sendKnown(res: SrfResponse, status: number, ...rest: [string, SrfContent, SrfSent]): void {
  try {
    res.send(status, ...rest)
  } catch {
    res.send(status < 200 ? 183 : status - (status % 100), ...rest)
  }
}
