import { Headers } from '../../protocols/sip/headers.ts'
import { splitList } from '../../protocols/sip/lists.ts'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import { type SipMessage, SipRequest, type SipResponse } from '../../protocols/sip/message.ts'
import { readNameAddr } from '../../protocols/sip/name-addr.ts'
import { responseTo } from '../../protocols/sip/respond.ts'
import { readUri, writeUri } from '../../protocols/sip/uri.ts'
import type { Target } from '../addresses.ts'
import type { ServerTransaction } from '../inbound-request.ts'
import type { Towards } from './dialog-context.ts'
import type { Content } from './dialog-user.ts'
import type { StoredDialog } from './stored-dialog.ts'

interface Fields extends StoredDialog {
  readonly localTag: string
  readonly remoteTag: string
  readonly remoteSeq?: number
  readonly isSecure?: boolean
}

/** What both ends of a dialog keep of it (RFC 3261 §12), and what they make of it: the requests within. */
export class DialogState {
  readonly callId: string
  readonly localTag: string
  readonly remoteTag: string
  /** From and To of requests from here. */
  readonly local: string
  readonly remote: string
  remoteTarget: string
  readonly #isSecure: boolean
  #routeSet: readonly string[]
  #localSeq: number
  #remoteSeq: number | undefined
  /** The flow over which the peer is reached, where its Contact may not be (RFC 5626, RFC 5923). */
  #flow: string | undefined

  constructor(fields: Fields) {
    this.callId = copied(fields.callId)
    this.localTag = copied(fields.localTag)
    this.remoteTag = copied(fields.remoteTag)
    this.local = copied(fields.local)
    this.remote = copied(fields.remote)
    this.remoteTarget = copied(fields.remoteTarget)
    this.#routeSet = fields.routeSet.map(copied)
    this.#localSeq = fields.localSeq
    this.#remoteSeq = fields.remoteSeq
    this.#flow = fields.flow
    this.#isSecure = fields.isSecure === true
  }

  /** RFC 3261 §12.1.1. Throws MalformedSip where the request has no Contact. */
  static ofServer(transaction: ServerTransaction, localTag: string): DialogState {
    const { request, checked } = transaction
    const flow = flowBack(transaction)
    return new DialogState({
      callId: checked.callId,
      localTag,
      remoteTag: checked.from.params.get('tag') ?? '',
      local: `${request.headers.get('to')};tag=${localTag}`,
      remote: request.headers.get('from') ?? '',
      remoteTarget: contactOf(request),
      routeSet: recordRoute(request),
      localSeq: 0,
      remoteSeq: checked.cseq.number,
      isSecure: request.uri.startsWith('sips:'),
      ...(flow !== undefined && { flow }),
    })
  }

  /** RFC 3261 §12.1.2, for a response that has a To tag. */
  static ofClient(request: SipRequest, response: SipResponse, localSeq: number, flow: string | undefined): DialogState {
    const local = request.headers.get('from') ?? ''
    const remote = response.headers.get('to') ?? ''
    return new DialogState({
      callId: request.headers.get('call-id') ?? '',
      localTag: readNameAddr(local).params.get('tag') ?? '',
      remoteTag: readNameAddr(remote).params.get('tag') ?? '',
      local,
      remote,
      remoteTarget: contactIn(response) ?? request.uri,
      routeSet: routeOf(response),
      isSecure: request.uri.startsWith('sips:'),
      localSeq,
      ...(flow !== undefined && { flow }),
    })
  }

  get key(): string {
    return dialogKey(this.callId, this.localTag, this.remoteTag)
  }

  get target(): Target {
    const nextHop = this.#isStrict ? { nextHop: uriOf(this.#routeSet[0] ?? '') } : undefined
    return this.#flow === undefined ? { ...nextHop } : { flow: this.#flow, ...nextHop }
  }

  /** The first URI on the way, for the choice of what to be reached by. */
  get nextHop(): Towards {
    const [route] = this.#routeSet
    return { isSecure: this.#isSecure, flow: this.#flow, uri: route === undefined ? this.remoteTarget : uriOf(route) }
  }

  /** False for a request that comes out of order: 500 (RFC 3261 §12.2.2). */
  accepts(cseq: number): boolean {
    if (this.#remoteSeq !== undefined && cseq <= this.#remoteSeq) return false
    this.#remoteSeq = cseq
    return true
  }

  /** The 2xx of a dialog that was early has the route set that counts (RFC 3261 §13.2.2.4). */
  confirm(response: SipResponse): void {
    this.#routeSet = routeOf(response).map(copied)
    this.refresh(response)
  }

  /** Target refresh (RFC 3261 §12.2). */
  refresh(message: SipMessage): void {
    const contact = contactIn(message)
    if (contact !== undefined) this.remoteTarget = copied(contact)
  }

  /** A request that the peer sent from elsewhere moves the flow with it. */
  moveTo(transaction: ServerTransaction): void {
    if (this.#flow !== undefined) this.#flow = flowBack(transaction) ?? this.#flow
  }

  /** The next request within the dialog (RFC 3261 §12.2.1.1). */
  request(method: string, content: Content = {}): SipRequest {
    return this.#make(method, ++this.#localSeq, content)
  }

  /** The ACK has the number of its INVITE (RFC 3261 §13.2.2.4). */
  ack(cseq: number, content: Content = {}): SipRequest {
    return this.#make('ACK', cseq, content)
  }

  /** The response to a request that is not sent at all. */
  localResponse(method: string, status: number): SipResponse {
    return responseTo(this.#make(method, this.#localSeq, {}), status)
  }

  snapshot(): StoredDialog {
    return {
      callId: this.callId,
      local: this.local,
      remote: this.remote,
      localSeq: this.#localSeq,
      remoteTarget: this.remoteTarget,
      routeSet: this.#routeSet,
      ...(this.#flow !== undefined && { flow: this.#flow }),
    }
  }

  get #isStrict(): boolean {
    const [first] = this.#routeSet
    return first !== undefined && !isLoose(first)
  }

  #make(method: string, cseq: number, { headers = [], body }: Content): SipRequest {
    const made = new Headers()
    for (const route of this.#routes()) made.add('Route', route)
    made.add('Max-Forwards', '70')
    made.add('From', this.local)
    made.add('To', this.remote)
    made.add('Call-ID', this.callId)
    made.add('CSeq', `${cseq} ${method}`)
    for (const [name, value] of headers) made.add(name, value)
    return new SipRequest(method, this.#isStrict ? uriOf(this.#routeSet[0] ?? '') : this.remoteTarget, made, body)
  }

  /** A strict router wants itself in the request-URI, and the target at the end of the route. */
  #routes(): readonly string[] {
    return this.#isStrict ? [...this.#routeSet.slice(1), `<${this.remoteTarget}>`] : this.#routeSet
  }
}

/** Joined from an array, which copies: a template would keep the heads of the messages alive. */
export const dialogKey = (callId: string, localTag: string, remoteTag: string): string =>
  [callId, localTag, remoteTag].join(' ')

/** The URI of Contact, undefined where there is none that can be used. */
function contactIn(message: SipMessage): string | undefined {
  try {
    return message.headers.has('contact') ? contactOf(message) : undefined
  } catch (err) {
    if (err instanceof MalformedSip) return undefined
    throw err
  }
}

function contactOf(message: SipMessage): string {
  const [first] = splitList(message.headers.get('contact') ?? '')
  if (first === undefined) throw new MalformedSip('no Contact')
  const { uri } = readNameAddr(first)
  const read = readUri(uri)
  if (read.host === '') throw new MalformedSip('Contact is no SIP URI')
  return read.headers === '' ? uri : writeUri({ ...read, headers: '' })
}

function recordRoute(message: SipMessage): string[] {
  const routes = message.headers.all('record-route').flatMap(splitList)
  for (const route of routes) readUri(uriOf(route))
  return routes
}

/** The route set of the client; one that cannot be read would lead nowhere. */
function routeOf(response: SipResponse): string[] {
  try {
    return recordRoute(response).reverse()
  } catch (err) {
    if (err instanceof MalformedSip) return []
    throw err
  }
}

const uriOf = (route: string) => readNameAddr(route).uri

const isLoose = (route: string) => readUri(uriOf(route)).params.has('lr')

/**
 * The flow of a request whose sender is its next neighbour, and sends from where it listens: a connection, or UDP with
 * rport (RFC 3581). Beyond a proxy, route set and Contact count.
 */
function flowBack({ request, checked, source }: ServerTransaction): string | undefined {
  const vias = request.headers.all('via')
  if (vias.length !== 1 || splitList(vias[0] ?? '').length !== 1 || request.headers.has('record-route'))
    return undefined
  return source.transport !== 'udp' || checked.via.params.has('rport') ? source.flow : undefined
}

/** A slice would keep the whole message alive for as long as the dialog lives. */
const copied = (text: string) => Buffer.from(text, 'latin1').toString('latin1')
