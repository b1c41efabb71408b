import { Failure } from '../../failure.ts'
import { preferred, readAcceptContact } from '../../protocols/sip/accept-contact.ts'
import { domainOf } from '../../protocols/sip/address-of-record.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import type { Invitation, Reply } from './dialogs.ts'
import type { Way } from './leg.ts'
import type { Device, Needs, Sender, Target } from './needs.ts'
import { OutgoingInvite } from './outgoing-invite.ts'
import { Session } from './session.ts'
import { Sessions } from './sessions.ts'

/** Sessions of two (spec/1 §4.2): what comes from one goes to the other, signalling and media. */
export class SessionController {
  readonly sessions: Sessions<Session>
  readonly #needs: Needs
  #closing = false

  constructor(needs: Needs) {
    this.#needs = needs
    this.sessions = new Sessions(needs.maxSessions)
  }

  /** Answers through the invitation; resolves with the reply that refuses it, if that is what comes of it. */
  async handleInvitation(invitation: Invitation, sender: Sender, recipient: string): Promise<Reply | undefined> {
    if (recipient === '') throw new Failure('recipient-unknown')
    // Nobody can have learnt of a dialog that it could replace: transfer is not offered (RFC 3891 §3).
    if (invitation.replaces !== undefined) return { status: 481 }
    const { newId } = this.#needs
    const outgoing = new OutgoingInvite({ message: invitation.message, sender, newId })
    const ways = await this.#waysTo(recipient, invitation.message, outgoing)
    if (this.#closing) throw new Failure('overloaded', 'shutting down', { retryAfter: 5 })
    const session = new Session(this.#sessionNeeds, invitation, ways)
    this.sessions.add(session)
    return await session.begin()
  }

  /** Ends all sessions; waits for the answers of the parties until `signal` aborts. */
  async close(signal: AbortSignal): Promise<void> {
    this.#closing = true
    const ended = Promise.all([...this.sessions].map((session) => session.shutDown()))
    if (signal.aborted) return
    await Promise.race([ended, new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))])
  }

  get #sessionNeeds() {
    return {
      ...this.#needs,
      bindingGone: (binding: Device) => this.#bindingGone(binding),
      onOver: (session: Session) => this.sessions.remove(session),
    }
  }

  async #waysTo(
    recipient: string,
    message: SipRequest,
    outgoing: OutgoingInvite,
  ): Promise<readonly (readonly Way[])[]> {
    const domain = domainOf(recipient)
    if (domain !== undefined && !this.#needs.isLocal(domain)) return [[this.#wayAbroad(domain, message, outgoing)]]
    const subscriber = await this.#needs.subscriberOf(recipient)
    if (subscriber === undefined) throw new Failure('recipient-unknown')
    const devices = matching(message, await this.#needs.devicesOf(subscriber.id))
    if (devices.length === 0) throw new Failure('absent')
    return byDevice(devices).map((bindings) => bindings.map((binding) => wayTo(binding, message.uri, outgoing)))
  }

  #wayAbroad(domain: string, message: SipRequest, outgoing: OutgoingInvite): Way {
    const trusted = this.#needs.isTrustedPeer(domain)
    const request = (body: Buffer) => outgoing.toForeign(trusted, body)
    return { binding: undefined, target: { receivedUri: message.uri }, request }
  }

  #bindingGone({ owner, key }: Device): void {
    const { log } = this.#needs
    this.#needs.dropBinding(owner, key).catch((err) => log.warn({ err, key }, 'binding not dropped'))
  }
}

/** Devices that match Accept-Contact; all where none does, on purpose: better a device that can do less than none. */
function matching({ headers }: SipRequest, devices: readonly Device[]): readonly Device[] {
  if (devices.length < 2 || !headers.has('accept-contact')) return devices
  const chosen = preferred(readAcceptContact(headers.all('accept-contact')), devices, ({ features }) => features)
  return chosen.length === 0 ? devices : chosen
}

/** Bindings of one device are ways to it: one after the other is tried, and it rings once. */
function byDevice(bindings: readonly Device[]): readonly (readonly Device[])[] {
  const groups = new Map<string, Device[]>()
  for (const binding of bindings) {
    const known = groups.get(binding.device)
    if (known === undefined) groups.set(binding.device, [binding])
    else known.push(binding)
  }
  return [...groups.values()]
}

function wayTo(binding: Device, receivedUri: string, outgoing: OutgoingInvite): Way {
  const { flow, regId } = binding
  const target: Target = flow === '' ? { receivedUri } : { flow, flowOnly: regId > 0, receivedUri }
  return { binding, target, request: (body) => outgoing.toDevice(binding, body) }
}
