import { Failure } from '../../../../failure.ts'
import type { NmsSubscription, NmsSubscriptions } from './nms-subscriptions.ts'
import type { NotificationChannel } from './notification-channels.ts'
import type { Notification, NotificationSource } from './notification-source.ts'
import { Pause } from './pause.ts'

export interface PollsNeeds {
  readonly subscriptions: Pick<NmsSubscriptions, 'claimOfChannel' | 'advance' | 'release'>
  readonly source: Pick<NotificationSource, 'next'>
  /** Milliseconds that a poll is held where there is nothing to tell. */
  readonly holdFor: number
  /** Tells the other nodes, and this one through `changed`, that polls of that owner may go on. */
  readonly tell: (owner: number) => void
}

/** What a poll gets. */
export interface Polled {
  readonly notifications: readonly Notification[]
  /** Has to be called once: whether the client has got it. What it has not got is there for its next poll. */
  readonly sent: (whole: boolean) => Promise<void>
}

/** Each has a connection open; the rest of the server wants some as well. */
const mostPolls = 256
const mostOfUser = 8

/** Long polling of notification channels: a poll is held until there is something to tell, or its time is over. */
export class Polls {
  readonly #needs: PollsNeeds
  readonly #waiting = new Set<Pause>()
  #closed = false

  constructor(needs: PollsNeeds) {
    this.#needs = needs
  }

  /** Something in that mailbox, or in its subscriptions, is new. */
  changed(owner: number): void {
    for (const waiting of this.#waiting) if (waiting.owner === owner) waiting.wake()
  }

  /** Something may have been missed. */
  allChanged(): void {
    for (const waiting of this.#waiting) waiting.wake()
  }

  /** How many are held now. */
  get held(): number {
    return this.#waiting.size
  }

  /** A second poll of a channel ends the first: its client has gone, or is confused. Throws `overloaded`. */
  async poll(channel: NotificationChannel, signal: AbortSignal): Promise<Polled> {
    for (const waiting of this.#waiting) if (waiting.channel === channel.id) waiting.end()
    const ofUser = [...this.#waiting].filter(({ owner }) => owner === channel.owner).length
    if (this.#waiting.size >= mostPolls || ofUser >= mostOfUser) {
      throw new Failure('overloaded', 'too many polls', { retryAfter: 5 })
    }
    const until = performance.now() + this.#needs.holdFor
    for (;;) {
      const pause = this.#pause(channel, until, signal) // before looking: what comes from now on wakes it
      const polled = await this.#look(channel).catch((err) => {
        pause.end()
        throw err
      })
      if (polled.notifications.length > 0) pause.end()
      if (polled.notifications.length > 0 || (await pause.over)) return polled
    }
  }

  /** Polls that are held end with nothing. */
  close(): void {
    this.#closed = true
    for (const waiting of this.#waiting) waiting.end()
  }

  async #look({ owner, id, maxNotifications }: NotificationChannel): Promise<Polled> {
    const claimed = await this.#needs.subscriptions.claimOfChannel(owner, id)
    const notifications: Notification[] = []
    try {
      for (const subscription of claimed) {
        const next = notifications.length < maxNotifications ? await this.#needs.source.next(subscription) : undefined
        if (next === undefined) await this.#needs.subscriptions.release(subscription)
        else notifications.push(next)
      }
    } catch (err) {
      await this.#release(claimed)
      throw err
    }
    return { notifications, sent: (whole) => this.#sent(notifications, whole) }
  }

  async #sent(notifications: readonly Notification[], whole: boolean): Promise<void> {
    for (const { subscription, at } of notifications) {
      if (whole) await this.#needs.subscriptions.advance(subscription, at, true)
      await this.#needs.subscriptions.release(subscription)
      this.#needs.tell(subscription.owner)
    }
  }

  async #release(claimed: readonly NmsSubscription[]): Promise<void> {
    for (const one of claimed) await this.#needs.subscriptions.release(one).catch(() => {}) // leases end by themselves
  }

  #pause({ owner, id: channel }: NotificationChannel, until: number, signal: AbortSignal): Pause {
    const onOver = (over: Pause) => this.#waiting.delete(over)
    const pause = new Pause({ owner, channel, until, onOver }, signal)
    if (this.#closed) pause.end()
    else if (!pause.isOver) this.#waiting.add(pause)
    return pause
  }
}
