import { Failure } from '../../failure.ts'
import { preferred, readAcceptContact } from '../../protocols/sip/accept-contact.ts'
import { domainOf } from '../../protocols/sip/address-of-record.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { Delivery, type DeliveryNeeds } from './delivery.ts'
import type { Device } from './device.ts'
import type { KeptMessages } from './kept-messages.ts'
import type { MessageCounts, Needs } from './needs.ts'
import type { PagerMessage } from './pager-message.ts'
import { accepted, type MessageReply, relayedAcceptance, relayedResponse } from './reply.ts'
import { type StoredMessage, type StoredMessages, storedMessage } from './stored-messages.ts'

export interface TerminatingNeeds
  extends Pick<Needs, 'policy' | 'subscriberOf' | 'devicesOf' | 'knownDevices' | 'send' | 'isLocal' | 'isTrustedPeer'> {
  readonly bindingGone: (device: Device) => void
  readonly stored: StoredMessages
  readonly kept: KeptMessages
  readonly counts: MessageCounts
}

export interface DeliverOptions {
  /** Notifications are no part of a history. */
  readonly storable: boolean
  /** One of our users, whose copy is stored as well. */
  readonly sender: number | undefined
}

/** What a second device that is there as well has, before a row is written for it. */
const grace = 10

/** Brings a message to its recipient: to all devices at once, to the queue, or to the server of another domain. */
export class TerminatingFunction {
  readonly #needs: TerminatingNeeds
  readonly #deliveryNeeds: DeliveryNeeds
  constructor(needs: TerminatingNeeds) {
    this.#needs = needs
    this.#deliveryNeeds = { send: needs.send, bindingGone: needs.bindingGone }
  }

  /** Resolves once what a 2xx promises is true (design §4). */
  async deliver(message: PagerMessage, options: DeliverOptions): Promise<MessageReply> {
    const domain = domainOf(message.recipient)
    if (domain !== undefined && !this.#needs.isLocal(domain)) return await this.#relay(message, options, domain)
    const found = this.#needs.subscriberOf(message.recipient)
    const recipient = found instanceof Promise ? await found : found
    if (recipient === undefined) throw new Failure('recipient-unknown')
    const live = this.#needs.devicesOf(recipient.id)
    const devices = live instanceof Promise ? await live : live
    const rows = this.#historyRows(message, recipient.id, options)
    if (devices.length === 0) return await this.#keepForAbsent(message, recipient.id, rows)
    return await this.#deliverTo(devices, message, recipient.id, rows)
  }

  async #keepForAbsent(message: PagerMessage, owner: number, rows: readonly StoredMessage[]): Promise<MessageReply> {
    const found = this.#needs.knownDevices(owner)
    const known = found instanceof Promise ? await found : found
    await this.#needs.kept.keepForAbsent(message, owner, known, rows)
    this.#needs.counts.kept += 1
    return accepted
  }

  /** Delivery and commit to the histories run side by side. */
  async #deliverTo(
    devices: readonly Device[],
    message: PagerMessage,
    owner: number,
    rows: readonly StoredMessage[],
  ): Promise<MessageReply> {
    const storing = this.#store(rows)
    const delivery = new Delivery(this.#deliveryNeeds, message, matching(message.request, devices))
    const acceptance = await delivery.firstAcceptance(this.#needs.policy.deliverWithin)
    const stored = storing === undefined ? undefined : await storing
    const found = this.#absentDevices(owner, devices)
    const absent = found instanceof Promise ? await found : found
    if (acceptance === undefined) return await this.#keepUndelivered(message, owner, delivery, absent, stored)
    if (delivery.trying && absent.length === 0) await delivery.settled(grace)
    if (absent.length > 0 || !delivery.complete) await this.#keepForOthers(message, owner, delivery, absent, stored)
    this.#needs.counts.delivered += 1
    return relayedAcceptance(acceptance)
  }

  /** Devices of the recipient that are known, and not there. */
  #absentDevices(owner: number, devices: readonly Device[]): readonly string[] | Promise<readonly string[]> {
    if (this.#needs.policy.absent === 'discard') return nobody
    const known = this.#needs.knownDevices(owner)
    return known instanceof Promise ? known.then((all) => without(all, devices)) : without(known, devices)
  }

  /** Devices are there, but none has accepted in time. */
  async #keepUndelivered(
    message: PagerMessage,
    owner: number,
    delivery: Delivery,
    absent: readonly string[],
    stored: boolean | undefined,
  ): Promise<MessageReply> {
    try {
      await this.#needs.kept.keepRest(message, owner, delivery, absent, stored)
    } catch (error) {
      delivery.abandon()
      const failure = isAbsent(error) ? delivery.bestFailure() : undefined
      if (failure === undefined) throw error
      return relayedResponse(failure)
    }
    this.#needs.counts.kept += 1
    return accepted
  }

  /** Some device has accepted. Where it has expired by then, that is enough. */
  async #keepForOthers(
    message: PagerMessage,
    owner: number,
    delivery: Delivery,
    absent: readonly string[],
    stored: boolean | undefined,
  ): Promise<void> {
    try {
      await this.#needs.kept.keepRest(message, owner, delivery, absent, stored)
    } catch (error) {
      if (!isAbsent(error)) throw error
    }
  }

  /** To a user of another domain, whose server answers for them. */
  async #relay(message: PagerMessage, options: DeliverOptions, domain: string): Promise<MessageReply> {
    const storing = this.#store(this.#historyRows(message, undefined, options))
    const copy = message.toForeign(this.#needs.isTrustedPeer(domain))
    const { response, local } = await this.#needs.send(copy, { receivedUri: message.request.uri }).final
    await storing
    if (local) throw new Failure('unreachable', `${domain}: ${response.status} ${response.reason}`)
    this.#needs.counts.relayed += 1
    return relayedResponse(response)
  }

  /** Rows of recipient and sender, the recipient's first. Of a message to oneself there is one. */
  #historyRows(
    message: PagerMessage,
    recipient: number | undefined,
    options: DeliverOptions,
  ): readonly StoredMessage[] {
    if (this.#needs.policy.storageDefault === 'never' || !options.storable) return noRows
    const rows: StoredMessage[] = []
    if (recipient !== undefined) rows.push(storedMessage(message, recipient, 'in', true))
    if (options.sender !== undefined && options.sender !== recipient) {
      rows.push(storedMessage(message, options.sender, 'out', true))
    }
    return rows
  }

  /** Whether the first row is new. A failure is dealt with where it is awaited, which may be later than it comes. */
  #store([own, copy]: readonly StoredMessage[]): Promise<boolean> | undefined {
    if (own === undefined) return undefined
    const message = own
    const storing = this.#needs.stored.commit(
      copy === undefined ? { message, waiting: [] } : { message, copy, waiting: [] },
    )
    storing.catch(() => {})
    return storing
  }
}

const noRows: readonly StoredMessage[] = []
const nobody: readonly string[] = []
const isAbsent = (error: unknown): boolean => error instanceof Failure && error.condition === 'absent'

/** Devices that match Accept-Contact; all where none does, on purpose: better a device that can do less than none. */
function matching(request: SipRequest, devices: readonly Device[]): readonly Device[] {
  if (devices.length === 1 || !request.headers.has('accept-contact')) return devices
  const predicates = readAcceptContact(request.headers.all('accept-contact'))
  const chosen = preferred(predicates, devices, ({ features }) => features)
  return chosen.length === 0 ? devices : chosen
}

function without(known: readonly string[], devices: readonly Device[]): readonly string[] {
  const absent = known.filter((name) => !devices.some(({ device }) => device === name))
  return absent.length === 0 ? nobody : absent
}
