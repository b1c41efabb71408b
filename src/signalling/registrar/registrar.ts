import { Failure } from '../../failure.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { readNameAddr } from '../../protocols/sip/name-addr.ts'
import { readUri } from '../../protocols/sip/uri.ts'
import type { InboundRequest, SipReply, Source } from '../edge/sip-port.ts'
import type { Binding } from './binding.ts'
import type { Change, Changed } from './bindings.ts'
import { type Bounds, bindingsAfter, type Context } from './bindings-after.ts'
import { type Registration, readRegistration } from './registration.ts'
import { registrationReply } from './registration-reply.ts'

interface Subscriber {
  readonly id: number
  readonly identities: readonly string[]
}

interface RegisterRequest extends InboundRequest {
  readonly sender: { readonly subscriber?: { readonly id: number }; readonly trusted: boolean }
}

interface Needs {
  readonly subscriberOf: (aor: string) => Subscriber | undefined | Promise<Subscriber | undefined>
  /** The canonical address of record that a URI names, one of our own addresses standing for the domain. */
  readonly addressOf: (uri: string) => string | undefined
  /** Whether a host is this server: its domain, or one of its own addresses. */
  readonly isOwnHost: (host: string, port: number | undefined) => boolean
  readonly bindings: {
    of(owner: number): readonly Binding[] | Promise<readonly Binding[]>
    change(owner: number, decide: (live: readonly Binding[]) => Change): Promise<Changed>
  }
  /** The value of Service-Route (RFC 3608) for whoever registers over this way. */
  readonly serviceRoute: (source: Source) => string
  /** A device is bound, or again; `waiting`: there are messages for its user; `returned`: nobody was bound before. */
  readonly registered: (owner: number, binding: Binding, waiting: boolean, returned: boolean) => void
  /** Seconds for which a user may not register. */
  readonly barredFor: (owner: number) => number
  readonly now: () => number
  readonly bounds: Bounds
  /** Seconds in which a client over a flow is to show that it lives (RFC 5626 §4.4). */
  readonly flowTimer: number
}

/** The registrar (RFC 3261 §10.3, RFC 3327, RFC 3608, RFC 5626 §6). */
export class Registrar {
  readonly #needs: Needs
  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** Changes what the request asks for, all or nothing, and answers with all that is bound then. */
  async handleRegister(request: RegisterRequest): Promise<SipReply> {
    const { message, source } = request
    this.#checkDomain(message)
    const aor = this.#needs.addressOf(readNameAddr(message.headers.get('to') ?? '').uri)
    const subscriber = await this.#registered(aor, request)
    const registration = readRegistration(message)
    const refusal = this.#refusal(registration)
    if (refusal !== undefined) return refusal
    const context = { owner: subscriber.id, aor: named(subscriber, aor), registration, request, now: this.#needs.now() }
    const { bindings, made } = await this.#apply(context)
    return registrationReply({
      bindings,
      registration,
      identities: subscriber.identities,
      serviceRoute: this.#needs.serviceRoute(source),
      flowTimer: made.some(({ regId }) => regId > 0) ? this.#needs.flowTimer : undefined,
      now: this.#needs.now(),
    })
  }

  /** RFC 3261 §10.3 step 1: what is for another registrar is not taken. A core sends to the server's own name. */
  #checkDomain({ uri }: SipRequest): void {
    const { host, port } = readUri(uri)
    if (!this.#needs.isOwnHost(host, port)) throw new Failure('forbidden', `${host} is not registered with here`)
  }

  /** Steps 4 and 5: one registers oneself; a trusted peer registers whom it likes (3GPP TS 24.229 §5.4.1.7). */
  async #registered(aor: string | undefined, { sender }: RegisterRequest): Promise<Subscriber> {
    const subscriber = aor === undefined ? undefined : await this.#needs.subscriberOf(aor)
    if (!sender.trusted && (subscriber === undefined || subscriber.id !== sender.subscriber?.id)) {
      throw new Failure('forbidden', 'To is none of the identities of the sender')
    }
    if (subscriber === undefined) throw new Failure('recipient-unknown')
    const retryAfter = this.#needs.barredFor(subscriber.id)
    if (retryAfter > 0) throw new Failure('too-many-attempts', 'barred', { retryAfter })
    return subscriber
  }

  #refusal(registration: Registration): SipReply | undefined {
    const { minExpires } = this.#needs.bounds
    if (registration.contacts.some(({ expires }) => isTooBrief(expires, minExpires))) {
      return { status: 423, reason: 'Interval Too Brief', headers: [['Min-Expires', String(minExpires)]] }
    }
    const { direct, path, contacts } = registration
    if (!direct && contacts.some(({ regId }) => regId > 0) && !firstHopKeepsFlows(path)) {
      return { status: 439, reason: 'First Hop Lacks Outbound Support' }
    }
    return undefined
  }

  async #apply(context: Context): Promise<{ bindings: readonly Binding[]; made: readonly Binding[] }> {
    const { owner, registration } = context
    if (registration.contacts.length === 0 && !registration.removesAll) {
      return { bindings: await this.#needs.bindings.of(owner), made: [] }
    }
    let made: readonly Binding[] = []
    let returned = false
    const { bindings, waiting } = await this.#needs.bindings.change(owner, (live) => {
      const change = bindingsAfter(live, context, this.#needs.bounds)
      made = change.put
      returned = live.length === 0
      return change
    })
    for (const binding of made) this.#needs.registered(owner, binding, waiting, returned)
    return { bindings, made }
  }
}

/** The text that the directory holds already, so that the binding need not hold another. */
const named = ({ identities }: Subscriber, aor: string | undefined) =>
  identities.find((identity) => identity === aor) ?? (aor as string)

const hour = 3600

/** RFC 3261 §10.3 step 7: an hour is never too brief. */
const isTooBrief = (expires: number | undefined, least: number) =>
  expires !== undefined && expires > 0 && expires < Math.min(least, hour)

/** RFC 5626 §6: the proxy next to the device says with `ob` that it finds the flow again. Path names it last. */
function firstHopKeepsFlows(path: readonly string[]): boolean {
  const nearest = path.at(-1)
  return nearest !== undefined && readUri(readNameAddr(nearest).uri).params.has('ob')
}
