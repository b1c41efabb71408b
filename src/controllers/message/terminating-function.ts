import { Failure } from '../../failure.ts'
import { asksForStorage } from '../../protocols/cpm/storage-request.ts'
import { carriesIsComposing } from '../../protocols/is-composing/carries-is-composing.ts'
import { preferred, readAcceptContact } from '../../protocols/sip/accept-contact.ts'
import { domainOf } from '../../protocols/sip/address-of-record.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { cameInChat } from './chat-content.ts'
import { Delivery, type DeliveryNeeds } from './delivery.ts'
import type { Device } from './device.ts'
import type { History, KeptMessages } from './kept-messages.ts'
import type { Copies, Medium, MessageCounts, Needs, Settings, Storable, Subscriber } from './needs.ts'
import type { PagerMessage } from './pager-message.ts'
import { type Reach, reachOf, toBeTold } from './reach.ts'
import { accepted, type MessageReply, relayedAcceptance, relayedResponse } from './reply.ts'
import { type StoredMessages, storedMessage } from './stored-messages.ts'

export interface TerminatingNeeds
  extends Pick<
    Needs,
    | 'policy'
    | 'subscriberOf'
    | 'devicesOf'
    | 'knownDevices'
    | 'settingsOf'
    | 'stores'
    | 'send'
    | 'isLocal'
    | 'isTrustedPeer'
  > {
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

  /** Resolves once what a 2xx promises is true (design §4). A sender whose mailbox is full is told so. */
  async deliver(message: PagerMessage, options: DeliverOptions): Promise<MessageReply> {
    const reply = await this.#bring(message, options)
    if (options.sender === undefined || !this.#needs.stored.refusedCopyOf(message)) return reply
    return { ...reply, headers: [...(reply.headers ?? []), ['Warning', notStored]] }
  }

  async #bring(message: PagerMessage, options: DeliverOptions): Promise<MessageReply> {
    const domain = domainOf(message.recipient)
    if (domain !== undefined && !this.#needs.isLocal(domain)) return await this.#relay(message, options, domain)
    const found = this.#needs.subscriberOf(message.recipient)
    const recipient = found instanceof Promise ? await found : found
    if (recipient === undefined) throw new Failure('recipient-unknown')
    const said = this.#needs.settingsOf(recipient.id)
    const settings = said instanceof Promise ? await said : said
    checkAdmitted(settings, message, options)
    const live = this.#needs.devicesOf(recipient.id)
    const there = live instanceof Promise ? await live : live
    const reach = options.storable ? this.#reachOf(settings, message.recipient, 'message', there) : undefined
    const rows = this.#historyOf(message, recipient, settings, options)
    const to: Terminating = { owner: recipient.id, there, reach, history: rows instanceof Promise ? await rows : rows }
    const devices = reach === undefined ? there : reach.live
    if (devices.length === 0) return await this.#keepForAbsent(message, to)
    return await this.#deliverTo(devices, message, to)
  }

  /**
   * Commits a message that the server has taken in for its recipient, who may be there. Resolves with the devices that are to
   * have it now. `tried`: devices that were offered it a moment ago.
   */
  async takeIn(message: PagerMessage, options: DeliverOptions, tried: ReadonlySet<string>): Promise<readonly Device[]> {
    const recipient = await this.#needs.subscriberOf(message.recipient)
    if (recipient === undefined) throw new Failure('recipient-unknown')
    const settings = await this.#needs.settingsOf(recipient.id)
    checkAdmitted(settings, message, options)
    const there = await this.#needs.devicesOf(recipient.id)
    const medium = cameInChat(message.request) ? 'chat' : 'message'
    const reach = this.#reachOf(settings, message.recipient, medium, there)
    const devices = reach?.live ?? there
    const absent = permitted(without(await this.#needs.knownDevices(recipient.id), there), reach)
    const live = [...new Set(devices.map(({ device }) => device))]
    if (live.length === 0) checkWanted(absent, reach)
    const history = await this.#historyOf(message, recipient, settings, options)
    await this.#needs.kept.keepForAll(message, recipient.id, { live, absent, tried }, history, reach)
    this.#needs.counts.kept += 1
    return devices
  }

  /** A message in a session: `relay` brings it to the other party, whose answer it is; the histories have it as well. */
  async relayInSession(
    message: PagerMessage,
    sender: number | undefined,
    relay: () => Promise<MessageReply>,
    copies?: Copies,
  ): Promise<MessageReply> {
    const { headers, body } = message.request
    const storable = !carriesIsComposing(headers.get('content-type') ?? '', body)
    const storing = this.#store(await this.#historyInSession(message, { storable, sender }, copies))
    const reply = await relay()
    await storing
    if (reply.status < 300) this.#needs.counts.delivered += 1
    return reply
  }

  /** Commits what has been said in a session, as was decided for the session. */
  async storeInSession(message: PagerMessage, copies: Copies): Promise<void> {
    const recipient = await this.#needs.subscriberOf(message.recipient)
    await this.#store(historyBy(message, copies, recipient?.identities))
  }

  async #historyInSession(message: PagerMessage, options: DeliverOptions, copies: Copies | undefined) {
    const recipient = options.storable ? await this.#needs.subscriberOf(message.recipient) : undefined
    if (copies !== undefined) return options.storable ? historyBy(message, copies, recipient?.identities) : noHistory
    const settings = recipient && (await this.#needs.settingsOf(recipient.id))
    return await this.#historyOf(message, recipient, settings, options)
  }

  /** What the user says goes before what the operator does. */
  #reachOf(
    settings: Settings | undefined,
    contact: string,
    medium: Medium,
    there: readonly Device[],
  ): Reach | undefined {
    const reach = settings && reachOf(settings, contact, medium, there)
    if (this.#needs.policy.absent !== 'notify') return reach
    return reach === undefined ? toBeTold(there) : { ...reach, absent: reach.absent ?? 'notify' }
  }

  async #keepForAbsent(message: PagerMessage, { owner, there, reach, history }: Terminating): Promise<MessageReply> {
    const found = this.#needs.knownDevices(owner)
    const known = found instanceof Promise ? await found : found
    const absent = there.length === 0 && reach === undefined ? known : permitted(without(known, there), reach)
    checkWanted(absent, reach)
    await this.#needs.kept.keepForAbsent(message, owner, absent, history, reach)
    this.#needs.counts.kept += 1
    return accepted
  }

  /** Delivery and commit to the histories run side by side. */
  async #deliverTo(devices: readonly Device[], message: PagerMessage, to: Terminating): Promise<MessageReply> {
    const storing = this.#store(to.history)
    const delivery = new Delivery(this.#deliveryNeeds, message, matching(message.request, devices))
    const acceptance = await delivery.firstAcceptance(this.#needs.policy.deliverWithin)
    const stored = storing === undefined ? undefined : await storing
    const found = this.#absentDevices(to)
    const absent = found instanceof Promise ? await found : found
    if (acceptance === undefined) return await this.#keepUndelivered(message, to, delivery, absent, stored)
    const waiting = absent.length > 0 || (to.reach !== undefined && to.reach.held.length > 0)
    if (delivery.trying && !waiting) await delivery.settled(grace)
    if (waiting || !delivery.complete) await this.#keepForOthers(message, to, delivery, absent, stored)
    this.#needs.counts.delivered += 1
    return relayedAcceptance(acceptance)
  }

  /** Devices of the recipient that are known, and not there. */
  #absentDevices({ owner, there, reach }: Terminating): readonly string[] | Promise<readonly string[]> {
    if (this.#needs.policy.absent === 'discard' || reach?.absent === 'discard') return nobody
    const known = this.#needs.knownDevices(owner)
    if (known instanceof Promise) return known.then((all) => permitted(without(all, there), reach))
    return permitted(without(known, there), reach)
  }

  /** Devices are there, but none has accepted in time. */
  async #keepUndelivered(
    message: PagerMessage,
    { owner, reach }: Terminating,
    delivery: Delivery,
    absent: readonly string[],
    stored: boolean | undefined,
  ): Promise<MessageReply> {
    try {
      await this.#needs.kept.keepRest(message, owner, delivery, absent, stored, reach)
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
    { owner, reach }: Terminating,
    delivery: Delivery,
    absent: readonly string[],
    stored: boolean | undefined,
  ): Promise<void> {
    try {
      await this.#needs.kept.keepRest(message, owner, delivery, absent, stored, reach)
    } catch (error) {
      if (!isAbsent(error)) throw error
    }
  }

  /** To a user of another domain, whose server answers for them. */
  async #relay(message: PagerMessage, options: DeliverOptions, domain: string): Promise<MessageReply> {
    const rows = this.#historyOf(message, undefined, undefined, options)
    const storing = this.#store(rows instanceof Promise ? await rows : rows)
    const copy = message.toForeign(this.#needs.isTrustedPeer(domain))
    const { response, local } = await this.#needs.send(copy, { receivedUri: message.request.uri }).final
    await storing
    if (local) throw new Failure('unreachable', `${domain}: ${response.status} ${response.reason}`)
    this.#needs.counts.relayed += 1
    return relayedResponse(response)
  }

  /** Rows of recipient and sender, as each of them wants it. Of a message to oneself there is one. */
  #historyOf(
    message: PagerMessage,
    recipient: Subscriber | undefined,
    settings: Settings | undefined,
    { storable, sender }: DeliverOptions,
  ): History | Promise<History> {
    if (!storable) return noHistory
    const said = sender === undefined ? undefined : this.#needs.settingsOf(sender)
    if (said instanceof Promise)
      return said.then((senders) => this.#rows(message, recipient, settings, sender, senders))
    return this.#rows(message, recipient, settings, sender, said)
  }

  #rows(
    message: PagerMessage,
    recipient: Subscriber | undefined,
    settings: Settings | undefined,
    sender: number | undefined,
    senders: Settings | undefined,
  ): History {
    const { stores } = this.#needs
    const own = recipient !== undefined && stores(settings, asGot(message))
    const copy = sender !== undefined && sender !== recipient?.id && stores(senders, asSent(message, recipient))
    if (!own && !copy) return noHistory
    return historyBy(
      message,
      { recipient: own ? recipient.id : undefined, sender: copy ? sender : undefined },
      recipient?.identities,
    )
  }

  /** Whether the recipient's row is new; undefined: there is none. A failure is dealt with where it is awaited, which may be later than it comes. */
  #store({ own, copy }: History): Promise<boolean | undefined> | undefined {
    const message = own ?? copy
    if (message === undefined) return undefined
    const both = own !== undefined && copy !== undefined
    const commit = this.#needs.stored.store(both ? { message, copy, waiting: [] } : { message, waiting: [] })
    const storing = commit.then(({ isNew, full }) => (own === undefined || full ? undefined : isNew))
    storing.catch(() => {})
    return storing
  }
}

/** Where a message goes. */
interface Terminating {
  readonly owner: number
  /** All devices that are there. */
  readonly there: readonly Device[]
  /** Undefined: the recipient has not said anything. */
  readonly reach: Reach | undefined
  readonly history: History
}

/** For its recipient: nothing of a message says that its recipient asks for it. */
const asGot = ({ request, sender }: PagerMessage): Storable => ({
  peers: sender.subscriber?.identities ?? [sender.aor],
  medium: cameInChat(request) ? 'chat' : 'message',
  asked: false,
})

const asSent = ({ request, recipient }: PagerMessage, known: Subscriber | undefined): Storable => ({
  peers: known?.identities ?? [recipient],
  medium: cameInChat(request) ? 'chat' : 'message',
  asked: asksForStorage(request.headers),
})

/** Of a message to oneself there is one row. */
function historyBy(message: PagerMessage, { recipient, sender }: Copies, peers?: readonly string[]): History {
  const copied = sender !== recipient ? sender : undefined
  return {
    own: recipient === undefined ? undefined : storedMessage(message, recipient, 'in', true),
    copy: copied === undefined ? undefined : storedMessage(message, copied, 'out', true, peers),
  }
}

/** RFC 3261 §20.43: 399 is of no kind that has a code. */
const notStored = '399 parley "your mailbox is full: this message is not in it"'

const noHistory: History = { own: undefined, copy: undefined }
const nobody: readonly string[] = []
const isAbsent = (error: unknown): boolean => error instanceof Failure && error.condition === 'absent'

/** Devices that match Accept-Contact; all where none does, on purpose: better a device that can do less than none. */
function matching(request: SipRequest, devices: readonly Device[]): readonly Device[] {
  if (devices.length === 1 || !request.headers.has('accept-contact')) return devices
  const predicates = readAcceptContact(request.headers.all('accept-contact'))
  const chosen = preferred(predicates, devices, ({ features }) => features)
  return chosen.length === 0 ? devices : chosen
}

/** A notification tells of what the recipient has sent. */
function checkAdmitted(settings: Settings | undefined, { sender }: PagerMessage, { storable }: DeliverOptions): void {
  if (settings === undefined || settings.admits(sender, !storable)) return
  throw new Failure('forbidden', 'the recipient does not want messages of this sender')
}

/** Throws where no device is ever to have it. */
function checkWanted(absent: readonly string[], reach: Reach | undefined): void {
  if (reach === undefined || absent.length > 0 || reach.held.length > 0 || reach.mayHave('')) return
  throw new Failure('forbidden', 'the recipient does not want messages')
}

const permitted = (devices: readonly string[], reach: Reach | undefined): readonly string[] =>
  reach === undefined ? devices : devices.filter((device) => reach.mayHave(device))

function without(known: readonly string[], devices: readonly Device[]): readonly string[] {
  const absent = known.filter((name) => !devices.some(({ device }) => device === name))
  return absent.length === 0 ? nobody : absent
}
