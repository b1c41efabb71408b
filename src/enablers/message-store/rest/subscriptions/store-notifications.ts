import type { Database } from '../../../../database/index.ts'
import type { Mailboxes } from '../../mailbox/mailboxes.ts'
import type { NmsOperations } from '../nms-operation.ts'
import { Callbacks } from './callbacks.ts'
import { ChannelOperations } from './channel-operations.ts'
import { NmsSubscriptions } from './nms-subscriptions.ts'
import { NotificationChannels } from './notification-channels.ts'
import { NotificationSource } from './notification-source.ts'
import { Notifier } from './notifier.ts'
import { Polls } from './polls.ts'
import { isPublicAddress } from './reachable-address.ts'
import { SubscriptionOperations } from './subscription-operations.ts'

export interface StoreNotificationsNeeds {
  readonly database: Database
  readonly mailboxes: Pick<Mailboxes, 'changes' | 'state' | 'textsOf' | 'onChanged'>
  /** Addresses outside the public internet that callbacks may go to. */
  readonly permits: (address: string) => boolean
  /** Subscriptions, and channels, of one user. */
  readonly most: number
  /** Milliseconds. */
  readonly giveUpAfter: number
  readonly holdFor: number
  readonly log: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
  }
}

/** Milliseconds for a client to answer a notification. */
const answerWithin = 10_000
const channel = 'nms-subscriptions'

/** Tells clients of changes in their mailboxes: by callback, or when they poll. */
export class StoreNotifications {
  readonly operations: NmsOperations
  readonly #notifier: Notifier
  readonly #polls: Polls
  readonly #callbacks: Callbacks
  readonly #unsubscribe: readonly (() => void)[]

  constructor(needs: StoreNotificationsNeeds) {
    const { database, mailboxes } = needs
    const tell = (owner: number) => database.notifications.publish(channel, String(owner))
    const subscriptions = new NmsSubscriptions(database, needs.most)
    const channels = new NotificationChannels(database, needs.most)
    const source = new NotificationSource({ mailboxes, subscriptions })
    const permits = (address: string) => isPublicAddress(address) || needs.permits(address)
    this.#callbacks = new Callbacks({ permits, timeoutMs: answerWithin })
    this.#notifier = new Notifier({ ...needs, subscriptions, source, callbacks: this.#callbacks })
    this.#polls = new Polls({ subscriptions, source, holdFor: needs.holdFor, tell })
    const stateOf = (owner: number) => mailboxes.state(owner)
    const forSubscriptions = new SubscriptionOperations({
      ...{ subscriptions, channels, stateOf, tell },
      callbacks: this.#callbacks,
    })
    const forChannels = new ChannelOperations({ channels, polls: this.#polls })
    this.operations = { ...forSubscriptions, ...forChannels }
    this.#unsubscribe = [
      mailboxes.onChanged(this.#changed, this.#missed),
      database.notifications.subscribe(channel, (owner) => this.#changed(Number(owner)), this.#missed),
    ]
  }

  /** Since the start; polls: now. */
  get counts(): { readonly taken: number; readonly failed: number; readonly polls: number } {
    const { taken, failed } = this.#notifier
    return { taken, failed, polls: this.#polls.held }
  }

  start(): void {
    this.#notifier.start()
  }

  /** Polls that are held are answered now. */
  endPolls(): void {
    this.#polls.close()
  }

  async close(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#polls.close()
    await this.#notifier.close()
    this.#callbacks.close()
  }

  #changed = (owner: number): void => {
    this.#notifier.changed(owner)
    this.#polls.changed(owner)
  }

  #missed = (): void => {
    this.#notifier.tellAll()
    this.#polls.allChanged()
  }
}
