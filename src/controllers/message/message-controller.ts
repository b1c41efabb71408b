import { Failure } from '../../failure.ts'
import { domainOf } from '../../protocols/sip/address-of-record.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { DeferredDelivery } from './deferred-delivery.ts'
import type { DeferredMessages } from './deferred-messages.ts'
import type { Device } from './device.ts'
import { DispositionRelay } from './disposition-relay.ts'
import { asksForFailure, failedNotification } from './failed-notification.ts'
import { KeptMessages } from './kept-messages.ts'
import type { MessageCounts, Needs } from './needs.ts'
import { PagerMessage, type Sender } from './pager-message.ts'
import { accepted, type MessageReply } from './reply.ts'
import type { StoredMessages } from './stored-messages.ts'
import { TerminatingFunction } from './terminating-function.ts'
import { UriListService } from './uri-list-service.ts'

/** A request as the signal manager hands it over: classified, its sender known. */
export interface ServiceRequest {
  readonly message: SipRequest
  readonly sender: Sender
  /** Canonical address of the request-URI. */
  readonly recipient: string
}

/** Messages outside of sessions: to one, to many, and notifications about them (spec/1 §4.1, design §4). */
export class MessageController {
  readonly counts: MessageCounts = { delivered: 0, kept: 0, refused: 0, relayed: 0, absorbed: 0, expired: 0, late: 0 }
  readonly #needs: Needs
  readonly #stored: StoredMessages
  readonly #queue: DeferredMessages
  readonly #deferred: DeferredDelivery
  readonly #kept: KeptMessages
  readonly #terminating: TerminatingFunction
  readonly #dispositions: DispositionRelay
  readonly #lists: UriListService
  #underWay = 0
  #lastArrival = 0
  #closing = false

  constructor(needs: Needs, stored: StoredMessages, queue: DeferredMessages) {
    this.#needs = needs
    this.#stored = stored
    this.#queue = queue
    const bindingGone = (device: Device) => this.#bindingGone(device)
    const deliveredLate = () => this.#count('late')
    this.#deferred = new DeferredDelivery({
      ...needs,
      queue,
      bindingGone,
      removeLeftOver: () => stored.removeLeftOver(),
      delivered: deliveredLate,
      expired: (request, peer, id) => this.#expired(request, peer, id),
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
    await Promise.all([this.#kept.close(), this.#deferred.close()])
    await Promise.all([this.#stored.close(), this.#queue.close()])
  }

  /** A device has registered, and something may wait for it. */
  deviceRegistered(device: Device): void {
    void this.#kept.deviceRegistered(device.owner, device.device).then(() => this.#deferred.deviceRegistered(device))
  }

  /** What a timer does each second: next attempts, expiry. */
  sweep(): Promise<void> {
    return this.#deferred.sweep()
  }

  /** RFC 3428. */
  handlePagerMessage({ message, sender, recipient }: ServiceRequest): Promise<MessageReply> {
    return this.#handle(message, () => {
      const options = { storable: true, sender: sender.subscriber?.id }
      return this.#terminating.deliver(this.#pagerMessage(message, sender, recipient), options)
    })
  }

  /** RFC 5438: a notification goes to the sender's devices as a message does, if it tells anything new. */
  handleNotification({ message, sender, recipient }: ServiceRequest): Promise<MessageReply> {
    return this.#handle(message, () => this.#dispositions.relay(this.#pagerMessage(message, sender, recipient)))
  }

  /** RFC 5365: 202 once every copy is with its recipient or committed. */
  handleMessageToMany({ message, sender }: ServiceRequest): Promise<MessageReply> {
    return this.#handle(message, async () => {
      await this.#lists.explode(message, sender, (copy, recipient) => this.#pagerMessage(copy, sender, recipient))
      return accepted
    })
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
    const own: Sender = { aor: ownUri(), trusted: true, anonymous: false }
    try {
      const notification = this.#pagerMessage(message, own, sender)
      await this.#terminating.deliver(notification, { storable: false, sender: undefined })
    } catch (error) {
      // A sender who cannot be told is not told; only what may be better in a moment is tried again.
      if (!(error instanceof Failure) || error.condition === 'database-unavailable') throw error
    }
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
