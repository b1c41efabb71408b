import { Failure } from '../../failure.ts'
import { splitList } from '../../protocols/sip/lists.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { type NameAddr, readNameAddr } from '../../protocols/sip/name-addr.ts'
import type { InboundRequest, SipReply } from '../edge/sip-port.ts'

interface Subscriber {
  readonly id: number
  readonly name: string
  readonly identities: readonly string[]
}

/** Who a request comes from: an authenticated user, or whom a trusted peer vouches for. */
export interface Sender {
  /** The canonical address of record; the true one also where From hides it. */
  readonly aor: string
  readonly subscriber?: Subscriber
  /** A trusted peer says so. */
  readonly trusted: boolean
  /** The recipient is not to learn who it is (RFC 3323, RFC 3325 §7). */
  readonly anonymous: boolean
  /** The name shown with the address, if any. */
  readonly display?: string
}

type Found<T> = T | undefined | Promise<T | undefined>

interface Needs {
  /** A proof, or the challenge that is the answer. */
  readonly authenticate: (
    request: InboundRequest,
  ) => { readonly subscriber: number } | SipReply | Promise<{ readonly subscriber: number } | SipReply>
  readonly subscriberOf: (aor: string) => Found<Subscriber>
  readonly subscriberById: (id: number) => Found<Subscriber>
  readonly addresses: { of(uri: string): string | undefined; isLocal(aor: string): boolean }
  /** A trusted peer that asserts no identity is believed in From. */
  readonly trustFrom: boolean
}

type Verdict = Sender | SipReply | Promise<Sender | SipReply>

/** Tells who the sender is (RFC 3325, RFC 3323): of users what they have proven, of trusted peers what they assert. */
export class Identity {
  readonly #needs: Needs
  constructor(needs: Needs) {
    this.#needs = needs
  }

  /**
   * The sender, or the challenge. Throws `forbidden` for a From or P-Preferred-Identity that is not the sender's own,
   * and for the users of other domains who come by no trusted peer. No promise where all is known already.
   */
  senderOf(request: InboundRequest): Verdict {
    const from = readNameAddr(request.message.headers.get('from') ?? '')
    if (request.source.trusted) return this.#vouchedFor(request.message, from)
    if (!isAnonymous(from)) this.#checkLocal(from)
    const proof = this.#needs.authenticate(request)
    if (proof instanceof Promise) return proof.then((known) => this.#proven(request.message, from, known))
    return this.#proven(request.message, from, proof)
  }

  #checkLocal({ uri }: NameAddr): void {
    const aor = this.#needs.addresses.of(uri)
    if (aor === undefined || !this.#needs.addresses.isLocal(aor)) {
      throw new Failure('forbidden', 'a sender of another domain comes through a trusted peer')
    }
  }

  #proven(message: SipRequest, from: NameAddr, proof: { readonly subscriber: number } | SipReply): Verdict {
    if ('status' in proof) return proof
    const aor = isAnonymous(from) ? undefined : this.#needs.addresses.of(from.uri)
    const found = aor === undefined ? this.#needs.subscriberById(proof.subscriber) : this.#needs.subscriberOf(aor)
    const sender = (subscriber: Subscriber | undefined) => this.#own(message, from, subscriber, proof.subscriber)
    return found instanceof Promise ? found.then(sender) : sender(found)
  }

  #own(message: SipRequest, from: NameAddr, subscriber: Subscriber | undefined, proven: number): Sender {
    if (subscriber?.id !== proven) throw new Failure('forbidden', 'From is no identity of the sender')
    const preferred = this.#preferred(message, subscriber)
    const hidden = isAnonymous(from)
    const shown = hidden ? subscriber.identities[0] : this.#needs.addresses.of(from.uri)
    const anonymous = hidden || asksForPrivacy(message)
    return { aor: preferred ?? (shown as string), subscriber, trusted: false, anonymous, ...displayOf(from) }
  }

  /** RFC 3325 §9.2: which of their identities they are to be known by. */
  #preferred(message: SipRequest, subscriber: Subscriber): string | undefined {
    if (!message.headers.has('p-preferred-identity')) return undefined
    const preferred = addressesIn(message, 'p-preferred-identity').map(({ uri }) => this.#needs.addresses.of(uri))
    if (preferred.some((aor) => aor === undefined || !subscriber.identities.includes(aor))) {
      throw new Failure('forbidden', 'P-Preferred-Identity is no identity of the sender')
    }
    return preferred[0]
  }

  /** RFC 3325 §8. What a core registers for a user comes with the core's own From (3GPP TS 24.229 §5.4.1.7). */
  #vouchedFor(message: SipRequest, from: NameAddr): Verdict {
    const asserted = message.headers.has('p-asserted-identity') ? addressesIn(message, 'p-asserted-identity') : []
    const believed = asserted.length > 0 || this.#needs.trustFrom || message.method === 'REGISTER'
    if (!believed) throw new Failure('forbidden', 'a trusted peer asserts no identity')
    return this.#firstServed(message, asserted.length > 0 ? asserted : [from], 0)
  }

  /** A SIP address and a tel: may both be asserted: the one that leads to a user of ours counts, else the first. */
  #firstServed(message: SipRequest, asserted: readonly NameAddr[], at: number): Verdict {
    for (let next = at; next < asserted.length; next++) {
      const aor = this.#needs.addresses.of((asserted[next] as NameAddr).uri)
      if (aor === undefined || !this.#needs.addresses.isLocal(aor)) continue
      const found = this.#needs.subscriberOf(aor)
      if (found instanceof Promise) {
        return found.then((user) =>
          user ? vouched(message, asserted[next], aor, user) : this.#firstServed(message, asserted, next + 1),
        )
      }
      if (found !== undefined) return vouched(message, asserted[next], aor, found)
    }
    const [first] = asserted
    return vouched(message, first, (first && this.#needs.addresses.of(first.uri)) ?? first?.uri ?? '', undefined)
  }
}

function vouched(message: SipRequest, by: NameAddr | undefined, aor: string, user: Subscriber | undefined): Sender {
  const from = message.headers.get('from') ?? ''
  const anonymous = asksForPrivacy(message) || (from.includes('anonymous.invalid') && isAnonymous(readNameAddr(from)))
  return { aor, ...(user && { subscriber: user }), trusted: true, anonymous, ...displayOf(by) }
}

const addressesIn = (message: SipRequest, name: string) =>
  message.headers.all(name).flatMap((value) => splitList(value).map(readNameAddr))

/** RFC 3323 §4.1.1.3. */
const isAnonymous = ({ uri }: NameAddr) => /^sips?:anonymous@anonymous\.invalid(?:;|$)/i.test(uri)

/** RFC 3325 §9.3: `Privacy: id` keeps the asserted identity from the recipient. */
const asksForPrivacy = ({ headers }: SipRequest) =>
  headers.has('privacy') && /(?:^|[;,\s])(?:id|user|header)(?:$|[;,\s])/i.test(headers.all('privacy').join(';'))

const displayOf = (address: NameAddr | undefined) => (address?.display ? { display: address.display } : undefined)
