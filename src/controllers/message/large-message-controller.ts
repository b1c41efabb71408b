import { Failure } from '../../failure.ts'
import { domainOf } from '../../protocols/sip/address-of-record.ts'
import { deliveryMode, refusesSessions } from './delivery-mode.ts'
import type { Device } from './device.ts'
import type { Endpoint, Invitation } from './dialogs.ts'
import type { TakenIn } from './message-controller.ts'
import { MessageIntake } from './message-intake.ts'
import type { Needs } from './needs.ts'
import { checkOfferedSize, offerIn } from './offered-session.ts'
import type { Sender } from './pager-message.ts'
import type { MessageReply } from './reply.ts'
import type { SessionContent } from './session-message.ts'

/** Who invites whom. */
interface Called<Invited> {
  readonly invitation: Invited
  readonly sender: Sender
  readonly recipient: string
}

export interface RelayTerms {
  /** Milliseconds that devices may take; without it as in any session. */
  readonly ringFor?: number
  /** What passes is stored as well; resolves once it is committed, and its sender hears of success after that. */
  readonly store?: (content: SessionContent) => Promise<void>
}

export interface LargeMessageNeeds<Invited extends Invitation>
  extends Pick<Needs, 'subscriberOf' | 'devicesOf' | 'knownDevices' | 'settingsOf' | 'mayStore' | 'isLocal'> {
  /** The session of two: straight through. */
  readonly relay: (
    invitation: Invited,
    sender: Sender,
    recipient: string,
    terms: RelayTerms,
  ) => Promise<MessageReply | undefined>
  /** Puts a message that passed into the histories of both. */
  readonly store: (message: TakenIn) => Promise<void>
  /** Keeps a message for its recipient; resolves once it is committed. */
  readonly takeIn: (message: TakenIn) => Promise<void>
  readonly openEndpoint: () => Endpoint
  /** Whether a message of so many bytes finds room in memory. */
  readonly hasRoomFor: (bytes: number) => boolean
  readonly policy: Pick<Needs['policy'], 'absent' | 'deliverWithin'>
  readonly maxBytes: number
  /** Messages that the server takes in at once. */
  readonly maxIntakes: number
  readonly log: Needs['log']
}

/**
 * Large messages: one message in an MSRP session (features 1.2). To one device that is there they go straight through. In all
 * other cases the server takes the message in, commits it and brings it to each device of the recipient by itself: a
 * session has one answerer, and the sender may be told of success only when no device can miss the message (design §4).
 */
export class LargeMessageController<Invited extends Invitation> {
  readonly #needs: LargeMessageNeeds<Invited>
  readonly #intakes = new Set<MessageIntake>()
  #peak = 0
  #closing = false

  constructor(needs: LargeMessageNeeds<Invited>) {
    this.#needs = needs
  }

  /** Sessions in which the server takes in a message. */
  get inUse(): number {
    return this.#intakes.size
  }

  get peak(): number {
    return this.#peak
  }

  get limit(): number {
    return this.#needs.maxIntakes
  }

  /** Answers through the invitation; a reply refuses it. */
  async handleInvitation(invitation: Invited, sender: Sender, recipient: string): Promise<MessageReply | undefined> {
    if (this.#closing) throw new Failure('overloaded', 'shutting down', { retryAfter: 5 })
    if (recipient === '') throw new Failure('recipient-unknown')
    const { isLocal, policy, maxBytes, subscriberOf } = this.#needs
    const called = { invitation, sender, recipient }
    if (invitation.message.body.length > 0) checkOfferedSize(offerIn(invitation.message), maxBytes)
    const domain = domainOf(recipient)
    if (domain !== undefined && !isLocal(domain)) return await this.#relay(called, {})
    const subscriber = await subscriberOf(recipient)
    if (subscriber === undefined) throw new Failure('recipient-unknown')
    const settings = await this.#needs.settingsOf(subscriber.id)
    if (settings?.admits(sender, false) === false) throw new Failure('forbidden', 'a sender who is not wanted')
    if (settings?.differs === true) return await this.#takeIn(called, noDevices)
    const discarded = policy.absent === 'discard' || settings?.absent === 'discard'
    if (discarded) return await this.#relay(called, { ringFor: policy.deliverWithin })
    const device = await this.#onlyDevice(subscriber.id)
    if (device === undefined) return await this.#takeIn(called, noDevices)
    return await this.#straightThrough(called, device)
  }

  /** Ends what is under way: what was not acknowledged, its sender has. Waits for their answers until `signal` aborts. */
  async close(signal: AbortSignal): Promise<void> {
    this.#closing = true
    const ended = Promise.all([...this.#intakes].map((intake) => intake.close()))
    if (signal.aborted) return
    await Promise.race([ended, new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))])
  }

  /** The device to which a message can go straight through: it has sessions, and is all that the recipient has. */
  async #onlyDevice(owner: number): Promise<Device | undefined> {
    const { devicesOf, knownDevices } = this.#needs
    const [first, ...others] = await devicesOf(owner)
    if (first === undefined || deliveryMode(first) === 'pager') return undefined
    const known = [...others.map(({ device }) => device), ...(await knownDevices(owner))]
    return known.every((device) => device === first.device) ? first : undefined
  }

  async #relay(
    { invitation, sender, recipient }: Called<Invited>,
    terms: RelayTerms,
  ): Promise<MessageReply | undefined> {
    const { relay, store } = this.#needs
    if (!(await this.#isStored(sender, recipient))) return await relay(invitation, sender, recipient, terms)
    const { message: invite } = invitation
    const storing = (content: SessionContent) => store({ invite, sender, recipient, content })
    return await relay(invitation, sender, recipient, { ...terms, store: storing })
  }

  /** Whether one of the two may have it in their history. */
  async #isStored(sender: Sender, recipient: string): Promise<boolean> {
    const { mayStore, settingsOf, subscriberOf } = this.#needs
    const users = [sender.subscriber, await subscriberOf(recipient)].filter((user) => user !== undefined)
    const settings = await Promise.all(users.map((user) => settingsOf(user.id)))
    return settings.some((one) => mayStore(one))
  }

  async #straightThrough(called: Called<Invited>, device: Device): Promise<MessageReply | undefined> {
    const { policy, log } = this.#needs
    const { invitation } = called
    const refused = await this.#relay(called, { ringFor: policy.deliverWithin }).catch(asRefusal)
    if (refused === undefined || invitation.dialog.state === 'terminated') return undefined
    const callId = invitation.message.headers.get('call-id')
    log.debug({ callId, device: device.device, status: refused.status }, 'a large message is taken in')
    // A device that has no sessions is there, and may get it another way at once.
    const tried = refusesSessions(refused.status) ? noDevices : new Set([device.device])
    return await this.#takeIn(called, tried)
  }

  async #takeIn({ invitation, sender, recipient }: Called<Invited>, tried: ReadonlySet<string>): Promise<undefined> {
    const { message: invite } = invitation
    const offer = offerIn(invite)
    this.#checkRoom()
    const intake = new MessageIntake({
      invitation,
      endpoint: this.#needs.openEndpoint(),
      keep: (content) => this.#needs.takeIn({ invite, sender, recipient, content, tried }),
      onOver: () => this.#intakes.delete(intake),
    })
    this.#intakes.add(intake)
    this.#peak = Math.max(this.#peak, this.#intakes.size)
    await intake.begin(offer)
  }

  #checkRoom(): void {
    const { maxIntakes, hasRoomFor, maxBytes } = this.#needs
    if (this.#closing || this.#intakes.size >= maxIntakes || !hasRoomFor(maxBytes)) {
      throw new Failure('overloaded', 'large messages', { retryAfter: 10 })
    }
  }
}

const noDevices: ReadonlySet<string> = new Set()

/** What is said of the device; what is wrong with the offer shows again when the server answers it. */
function asRefusal(err: unknown): MessageReply {
  if (err instanceof Failure && err.condition === 'absent') return { status: 480 }
  if (err instanceof Failure && err.condition === 'not-acceptable') return { status: 488 }
  throw err
}
