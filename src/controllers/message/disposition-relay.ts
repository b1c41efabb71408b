import type { Imdn } from '../../protocols/imdn/imdn.ts'
import { mediaType } from '../../protocols/mime/content-type.ts'
import { rankOf, readDispositions } from './disposition-notification.ts'
import { DispositionStates } from './disposition-states.ts'
import { firstRowId, lastRowId } from './message-id.ts'
import type { Needs } from './needs.ts'
import { type PagerMessage, senderKey } from './pager-message.ts'
import type { MessageReply } from './reply.ts'
import type { StoredMessages } from './stored-messages.ts'
import type { TerminatingFunction } from './terminating-function.ts'

interface DispositionNeeds extends Pick<Needs, 'subscriberOf' | 'settingsOf' | 'mayStore' | 'policy'> {
  readonly stored: StoredMessages
  readonly terminating: TerminatingFunction
  readonly absorbed: () => void
}

/** Sessions in which a sender may be told. */
export interface NotifiedSessions {
  /** False: there is no session with them that takes it. */
  notify(notification: SessionNotification): boolean | Promise<boolean>
}

export interface SessionNotification {
  /** Who notifies. */
  readonly from: string
  /** Who has sent the message. */
  readonly to: string
  readonly messageId: string
  readonly contentType: string
  readonly body: Buffer
}

/** A message whose state a notification moved forward, and what it was before. */
interface Moved {
  readonly key: string
  readonly before: number
}

const recentStates = 50_000
const absorbed: MessageReply = { status: 200 }
const passed: MessageReply = { status: 200 }

/**
 * Notifications on their way to the sender of a message (RFC 5438). With several devices that sender sees one
 * `delivered` and one `displayed` of each recipient. One about a message that nobody knows is passed on.
 */
export class DispositionRelay {
  readonly #needs: DispositionNeeds
  readonly #states = new DispositionStates(recentStates)

  #sessions: NotifiedSessions | undefined

  constructor(needs: DispositionNeeds) {
    this.#needs = needs
  }

  notifyIn(sessions: NotifiedSessions): void {
    this.#sessions = sessions
  }

  /**
   * `inSession`: brings it to the other party of the session that it came in; without it, it goes to the sender's devices.
   * `kept`: what it is about is part of a history, whatever the settings of its users say.
   */
  async relay(
    notification: PagerMessage,
    inSession?: () => Promise<MessageReply>,
    kept = false,
  ): Promise<MessageReply> {
    const told = readDispositions(notification.request)
    const found = this.#needs.subscriberOf(notification.recipient)
    const recipient = found instanceof Promise ? await found : found
    // The recipient of the notification is who sent the message.
    const sender = recipient?.identities[0] ?? notification.recipient
    const moved = this.#moveForward(told, sender, senderKey(notification.sender))
    try {
      if (told.length > 0 && moved.length === 0) return this.#absorb()
      if (!(await this.#isNews(notification, told, sender, recipient?.id, kept))) return this.#absorb()
      if (inSession !== undefined) return await inSession()
      if (await this.#toldInSession(notification, sender)) return passed
      return await this.#needs.terminating.deliver(notification, { storable: false, sender: undefined })
    } catch (error) {
      for (const { key, before } of moved) this.#states.set(key, before)
      throw error
    }
  }

  /** Only CPIM goes there, as it tells whom a notification is from. */
  async #toldInSession({ request, sender: notifier }: PagerMessage, to: string): Promise<boolean> {
    const contentType = request.headers.get('content-type') ?? ''
    if (this.#sessions === undefined || mediaType(contentType) !== 'message/cpim') return false
    if (request.headers.has('content-encoding')) return false
    const messageId = request.headers.get('call-id') ?? ''
    return await this.#sessions.notify({ from: senderKey(notifier), to, messageId, contentType, body: request.body })
  }

  #absorb(): MessageReply {
    this.#needs.absorbed()
    return absorbed
  }

  #moveForward(told: readonly Imdn[], sender: string, notifier: string): Moved[] {
    const moved: Moved[] = []
    for (const { messageId, disposition } of told) {
      const key = `${sender}\n${messageId}\n${notifier}`
      const before = this.#states.advance(key, rankOf(disposition))
      if (before !== undefined) moved.push({ key, before })
    }
    return moved
  }

  /** Whether one of these users has a history. */
  async #stores(owners: readonly number[]): Promise<boolean> {
    const settings = await Promise.all(owners.map((owner) => this.#needs.settingsOf(owner)))
    const { mayStore, policy } = this.#needs
    return settings.some((one) => mayStore(one) || (one?.absent ?? policy.absent) === 'notify')
  }

  /** Moves stored rows forward. False when another node knew all of it, or this one before it was started. */
  async #isNews(
    notification: PagerMessage,
    told: readonly Imdn[],
    sender: string,
    senderId: number | undefined,
    kept: boolean,
  ): Promise<boolean> {
    const notifier = notification.sender.subscriber?.id
    const owners = [senderId, notifier].filter((id) => id !== undefined)
    if (told.length === 0 || !(kept || (await this.#stores(owners)))) return true
    const news = told.map(async ({ messageId, disposition }) => {
      const ids = { firstId: firstRowId(sender, messageId), lastId: lastRowId(sender, messageId) }
      const reader = disposition.kind === 'display' && disposition.status === 'displayed' ? notifier : undefined
      const state = { owners, ...ids, disposition: rankOf(disposition) }
      const rows = await this.#needs.stored.advance({ ...state, ...(reader !== undefined && { reader }) })
      // The notifier's own row tells: that of the sender may be of a message to many.
      return rows.find(({ owner }) => owner === notifier)?.advanced ?? true
    })
    return (await Promise.all(news)).includes(true)
  }
}
