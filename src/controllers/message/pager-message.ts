import { storageRequestHeader } from '../../protocols/cpm/storage-request.ts'
import { writeSipDate } from '../../protocols/sip/date.ts'
import type { Headers } from '../../protocols/sip/headers.ts'
import { SipRequest } from '../../protocols/sip/message.ts'
import { rowIdOf } from './message-id.ts'

/** Who a request comes from: an authenticated user, or whom a trusted peer vouches for. */
export interface Sender {
  readonly aor: string
  readonly subscriber?: { readonly id: number; readonly identities: readonly string[] }
  readonly trusted: boolean
  readonly anonymous: boolean
}

/** The part of a binding that a request is addressed by. */
export interface Contact {
  readonly contact: string
  readonly path: readonly string[]
}

export interface PagerMessageOptions {
  readonly request: SipRequest
  readonly sender: Sender
  /** Canonical address of whom it is for. */
  readonly recipient: string
  /** Microseconds since 1970. */
  readonly arrived: number
  readonly newId: () => string
  readonly isLocal: (domain: string) => boolean
}

type Field = readonly [name: string, value: string]

/** This server's own business, or said anew. */
const ofThisHop = [
  storageRequestHeader,
  'route',
  'authorization',
  'proxy-authorization',
  'p-preferred-identity',
  'p-asserted-identity',
  'p-preferred-service',
]
const live: ReadonlySet<string> = new Set(ofThisHop)
const liveUntrusted: ReadonlySet<string> = new Set([...ofThisHop, 'p-asserted-service'])
const kept: ReadonlySet<string> = new Set([...ofThisHop, 'via'])
const keptUntrusted: ReadonlySet<string> = new Set([...ofThisHop, 'via', 'p-asserted-service'])

/**
 * A message on its way. Relayed as a stateful proxy would: From, To, Call-ID, CSeq, body and unknown header fields stay as
 * they came, in their order, also on late delivery (clients match notifications by Call-ID). So does Accept-Contact: whether
 * a late CPM message is to be marked cpm.deferred no source at hand says, and clients take it with either (features 1.2).
 */
export class PagerMessage {
  readonly request: SipRequest
  readonly sender: Sender
  readonly recipient: string
  readonly arrived: number
  readonly #isLocal: (domain: string) => boolean
  readonly #maxForwards: string
  /** What is added where it is missing; the same on every copy. */
  readonly #additions: readonly Field[]
  #id: string | undefined

  constructor({ request, sender, recipient, arrived, newId, isLocal }: PagerMessageOptions) {
    this.request = request
    this.sender = sender
    this.recipient = recipient
    this.arrived = arrived
    this.#isLocal = isLocal
    this.#maxForwards = String(Number(request.headers.get('max-forwards') ?? 70) - 1)
    this.#additions = additionsTo(request.headers, arrived, newId)
  }

  /** The id of its rows: the same when the sender sends it again. */
  get id(): string {
    this.#id ??= rowIdOf(this.request, senderKey(this.sender))
    return this.#id
  }

  /** The copy for a device, to be sent now: the Via header fields below stay. */
  toDevice(device: Contact): SipRequest {
    const headers = this.#relayed(this.sender.trusted ? live : liveUntrusted)
    this.#assertIdentity(headers, false)
    for (const hop of device.path) headers.add('Route', hop)
    return new SipRequest(this.request.method, device.contact, headers, this.request.body)
  }

  /** The copy for a user of another domain. */
  toForeign(peerTrusted: boolean): SipRequest {
    const headers = this.#relayed(this.sender.trusted ? live : liveUntrusted)
    this.#assertIdentity(headers, peerTrusted)
    // What is left of Route leads further; our own was taken off by the edge.
    for (const route of this.request.headers.all('route')) headers.add('Route', route)
    this.#keepCredentials(headers, 'authorization', 'Authorization')
    this.#keepCredentials(headers, 'proxy-authorization', 'Proxy-Authorization')
    return new SipRequest(this.request.method, this.request.uri, headers, this.request.body)
  }

  /** The copy that is kept: as for a device, without Via, which leads nowhere by then. */
  toKeep(): SipRequest {
    const headers = this.#relayed(this.sender.trusted ? kept : keptUntrusted)
    this.#assertIdentity(headers, false)
    return new SipRequest(this.request.method, this.request.uri, headers, this.request.body)
  }

  #relayed(removed: ReadonlySet<string>): Headers {
    const headers = this.request.headers.without(removed)
    if (headers.has('max-forwards')) headers.setFirst('max-forwards', this.#maxForwards)
    else headers.add('Max-Forwards', this.#maxForwards)
    for (const [name, value] of this.#additions) headers.add(name, value)
    const service = this.request.headers.get('p-preferred-service')
    if (service !== undefined && !headers.has('p-asserted-service')) headers.add('P-Asserted-Service', service)
    return headers
  }

  /** RFC 3325 §5, §7: inside the trust domain the true identity always, towards users only what is not private. */
  #assertIdentity(headers: Headers, trusted: boolean): void {
    if (!trusted && (this.sender.anonymous || isPrivate(this.request.headers))) return
    headers.add('P-Asserted-Identity', `<${this.sender.aor}>`)
  }

  /** Credentials for somebody else's realm are not ours to take (RFC 3261 §22.3). */
  #keepCredentials(headers: Headers, name: string, written: string): void {
    for (const value of this.request.headers.all(name)) {
      const realm = /\brealm\s*=\s*"([^"]*)"/i.exec(value)?.[1] ?? ''
      if (!this.#isLocal(realm)) headers.add(written, value)
    }
  }
}

/** One name for all identities of a user. */
export const senderKey = (sender: Sender): string => sender.subscriber?.identities[0] ?? sender.aor

const dateKnown: readonly Field[] = []

/** Both ids are on every CPM message (features 1.1); malformed ones are opaque strings. */
function additionsTo(headers: Headers, arrived: number, newId: () => string): readonly Field[] {
  const conversation = headers.has('conversation-id')
  const contribution = headers.has('contribution-id')
  const date = headers.has('date')
  if (conversation && contribution && date) return dateKnown
  const additions: Field[] = []
  if (!conversation) additions.push(['Conversation-ID', newId()])
  if (!contribution) additions.push(['Contribution-ID', newId()])
  if (!date) additions.push(['Date', writeSipDate(arrived / 1000)])
  return additions
}

const isPrivate = (headers: Headers): boolean =>
  headers.has('privacy') && headers.all('privacy').some((value) => /(?:^|[;,\s])id(?:$|[;,\s])/i.test(value))
