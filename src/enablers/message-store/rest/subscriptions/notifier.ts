import { writeNms } from '../../../../protocols/nms/write-nms.ts'
import { mediaTypeOf } from '../negotiation.ts'
import { type CallbackAnswer, CallbackRefused, type Callbacks } from './callbacks.ts'
import type { NmsSubscription, NmsSubscriptions } from './nms-subscriptions.ts'
import type { Notification, NotificationSource } from './notification-source.ts'

export interface NotifierNeeds {
  readonly subscriptions: NmsSubscriptions
  readonly source: NotificationSource
  readonly callbacks: Pick<Callbacks, 'post'>
  /** Milliseconds without success after which a subscription ends. */
  readonly giveUpAfter: number
  readonly log: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
  }
}

/** Clients that are told at once. */
const mostUnderWay = 256
/** Where there are more, so long. */
const busyMs = 500
/** Changes come together for so long. */
const gatherMs = 5
/** What a node that is gone has left under way is found after so long, and its lease. */
const sweepMs = 2_000
/** Once in so many times all subscriptions are looked at, for what no node was told of. */
const sweepsToAll = 15
const firstRetryMs = 500
const longestRetryMs = 60_000
/** Nobody is there, nor will be: RFC 9110 §15.5.5, §15.5.11. */
const final: readonly number[] = [404, 410]

/**
 * Posts notifications to the clients' callback URLs (NMS §6.19): each subscription in order and one at a time, over all nodes;
 * what fails is tried again with growing pauses, until the subscription is given up.
 */
export class Notifier {
  /** Notifications that clients have taken, and attempts that came to nothing, since the start. */
  taken = 0
  failed = 0
  readonly #needs: NotifierNeeds
  readonly #changed = new Set<number>()
  /** Owners of subscriptions that are being told, and whether more has changed since. */
  readonly #telling = new Map<string, { readonly owner: number; again: boolean }>()
  readonly #work = new Set<Promise<void>>()
  readonly #retries = new Set<NodeJS.Timeout>()
  readonly #stopped = new AbortController()
  #gathering: NodeJS.Timeout | undefined
  #sweeper: NodeJS.Timeout | undefined
  #sweeps = 0

  constructor(needs: NotifierNeeds) {
    this.#needs = needs
  }

  start(): void {
    this.#sweeper = setInterval(() => this.#sweep(), sweepMs)
    this.#sweeper.unref()
  }

  /** Something in that mailbox, or in its subscriptions, is new. */
  changed(owner: number): void {
    for (const told of this.#telling.values()) if (told.owner === owner) told.again = true
    this.#changed.add(owner)
    this.#gatherLater()
  }

  /** Tells all who have something to be told. */
  tellAll(): void {
    this.#do(this.#claim(undefined))
  }

  /** Ends what is under way: whoever was not told is told by another node, or the next time. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper)
    clearTimeout(this.#gathering)
    for (const retry of this.#retries) clearTimeout(retry)
    this.#stopped.abort()
    while (this.#work.size > 0) await Promise.all(this.#work)
  }

  #sweep(): void {
    if (++this.#sweeps % sweepsToAll === 0) {
      this.#do(this.#needs.subscriptions.sweep())
      this.tellAll()
    } else this.#do(this.#tellPending())
  }

  #gatherLater(): void {
    if (this.#gathering !== undefined || this.#stopped.signal.aborted) return
    this.#gathering = setTimeout(() => {
      this.#gathering = undefined
      const owners = [...this.#changed]
      this.#changed.clear()
      this.#do(this.#claim(owners))
    }, gatherMs)
  }

  async #claim(owners: readonly number[] | undefined): Promise<void> {
    const free = mostUnderWay - this.#telling.size
    if (free <= 0) return this.#later(owners)
    const claimed = await this.#needs.subscriptions.claim(owners, free)
    for (const subscription of claimed) this.#do(this.#tell(subscription))
    if (claimed.length === free) this.#later(owners)
  }

  async #tellPending(): Promise<void> {
    const free = mostUnderWay - this.#telling.size
    if (free <= 0) return
    for (const subscription of await this.#needs.subscriptions.claimPending(free)) this.#do(this.#tell(subscription))
  }

  /** There are more than can be told at once. */
  #later(owners: readonly number[] | undefined): void {
    const retry = setTimeout(() => {
      this.#retries.delete(retry)
      if (owners === undefined) this.tellAll()
      else for (const owner of owners) this.changed(owner)
    }, busyMs)
    retry.unref()
    this.#retries.add(retry)
  }

  async #tell(leased: NmsSubscription): Promise<void> {
    const { owner, id } = leased
    const told = { owner, again: false }
    this.#telling.set(id, told)
    try {
      let subscription: NmsSubscription | undefined = leased
      while (subscription !== undefined && !this.#stopped.signal.aborted) {
        const notification = await this.#needs.source.next(subscription)
        subscription = notification && (await this.#deliver(notification))
      }
    } finally {
      await this.#needs.subscriptions.release(leased).catch(() => {}) // the lease ends by itself
      this.#telling.delete(id)
      if (told.again) this.changed(owner)
    }
  }

  /** Resolves with the subscription as it goes on; undefined where it does not, now. */
  async #deliver(notification: Notification): Promise<NmsSubscription | undefined> {
    const { subscription, at } = notification
    const answer = await this.#post(notification)
    const isTaken = answer !== undefined && answer !== 'refused' && answer.status >= 200 && answer.status < 300
    if (!isTaken) this.failed++
    if (answer === 'refused' || final.includes(answer?.status ?? 0)) return await this.#end(subscription, answer)
    if (isTaken) {
      this.taken++
      const advanced = await this.#needs.subscriptions.advance(subscription, at, true)
      return advanced ?? (await this.#needs.source.again(subscription))
    }
    if (this.#stopped.signal.aborted) return undefined
    if (subscription.failingFor >= this.#needs.giveUpAfter) return await this.#end(subscription, answer)
    await this.#postpone(subscription, answer)
    return undefined
  }

  async #post({ subscription, list }: Notification): Promise<CallbackAnswer | 'refused' | undefined> {
    const { notifyUrl: url, format } = subscription
    const callback = {
      url,
      type: `${mediaTypeOf[format]}; charset=utf-8`,
      body: writeNms(format, 'nmsEventList', list),
    }
    try {
      return await this.#needs.callbacks.post(callback, this.#stopped.signal)
    } catch (err) {
      return err instanceof CallbackRefused ? 'refused' : undefined
    }
  }

  async #postpone(subscription: NmsSubscription, answer: CallbackAnswer | undefined): Promise<void> {
    const growing = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(subscription.attempts, 20))
    const after = Math.max(growing, Math.min(longestRetryMs, 1000 * (answer?.retryAfter ?? 0)))
    await this.#needs.subscriptions.postpone(subscription, after)
    const retry = setTimeout(() => {
      this.#retries.delete(retry)
      this.changed(subscription.owner)
    }, after + gatherMs)
    retry.unref()
    this.#retries.add(retry)
  }

  async #end(
    { owner, id, notifyUrl }: NmsSubscription,
    answer: CallbackAnswer | 'refused' | undefined,
  ): Promise<undefined> {
    await this.#needs.subscriptions.remove(owner, id)
    const reason = answer === undefined ? 'no answer' : answer === 'refused' ? answer : answer.status
    this.#needs.log.info({ owner, subscription: id, notifyUrl, reason }, 'a client is told of changes no longer')
    return undefined
  }

  #do(work: Promise<void>): void {
    const guarded: Promise<void> = work
      .catch((err) => this.#needs.log.warn({ err }, 'clients are told of changes later'))
      .finally(() => this.#work.delete(guarded))
    this.#work.add(guarded)
  }
}
