import { randomUUID } from 'node:crypto'
import { Failure } from '../../failure.ts'
import { preferred, readAcceptContact } from '../../protocols/sip/accept-contact.ts'
import { domainOf } from '../../protocols/sip/address-of-record.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import type { Invitation, Reply } from './dialogs.ts'
import { Farewell } from './farewell.ts'
import type { Way } from './leg.ts'
import type { Device, History, Needs, Parties, Sender, Settings, Target, Terms } from './needs.ts'
import { mediaIn, offerIn } from './offered-media.ts'
import { OutgoingInvite } from './outgoing-invite.ts'
import { type Named, replaceDialog } from './replacement.ts'
import { Session } from './session.ts'
import { SessionRecord } from './session-record.ts'
import { type HeldSession, Sessions } from './sessions.ts'
import { wantedDevices } from './wanted-devices.ts'

/** So often the rows of sessions are compared with what has become of them. */
const savingMs = 10_000

/** Sessions of two (spec/1 §4.2): what comes from one goes to the other, signalling and media. */
export class SessionController {
  readonly sessions: Sessions<HeldSession>
  readonly #needs: Needs
  readonly #farewell: Farewell
  #timer: NodeJS.Timeout | undefined
  #closing = false

  constructor(needs: Needs) {
    this.#needs = needs
    this.sessions = new Sessions(needs.maxSessions, needs.maxPerUser)
    const { abandoned } = needs
    this.#farewell = new Farewell({ ...needs, rows: needs.stored, ...(abandoned && { abandoned }) })
  }

  /** Sessions of nodes that are gone, whose parties were told. */
  get farewells(): number {
    return this.#farewell.told
  }

  /** Keeps the rows of sessions true. */
  start(): void {
    this.#timer = setInterval(() => this.#saveRecords(), savingMs)
    this.#timer.unref()
  }

  /** Ends the sessions of a node that is gone. Resolves with whether none is left. */
  takeOver(node: string): Promise<boolean> {
    return this.#farewell.tellPartiesOf(node)
  }

  /** Answers through the invitation; resolves with the reply that refuses it, if that is what comes of it. */
  async handleInvitation(invitation: Invitation, sender: Sender, recipient: string): Promise<Reply | undefined> {
    if (recipient === '') throw new Failure('recipient-unknown')
    if (invitation.replaces !== undefined) {
      return await replaceDialog(invitation, sender, (dialog) => this.#sessionOf(dialog))
    }
    const outcome = await this.#call(invitation, sender, recipient, {}, this.#needs.beginHistory).catch(absence)
    const unanswered = outcome instanceof Failure || (outcome !== undefined && isNoAnswer(outcome.status))
    const answering = unanswered ? await this.#answerFor(invitation, sender, recipient) : undefined
    if (answering !== undefined) return await answering.done
    if (outcome instanceof Failure) throw outcome
    return outcome
  }

  /** The same for a service that has terms of its own, and answers by itself for a callee who is not there. */
  async relay(
    invitation: Invitation,
    sender: Sender,
    recipient: string,
    terms: Partial<Terms>,
  ): Promise<Reply | undefined> {
    if (invitation.replaces !== undefined) return { status: 481 }
    return await this.#call(invitation, sender, recipient, terms)
  }

  /** What its users keep of the session that has that dialog. */
  historyOf(dialog: object): History | undefined {
    return this.#sessionOf(dialog)?.session.history
  }

  /** The row of a session that is to begin. */
  newRecord(): SessionRecord {
    return new SessionRecord({ rows: this.#needs.stored, log: this.#needs.log }, randomUUID())
  }

  /** Ends all sessions; waits for the answers of the parties until `signal` aborts. */
  async close(signal: AbortSignal): Promise<void> {
    this.#closing = true
    clearInterval(this.#timer)
    this.#farewell.close()
    const ended = Promise.all([...this.sessions].map((session) => session.shutDown()))
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    if (!signal.aborted) await Promise.race([ended, aborted])
    await this.#needs.stored.close()
  }

  async #call(
    invitation: Invitation,
    sender: Sender,
    recipient: string,
    terms: Partial<Terms> = {},
    beginHistory?: Needs['beginHistory'],
  ): Promise<Reply | undefined> {
    const { newId, isOwnRealm } = this.#needs
    const outgoing = new OutgoingInvite({ message: invitation.message, sender, newId, isOwnRealm })
    const callee = await this.#party(recipient)
    const settings = callee.subscriber && (await this.#needs.settingsOf(callee.subscriber.id))
    if (settings?.admits(sender, false) === false)
      throw new Failure('forbidden', 'the callee does not want this caller')
    const parties: Parties = { caller: sender, callee }
    const sdp = offerIn(invitation.message)
    const history = await beginHistory?.(invitation.message, sdp, parties)
    try {
      const ways = await this.#waysTo(callee, invitation.message, outgoing, settings)
      if (this.#closing) throw new Failure('overloaded', 'shutting down', { retryAfter: 5 })
      const session = new Session({ ...this.#sessionNeeds, ...terms }, invitation, parties, ways, history)
      this.sessions.add(session, sender.subscriber?.id)
      return await session.begin()
    } catch (err) {
      history?.ended('missed', mediaIn(sdp))
      throw err
    }
  }

  #sessionOf(dialog: object): Named | undefined {
    for (const session of this.sessions) {
      const side = session instanceof Session ? session.sideOf(dialog) : undefined
      if (session instanceof Session && side !== undefined) return { session, side }
    }
    return undefined
  }

  #saveRecords(): void {
    for (const session of this.sessions) session.saveRecord()
    void this.#needs.stored.removeLeftOver()
  }

  /** No device of the callee is there, or none answers. Undefined: nobody answers in their place. */
  async #answerFor(
    invitation: Invitation,
    sender: Sender,
    recipient: string,
  ): Promise<{ readonly done: Promise<Reply | undefined> } | undefined> {
    const domain = domainOf(recipient)
    if (this.#needs.absent === undefined || this.#closing) return undefined
    if (domain !== undefined && !this.#needs.isLocal(domain)) return undefined
    const subscriber = await this.#needs.subscriberOf(recipient)
    if (subscriber === undefined || invitation.dialog.state === 'terminated') return undefined
    const settings = await this.#needs.settingsOf(subscriber.id)
    if (settings?.absent === 'discard') return undefined
    const done = this.#needs.absent(invitation, sender, recipient, subscriber)
    return done && { done }
  }

  get #sessionNeeds() {
    return {
      ...this.#needs,
      bindingGone: (binding: Device) => this.#bindingGone(binding),
      newRecord: () => this.newRecord(),
      onOver: (session: Session) => this.sessions.remove(session),
    }
  }

  /** Whom a session is with: a user of ours, or of another domain. */
  async #party(aor: string): Promise<Sender> {
    const domain = domainOf(aor)
    if (domain !== undefined && !this.#needs.isLocal(domain)) return { aor, trusted: false, anonymous: false }
    const subscriber = await this.#needs.subscriberOf(aor)
    if (subscriber === undefined) throw new Failure('recipient-unknown')
    return { aor, subscriber, trusted: false, anonymous: false }
  }

  async #waysTo(
    { aor, subscriber }: Sender,
    message: SipRequest,
    outgoing: OutgoingInvite,
    settings: Settings | undefined,
  ): Promise<readonly (readonly Way[])[]> {
    if (subscriber === undefined) return [[this.#wayAbroad(domainOf(aor) ?? '', message, outgoing)]]
    const there = await this.#needs.devicesOf(subscriber.id)
    const devices = matching(message, wantedDevices(settings, aor, message.body, there))
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

function absence(err: unknown): Failure {
  if (err instanceof Failure && err.condition === 'absent') return err
  throw err
}

/** What a device that is not there, or nobody at it, leads to; a user who declines has answered (486, 600, 603, 606). */
const isNoAnswer = (status: number): boolean => status === 408 || status === 480 || (status >= 500 && status < 600)

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
