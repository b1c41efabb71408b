import { Failure } from '../../failure.ts'
import { carriesIsComposing } from '../../protocols/is-composing/carries-is-composing.ts'
import { addressOfRecord, domainOf } from '../../protocols/sip/address-of-record.ts'
import type { Headers } from '../../protocols/sip/headers.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { readNameAddr } from '../../protocols/sip/name-addr.ts'
import { AbsenceNotices } from './absence-notices.ts'
import { cameInChat, messageOf, originOf, takesChats } from './chat-content.ts'
import { ChatDelivery } from './chat-delivery.ts'
import { DeferredDelivery } from './deferred-delivery.ts'
import type { DeferredMessages } from './deferred-messages.ts'
import type { Device } from './device.ts'
import { isDispositionNotification } from './disposition-notification.ts'
import { DispositionRelay, type NotifiedSessions } from './disposition-relay.ts'
import { Edits } from './edits.ts'
import { asksForFailure, failedNotification } from './failed-notification.ts'
import { KeptMessages } from './kept-messages.ts'
import type { Copies, MessageCounts, Needs, Reception, Settings } from './needs.ts'
import { PagerMessage, type Sender } from './pager-message.ts'
import { accepted, type MessageReply } from './reply.ts'
import { Revocations } from './revocations.ts'
import { SessionDelivery } from './session-delivery.ts'
import { keptFromSession, type SessionContent, saidInSession } from './session-message.ts'
import type { StoredMessages } from './stored-messages.ts'
import { TerminatingFunction } from './terminating-function.ts'
import { UriListService } from './uri-list-service.ts'
import { Waiting } from './waiting.ts'
import type { WaitingMessages } from './waiting-messages.ts'

/** A request as the signal manager hands it over: classified, its sender known. */
export interface ServiceRequest {
  readonly message: SipRequest
  readonly sender: Sender
  /** Canonical address of the request-URI. */
  readonly recipient: string
}

/** A message that came in a session which the server answered. */
export interface TakenIn {
  readonly invite: SipRequest
  readonly sender: Sender
  readonly recipient: string
  readonly content: SessionContent
  /** Devices that have not taken it a moment ago. */
  readonly tried?: ReadonlySet<string>
}

/** A message of a chat that the server relays. */
export interface Said {
  /** The header fields of its INVITE. */
  readonly chat: Headers
  readonly sender: Sender
  readonly recipient: string
  readonly content: SessionContent
}

const nobody: ReadonlySet<string> = new Set()
/** What a device may take to answer a session in which it is given messages. */
const answerWithin = 30_000
/** Notifications of what was given come within that time. */
const lingerFor = 5000

/** Messages outside of sessions: to one, to many, and notifications about them (spec/1 §4.1, design §4). */
export class MessageController {
  readonly counts: MessageCounts = { delivered: 0, kept: 0, refused: 0, relayed: 0, absorbed: 0, expired: 0, late: 0 }
  readonly #needs: Needs
  readonly #stored: StoredMessages
  readonly #queue: DeferredMessages
  readonly #deferred: DeferredDelivery
  readonly #kept: KeptMessages
  readonly #chats: ChatDelivery
  readonly #terminating: TerminatingFunction
  readonly #dispositions: DispositionRelay
  readonly #lists: UriListService
  readonly #notices: AbsenceNotices
  readonly #revocations: Revocations
  readonly #edits: Edits
  /** What waits, as its recipients handle it. */
  readonly waiting: Waiting
  #underWay = 0
  #lastArrival = 0
  #closing = false

  constructor(needs: Needs, stored: StoredMessages, queue: DeferredMessages, waiting: WaitingMessages) {
    this.#needs = needs
    this.#notices = new AbsenceNotices({ ...needs, waiting })
    this.waiting = new Waiting({
      now: needs.now,
      waiting,
      queue,
      stored,
      isHistory: (owner, message, peer) => this.#isHistory(owner, message, peer),
      failed: (request, peer, id) => this.#tellFailure(request, peer, request.uri, id),
    })
    this.#stored = stored
    this.#queue = queue
    const bindingGone = (device: Device) => this.#bindingGone(device)
    const deliveredLate = () => this.#count('late')
    this.#chats = new ChatDelivery({
      ...needs,
      domain: domainOf(needs.ownUri()) ?? 'localhost',
      answerWithin,
      lingerFor,
      said: (kept, content) => this.#saidInChat(kept, content),
    })
    const [chats, large] = [this.#chats, new SessionDelivery(needs)]
    this.#deferred = new DeferredDelivery({
      ...needs,
      overSession: {
        deliver: (kept, device) => (cameInChat(kept) && takesChats(device) ? chats : large).deliver(kept, device),
      },
      queue,
      bindingGone,
      receptionOf: (kept, device) => this.#receptionOf(kept, device),
      removeLeftOver: () => stored.removeLeftOver(),
      delivered: deliveredLate,
      expired: (request, peer, id) => this.#expired(request, peer, id),
      goneUnfetched: (owner, request, peer, id) => this.waiting.gone(owner, request, peer, id),
      tell: (owner) => this.#notices.tell(owner),
    })
    const kept = (owner: number) => this.#deferred.kept(owner)
    this.#kept = new KeptMessages({ ...needs, stored, queue, kept, deliveredLate })
    this.#terminating = new TerminatingFunction({
      ...needs,
      bindingGone,
      stored,
      kept: this.#kept,
      counts: this.counts,
    })
    const terminating = this.#terminating
    this.#dispositions = new DispositionRelay({
      ...needs,
      stored,
      terminating,
      absorbed: () => this.#count('absorbed'),
    })
    this.#revocations = new Revocations({
      ...needs,
      waiting: this.waiting,
      messages: waiting,
      stored,
      terminating,
      ownMessage: (request, recipient) => this.#ownMessage(request, recipient),
    })
    this.#edits = new Edits({ ...needs, messages: waiting })
    this.#lists = new UriListService({ ...needs, terminating, failed: (message) => this.#failed(message) })
  }

  /** Messages that are being handled. */
  get underWay(): number {
    return this.#underWay
  }

  /** Devices that are being served what waits for them, or are to be. */
  get draining(): number {
    return this.#deferred.depth
  }

  start(): Promise<void> {
    return this.#deferred.start()
  }

  /** Gives up what still waits for a device; its rows stay. To be called when no request comes any more. */
  async close(): Promise<void> {
    this.#closing = true
    this.#chats.close()
    this.#revocations.close()
    await Promise.all([this.#kept.close(), this.#deferred.close(), this.#notices.close()])
    await Promise.all([this.#stored.close(), this.#queue.close()])
  }

  /** A device has registered, and something may wait for it. `returned`: no device of its user was there before. */
  deviceRegistered(device: Device, returned = false): void {
    void this.#notices.tell(device.owner, returned)
    void this.#kept.deviceRegistered(device.owner, device.device).then(() => this.#deferred.deviceRegistered(device))
  }

  /** What a timer does each second: next attempts, expiry. */
  sweep(): Promise<void> {
    return this.#deferred.sweep()
  }

  /** RFC 3428. */
  handlePagerMessage({ message, sender, recipient }: ServiceRequest): Promise<MessageReply> {
    return this.#handle(message, async () => {
      const options = { storable: true, sender: sender.subscriber?.id }
      const pager = this.#pagerMessage(message, sender, recipient)
      const reply = await this.#terminating.deliver(pager, options)
      if (reply.status < 300) await this.#edits.note(pager)
      return reply
    })
  }

  /** RFC 5438: a notification goes to the sender's devices as a message does, if it tells anything new. */
  handleNotification({ message, sender, recipient }: ServiceRequest): Promise<MessageReply> {
    return this.#handle(message, () => this.#dispositions.relay(this.#pagerMessage(message, sender, recipient)))
  }

  /** GSMA RCC.07: a message is taken back by who has sent it. */
  handleRevocation({ message, sender, recipient }: ServiceRequest): Promise<MessageReply> {
    return this.#handle(message, () => this.#revocations.handle(this.#pagerMessage(message, sender, recipient)))
  }

  /** RFC 5365: 202 once every copy is with its recipient or committed. */
  handleMessageToMany({ message, sender }: ServiceRequest): Promise<MessageReply> {
    return this.#handle(message, async () => {
      await this.#lists.explode(message, sender, (copy, recipient) => this.#pagerMessage(copy, sender, recipient))
      return accepted
    })
  }

  /**
   * A message that the server took in over a session, for whoever is not there or has more than one device. Resolves once it is
   * committed; devices that are there get it at once, in sessions of their own. Throws Failure when it is not kept.
   */
  async takeIn({ invite, sender, recipient, content, tried = nobody }: TakenIn): Promise<void> {
    if (this.#closing) throw new Failure('overloaded', 'shutting down', { retryAfter: 5 })
    const message = this.#pagerMessage(keptFromSession(invite, content), sender, recipient)
    const options = { storable: true, sender: sender.subscriber?.id }
    const devices = await this.#terminating.takeIn(message, options, tried)
    for (const device of devices) this.#deferred.wake(device)
    await this.#edits.note(message)
  }

  /** What a caller says in a chat that the server answered: a notification goes on at once, all else is kept. */
  async takeInChat(taken: TakenIn): Promise<void> {
    const { invite, sender, recipient, content } = taken
    if (content.body.length > this.#needs.policy.maxBytes) throw new Failure('message-too-large')
    const { newId } = this.#needs
    const message = messageOf({ chat: invite.headers, from: sender.aor, to: invite.uri, content, newId })
    if (isDispositionNotification(message)) await this.handleNotification({ message, sender, recipient })
    else await this.takeIn(taken)
  }

  /** Where senders may be reached in a session, before a notification goes to them as a MESSAGE. */
  notifyIn(sessions: NotifiedSessions): void {
    this.#dispositions.notifyIn(sessions)
  }

  /**
   * A MESSAGE in a session: the other party answers it, through `relay`. It is part of the history as any message is, and
   * is not kept for anybody who is not there.
   */
  handleSessionMessage(
    { message, sender, recipient }: ServiceRequest,
    relay: () => Promise<MessageReply>,
    copies?: Copies,
  ): Promise<MessageReply> {
    return this.#handle(message, () => {
      const inside = this.#pagerMessage(message, sender, recipient)
      return isDispositionNotification(message)
        ? this.#dispositions.relay(inside, relay)
        : this.#terminating.relayInSession(inside, sender.subscriber?.id, relay, copies)
    })
  }

  /** What is said in the chat of a session of two, before it passes: the histories have it once this resolves. */
  async keepSaid({ chat, sender, recipient, content }: Said, copies: Copies): Promise<void> {
    if (carriesIsComposing(content.contentType, content.body)) return
    const message = this.#pagerMessage(
      saidInSession({ chat, from: sender.aor, to: recipient, content }),
      sender,
      recipient,
    )
    if (isDispositionNotification(message.request)) await this.#dispositions.relay(message, async () => accepted, true)
    else {
      await this.#terminating.storeInSession(message, copies)
      await this.#edits.note(message)
    }
  }

  /** What a device says where it is given what was kept: notifications, and answers to who is not in the chat any more. */
  async #saidInChat(kept: SipRequest, content: SessionContent): Promise<void> {
    if (carriesIsComposing(content.contentType, content.body)) return
    const [from, to] = [addressOfRecord(kept.uri), addressOfRecord(readNameAddr(originOf(kept.headers)).uri)]
    const subscriber = from === undefined ? undefined : await this.#needs.subscriberOf(from)
    if (from === undefined || to === undefined || subscriber === undefined) throw new Failure('forbidden')
    const { newId } = this.#needs
    const message = messageOf({ chat: kept.headers, from, to, content, newId })
    const request = { message, sender: { aor: from, subscriber, trusted: false, anonymous: false }, recipient: to }
    if (isDispositionNotification(message)) await this.handleNotification(request)
    else await this.handlePagerMessage(request)
  }

  /** A message that passes in a session of its own: the histories have it once this resolves. */
  async storePassed({ invite, sender, recipient, content }: TakenIn): Promise<void> {
    const message = this.#pagerMessage(keptFromSession(invite, content), sender, recipient)
    await this.#terminating.relayInSession(message, sender.subscriber?.id, async () => ({ status: 200 }))
  }

  async #handle(message: SipRequest, work: () => Promise<MessageReply>): Promise<MessageReply> {
    this.#refuse(message)
    this.#underWay += 1
    try {
      const reply = await work()
      this.#needs.log.debug(
        { callId: message.headers.get('call-id'), to: message.uri, status: reply.status },
        'answered',
      )
      return reply
    } catch (error) {
      if (error instanceof Failure) this.#count('refused')
      throw error
    } finally {
      this.#underWay -= 1
    }
  }

  /** What can be refused at once, and cheaply. */
  #refuse(message: SipRequest): void {
    const { maxBytes, maxQueue } = this.#needs.policy
    if (this.#closing || this.#underWay >= maxQueue) throw new Failure('overloaded', '', { retryAfter: 2 })
    if (message.body.length > maxBytes) throw new Failure('message-too-large')
  }

  #pagerMessage(request: SipRequest, sender: Sender, recipient: string): PagerMessage {
    const { newId, isLocal } = this.#needs
    return new PagerMessage({ request, sender, recipient, arrived: this.#arrival(), newId, isLocal })
  }

  /** What the server itself says. */
  #ownMessage(request: SipRequest, recipient: string): PagerMessage {
    const own: Sender = { aor: this.#needs.ownUri(), trusted: true, anonymous: false }
    return this.#pagerMessage(request, own, recipient)
  }

  /** Microseconds, and never the same twice: it orders messages, and tells two rows of one batch apart. */
  #arrival(): number {
    this.#lastArrival = Math.max(this.#lastArrival + 1, Math.floor(this.#needs.now() * 1000))
    return this.#lastArrival
  }

  async #expired(request: SipRequest, peer: string, id: string): Promise<void> {
    this.#count('expired')
    await this.#tellFailure(request, peer, request.uri, id)
  }

  #failed({ request, sender, recipient }: PagerMessage): Promise<void> {
    return this.#tellFailure(request, sender.aor, recipient, this.#needs.newId())
  }

  /** Tells the sender, if they asked for it; kept for them if they are absent. */
  async #tellFailure(request: SipRequest, sender: string, recipient: string, id: string): Promise<void> {
    if (!asksForFailure(request)) return
    const { now, ownUri } = this.#needs
    const host = domainOf(ownUri()) ?? 'localhost'
    const message = failedNotification({ request, sender, recipient, now: now(), id, host })
    try {
      await this.#terminating.deliver(this.#ownMessage(message, sender), { storable: false, sender: undefined })
    } catch (error) {
      // A sender who cannot be told is not told; only what may be better in a moment is tried again.
      if (!(error instanceof Failure) || error.condition === 'database-unavailable') throw error
    }
  }

  /** What is kept for anybody of a user is not for a device that the user does not want it on. */
  #receptionOf(kept: SipRequest, { owner, device }: Device): Reception | Promise<Reception> {
    const said = this.#needs.settingsOf(owner)
    if (said instanceof Promise) return said.then((settings) => receptionBy(settings, kept, device))
    return receptionBy(said, kept, device)
  }

  /** Whether its recipient has it in a history, whatever becomes of it. */
  async #isHistory(owner: number, message: SipRequest, peer: string): Promise<boolean> {
    const settings = await this.#needs.settingsOf(owner)
    const medium = cameInChat(message) ? 'chat' : 'message'
    const known = await this.#needs.subscriberOf(peer)
    return this.#needs.stores(settings, { peers: known?.identities ?? [peer], medium, asked: false })
  }

  #bindingGone({ owner, key, device }: Device): void {
    // At the end every flow closes, and none of it says anything of the device.
    if (this.#closing) return
    const { log, dropBinding } = this.#needs
    log.info({ part: 'message', owner, device }, 'binding dropped: it leads nowhere')
    dropBinding(owner, key).catch((err) =>
      log.warn({ part: 'message', owner, err }, 'a binding stays until it expires'),
    )
  }

  #count(outcome: keyof MessageCounts): void {
    this.counts[outcome] += 1
  }
}

function receptionBy(settings: Settings | undefined, kept: SipRequest, device: string): Reception {
  if (settings?.differs !== true || isDispositionNotification(kept)) return 'deliver'
  return settings.reception(device, addressOfRecord(kept.uri) ?? '', cameInChat(kept) ? 'chat' : 'message')
}
