import { randomBytes } from 'node:crypto'
import type { Database } from '../../database/index.ts'
import { Failure } from '../../failure.ts'
import type { SipRequest } from '../../protocols/sip/message.ts'
import { ownCopy } from '../../protocols/sip/own-copy.ts'
import type { Sending, SipReply, Source, Target } from '../edge/sip-port.ts'
import { BackEndSubscription } from './back-end-subscription.ts'
import type { EventPackage, Watcher } from './event-package.ts'
import { Expiries } from './expiries.ts'
import { isPassing } from './is-passing.ts'
import { LiveSubscriptions, type Room } from './live-subscriptions.ts'
import { accepted, fieldsOf, isOf, type SubscribeService, takes } from './subscribe-dialog.ts'
import { readSubscribe, type SubscribeRequest } from './subscribe-request.ts'
import { type NotifyFailure, Subscription, type SubscriptionFields, type SubscriptionNeeds } from './subscription.ts'
import { type StoredSubscription, SubscriptionRows, type WatcherRow } from './subscription-rows.ts'

interface Log {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface SubscriptionsNeeds {
  readonly database: Database
  /** The life of this node. */
  readonly node: string
  readonly now: () => number
  readonly send: (request: SipRequest, target: Target) => Sending
  /** The URI at which the server is reached over a transport. */
  readonly ownUri: (transport: Source['transport']) => string
  readonly limits: Room & {
    readonly bodyBytes: number
    /** Seconds: who asks for less gets 423. */
    readonly minExpires: number
  }
  /** A NOTIFY was not taken, and the subscription is gone. */
  readonly onLost: (lost: Subscription, failure: NotifyFailure) => void
  readonly onBatch?: (size: number) => void
  readonly log: Log
}

const channel = 'subscriptions'
/** How long an expired row may stay. */
const sweepEvery = 600_000
const resumeAgainMs = 5_000

/** The notifier of every event package (RFC 6665): who is told, for how long, and what of it outlives this process. */
export class Subscriptions {
  readonly #needs: SubscriptionsNeeds
  readonly #rows: SubscriptionRows
  readonly #packages = new Map<string, EventPackage>()
  /** The same for all subscriptions of a package. */
  readonly #subscriptionNeeds = new Map<EventPackage, SubscriptionNeeds>()
  readonly #live: LiveSubscriptions<BackEndSubscription>
  readonly #expiries: Expiries<Subscription>
  readonly #unsubscribe: () => void
  readonly #sweep: NodeJS.Timeout
  #closing = false

  constructor(needs: SubscriptionsNeeds) {
    this.#needs = needs
    this.#rows = new SubscriptionRows(needs)
    this.#live = new LiveSubscriptions(needs.limits)
    this.#expiries = new Expiries(needs.now, (subscription) => subscription.end('timeout'))
    this.#unsubscribe = needs.database.notifications.subscribe(
      channel,
      (payload, own) => {
        if (!own) this.#heard(payload)
      },
      () => {},
    )
    this.#sweep = setInterval(() => this.#removeExpired(), sweepEvery)
    this.#sweep.unref()
  }

  /** Subscriptions of this node. */
  get inUse(): number {
    return this.#live.size
  }

  /** The most that there were. */
  get peak(): number {
    return this.#live.peak
  }

  get limit(): number {
    return this.#needs.limits.subscriptions
  }

  /** Allow-Events (RFC 6665 §8.2.2). */
  get packages(): readonly string[] {
    return [...this.#packages.keys()]
  }

  register(eventPackage: EventPackage): void {
    this.#packages.set(eventPackage.name, eventPackage)
  }

  async handleSubscribe(request: SubscribeService): Promise<SipReply> {
    const { bodyBytes, minExpires } = this.#needs.limits
    const asked = readSubscribe(request.message, bodyBytes)
    const eventPackage = this.#packages.get(asked.event.package)
    if (eventPackage === undefined) return { status: 489, headers: [['Allow-Events', this.packages.join(', ')]] }
    if (asked.expires !== undefined && asked.expires > 0 && asked.expires < minExpires)
      return { status: 423, headers: [['Min-Expires', String(minExpires)]] }
    if (asked.accept.length > 0 && !eventPackage.contentTypes.some((type) => takes(asked.accept, type)))
      return { status: 406, headers: [['Accept', eventPackage.contentTypes.join(', ')]] }
    const expires = Math.min(asked.expires ?? eventPackage.expires.usual, eventPackage.expires.max)
    return asked.localTag === undefined
      ? await this.#begin(request, asked, eventPackage, expires)
      : await this.#refresh(request, asked, asked.localTag, expires)
  }

  /** Everybody who watches the resource is told its newest state. Across nodes. */
  changed(eventPackage: string, resource: string): void {
    this.#needs.database.notifications.publish(channel, `${eventPackage} ${resource}`)
    this.changedHere(eventPackage, resource)
  }

  /** The same on this node alone: the others hear of the change in another way. */
  changedHere(eventPackage: string, resource: string): void {
    for (const notified of this.#live.watching(eventPackage, resource)) notified.notify()
  }

  /** What watchers of a resource may see has changed: the package is asked again about each. On this node. */
  authorisationChangedHere(eventPackage: string, resource: string): void {
    void this.#authoriseAgain([...this.#live.watching(eventPackage, resource)])
  }

  /** The lists of a subscriber have changed: the package is asked again about each subscription to one. On this node. */
  listsChangedHere(eventPackage: string, subscriber: string): void {
    const lists = [...this.#live.ofSubscriber(subscriber)].filter(
      (one) => one.package === eventPackage && this.#packages.get(eventPackage)?.members?.(one) !== undefined,
    )
    void this.#authoriseAgain(lists)
  }

  /** Watches inside this process, as `watcher` would over SIP. Who is refused hears of it when that changes. */
  async watch(eventPackage: EventPackage, watcher: Watcher, onChanged: () => void): Promise<BackEndSubscription> {
    let close = () => {}
    const inside = new BackEndSubscription(eventPackage, watcher, onChanged, () => close())
    close = this.#live.addInside(watcher.package, watcher.resource, inside)
    try {
      await inside.authorise()
    } catch (err) {
      inside.close()
      throw err
    }
    return inside
  }

  /** Who subscribes to a resource, itself or through a list, on all nodes. */
  of(eventPackage: string, resource: string): Promise<WatcherRow[]> {
    return this.#rows.of(eventPackage, resource)
  }

  /** Goes on with what a node that is gone has left. Resolves with true: nothing of it is left. */
  async takeOver(node: string): Promise<boolean> {
    for (const row of await this.#rows.takeOver(node)) this.#restore(row)
    return true
  }

  /** Rows stay: another life of this server, or another node, goes on. */
  async close(): Promise<void> {
    this.#closing = true
    this.#unsubscribe()
    clearInterval(this.#sweep)
    this.#expiries.close()
    for (const subscription of this.#live) subscription.drop()
    await this.#rows.close()
  }

  async #begin(
    request: SubscribeService,
    asked: SubscribeRequest,
    eventPackage: EventPackage,
    expires: number,
  ): Promise<SipReply> {
    if (request.recipient === '') throw new Failure('recipient-unknown')
    if (this.#closing) throw new Failure('overloaded', 'closing', { retryAfter: 30 })
    const give = this.#live.take(request.sender.aor)
    const localTag = randomBytes(8).toString('hex')
    const subscription = this.#newSubscription(
      eventPackage,
      fieldsOf(request, asked, {
        localTag,
        expiresAt: this.#needs.now() + expires * 1_000,
        contact: `<${this.#needs.ownUri(request.source.transport)}>`,
      }),
    )
    try {
      subscription.allow(await eventPackage.authorise(subscription))
      subscription.members = eventPackage.members?.(subscription) ?? []
      if (expires > 0) await this.#rows.put(subscription)
    } catch (err) {
      eventPackage.ended?.(subscription)
      throw err
    } finally {
      give()
    }
    this.#keep(subscription)
    this.#tellSoon(subscription, expires)
    this.#watchersChanged(subscription)
    return accepted(subscription, request.message, expires, localTag)
  }

  async #refresh(
    { message, source, sender }: SubscribeService,
    asked: SubscribeRequest,
    localTag: string,
    expires: number,
  ): Promise<SipReply> {
    const subscription = this.#live.ofDialog(asked.callId, localTag) ?? (await this.#claim(asked, localTag))
    if (subscription === undefined || !isOf(subscription, asked, sender)) return { status: 481 }
    const { dialog } = subscription
    // RFC 3261 §12.2.2: an older request that comes late.
    if (asked.cseq <= dialog.remoteSeq) return { status: 500, headers: [['Retry-After', '1']] }
    dialog.remoteSeq = asked.cseq
    if (dialog.remoteTarget !== asked.contact) dialog.remoteTarget = ownCopy(asked.contact)
    dialog.flow = source.flow
    if (asked.body !== undefined) subscription.body = asked.body
    if (expires > 0) await this.#authorise(subscription)
    if (subscription.state === 'terminated') return { status: 481 }
    subscription.expiresAt = this.#needs.now() + expires * 1_000
    this.#expiries.set(subscription, subscription.expiresAt)
    if (expires > 0) await this.#rows.update(subscription)
    this.#tellSoon(subscription, expires)
    return accepted(subscription, message, expires)
  }

  /** What may be seen, and of whom, can have changed. Throws what the package throws; a refusal ends the subscription. */
  async #authorise(subscription: Subscription): Promise<void> {
    const eventPackage = this.#packages.get(subscription.package)
    if (eventPackage === undefined) return
    const before = subscription.members
    try {
      const state = await eventPackage.authorise(subscription)
      subscription.members = eventPackage.members?.(subscription) ?? []
      if (subscription.allow(state) || !sameMembers(before, subscription.members)) this.#rewrite(subscription, before)
    } catch (err) {
      if (err instanceof Failure && !isPassing(err))
        subscription.end(err.condition === 'recipient-unknown' ? 'noresource' : 'rejected')
      throw err
    }
  }

  /** Its watched users are told once the row says so: that is where all nodes look. */
  #rewrite(subscription: Subscription, before: readonly string[] = []): void {
    this.#rows
      .update(subscription)
      .then(() => this.#watchersChanged(subscription, before))
      .catch((err) => this.#needs.log.warn({ err }, 'a subscription was not written again'))
  }

  /** Another node had it until now. */
  async #claim({ callId, remoteTag }: SubscribeRequest, localTag: string): Promise<Subscription | undefined> {
    const row = await this.#rows.claim({ callId, localTag, remoteTag })
    if (row === undefined) return undefined
    this.#needs.database.notifications.publish(channel, `claimed ${callId} ${localTag}`)
    return this.#live.ofDialog(callId, localTag) ?? this.#restore(row)
  }

  /** After the response, so that most clients know the dialog by then. */
  #tellSoon(subscription: Subscription, expires: number): void {
    setImmediate(() => {
      if (expires === 0) subscription.end('timeout')
      else subscription.notify(true)
    })
  }

  #newSubscription(eventPackage: EventPackage, fields: SubscriptionFields): Subscription {
    const known = this.#subscriptionNeeds.get(eventPackage) ?? this.#needsOf(eventPackage)
    this.#subscriptionNeeds.set(eventPackage, known)
    return new Subscription(known, fields)
  }

  #needsOf(eventPackage: EventPackage): SubscriptionNeeds {
    const { send, now, log } = this.#needs
    return {
      package: eventPackage,
      send,
      now,
      onOver: (over, failure) => this.#over(over, failure),
      onBug: (err) => log.error({ err, package: eventPackage.name }, 'a notification could not be made'),
    }
  }

  #restore(row: StoredSubscription): Subscription | undefined {
    const eventPackage = this.#packages.get(row.package)
    if (eventPackage === undefined || this.#closing) return undefined
    const subscription = this.#newSubscription(eventPackage, row)
    this.#keep(subscription)
    // What changed meanwhile nobody has told; each is served in its own time, so that all of them are no burst.
    const after = Math.random() * Math.min(60_000, this.#live.size * 5)
    setTimeout(() => void this.#resume(subscription), after).unref()
    return subscription
  }

  async #resume(subscription: Subscription): Promise<void> {
    if (this.#closing || !this.#live.has(subscription)) return
    if (await this.#authoriseAgain([subscription])) this.#rewrite(subscription)
    else setTimeout(() => void this.#resume(subscription), resumeAgainMs).unref()
  }

  #keep(subscription: Subscription): void {
    this.#live.add(subscription)
    this.#expiries.set(subscription, subscription.expiresAt)
  }

  /** False: it was forgotten before. */
  #forget(subscription: Subscription): boolean {
    if (!this.#live.delete(subscription)) return false
    this.#expiries.delete(subscription)
    this.#packages.get(subscription.package)?.ended?.(subscription)
    return true
  }

  #over(subscription: Subscription, failure: NotifyFailure | undefined): void {
    if (!this.#forget(subscription) || this.#closing) return
    const { log, onLost } = this.#needs
    const removed = this.#rows
      .remove(subscription.id)
      .then(() => this.#watchersChanged(subscription))
      .catch((err) => log.warn({ err }, 'a subscription that is over was not removed'))
    if (failure === undefined) return
    const { package: eventPackage, resource, subscriber } = subscription
    log.info(
      { event: eventPackage, resource, aor: subscriber, ...failure },
      'a NOTIFY failed, the subscription is gone',
    )
    if (subscription.state === 'terminated') return
    // Whoever is told subscribes again at once, and must not be taken for one that is still there.
    void removed.then(() => onLost(subscription, failure))
  }

  #watchersChanged({ package: eventPackage, resources }: Subscription, before: readonly string[] = []): void {
    const asked = this.#packages.get(eventPackage)
    for (const resource of new Set([...resources, ...before])) asked?.watched?.(resource)
  }

  /** False: some of them could not be asked about now. */
  async #authoriseAgain(all: readonly (Subscription | BackEndSubscription)[]): Promise<boolean> {
    let asked = true
    for (const one of all) {
      try {
        if (one instanceof Subscription) await this.#authorise(one)
        else await one.authorise()
      } catch (err) {
        if (!(err instanceof Failure)) this.#needs.log.error({ err }, 'a subscription was not authorised again')
        asked &&= err instanceof Failure && !isPassing(err)
      }
      one.notify()
    }
    return asked
  }

  #heard(payload: string): void {
    const [first = '', resource = '', more] = payload.split(' ')
    if (first === 'claimed') this.#claimedElsewhere(resource, more ?? '')
    else this.changedHere(first, resource)
  }

  #claimedElsewhere(callId: string, localTag: string): void {
    const subscription = this.#live.ofDialog(callId, localTag)
    if (subscription === undefined) return
    this.#forget(subscription)
    subscription.drop()
  }

  #removeExpired(): void {
    const before = this.#needs.now() - sweepEvery
    this.#rows.removeExpired(before).catch((err) => this.#needs.log.warn({ err }, 'expired subscriptions stay'))
  }
}

const sameMembers = (before: readonly string[], after: readonly string[]): boolean =>
  before.length === after.length && before.every((one, index) => one === after[index])
