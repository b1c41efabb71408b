import { Failure } from '../../../../failure.ts'
import type { Structure } from '../../../../protocols/nms/structures.ts'
import type { Mailboxes } from '../../mailbox/mailboxes.ts'
import { type Filter, passes, readsText } from './event-filter.ts'
import { type Event, eventsIn, nmsEvent } from './events.ts'
import { factsOf } from './facts.ts'
import type { NmsSubscription, NmsSubscriptions } from './nms-subscriptions.ts'
import { type Point, writePoint } from './restart-token.ts'

export interface SourceNeeds {
  readonly mailboxes: Pick<Mailboxes, 'changes' | 'state' | 'textsOf'>
  readonly subscriptions: Pick<NmsSubscriptions, 'begin' | 'advance' | 'find'>
}

/** A notification that is to go out now. */
export interface Notification {
  /** As it stands while it is under way. */
  readonly subscription: NmsSubscription
  readonly list: Structure<'NmsEventList'>
  /** Where the client is once it has it. */
  readonly at: Point
}

interface News {
  readonly events: readonly Structure<'NmsEvent'>[]
  readonly at: Point
  readonly isReset: boolean
}

/** Changes in one notification. */
const mostEvents = 100

/**
 * Makes notifications of what is in the mailbox, when they go out: none is kept. One that is sent again under its index tells
 * of nothing that came later, so that a client may ignore an index it has seen.
 */
export class NotificationSource {
  readonly #needs: SourceNeeds

  constructor(needs: SourceNeeds) {
    this.#needs = needs
  }

  /** The next one of a leased subscription; undefined where there is nothing to tell, or nobody to be told. */
  async next(leased: NmsSubscription): Promise<Notification | undefined> {
    let subscription: NmsSubscription | undefined = leased
    while (subscription !== undefined) {
      const news = await this.#news(subscription)
      if (news === undefined) return undefined
      if (news.events.length === 0 && subscription.pending === undefined) {
        const advanced = await this.#needs.subscriptions.advance(subscription, news.at, false)
        subscription = advanced ?? (await this.again(subscription))
        continue
      }
      const begun = await this.#needs.subscriptions.begin(subscription, news.at.modseq, indexFor(subscription, news))
      if (begun !== undefined) return { subscription: begun, at: news.at, list: listOf(begun, news) }
      subscription = await this.again(subscription)
    }
    return undefined
  }

  /** After its client has changed it, as it is now. */
  async again({ owner, id, lease }: NmsSubscription): Promise<NmsSubscription | undefined> {
    const found = await this.#needs.subscriptions.find(owner, id)
    return found?.lease === lease ? found : undefined
  }

  async #news(subscription: NmsSubscription): Promise<News | undefined> {
    const { owner, at, pending, filter, base } = subscription
    try {
      const { epoch, modseq } = at
      const changes = await this.#needs.mailboxes.changes(owner, modseq, mostEvents, { epoch })
      const upTo = pending ?? changes.upTo
      if (upTo === modseq && pending === undefined) return undefined
      const events = eventsIn(changes).filter((event) => event.modseq <= upTo)
      const passed = filter === undefined ? events : await this.#filtered(subscription, filter, events)
      return { events: passed.map((event) => nmsEvent(event, base)), at: { epoch, modseq: upTo }, isReset: false }
    } catch (err) {
      if (!(err instanceof Failure) || err.condition !== 'cursor-gone') throw err
      const { epoch, modseq } = await this.#needs.mailboxes.state(owner)
      return { events: [{ resetBox: {} }], at: { epoch, modseq }, isReset: true }
    }
  }

  async #filtered(subscription: NmsSubscription, filter: Filter, events: readonly Event[]): Promise<Event[]> {
    const ids = events.filter(({ kind }) => kind === 'object').map(({ of }) => of.id)
    const texts =
      readsText(filter) && ids.length > 0 ? await this.#needs.mailboxes.textsOf(subscription.owner, ids) : none
    return events.filter((event) => passes(filter, factsOf(event, subscription, texts.get(event.of.id) ?? '')))
  }
}

const none: ReadonlyMap<string, string> = new Map()

/** A reset is news even to who has seen this index. */
const indexFor = ({ index, pending }: NmsSubscription, { isReset }: News): number =>
  isReset && pending !== undefined ? index + 1 : index

function listOf({ index, callbackData, base, id }: NmsSubscription, { events, at }: News): Structure<'NmsEventList'> {
  return {
    nmsEvent: events,
    ...(callbackData !== undefined && { callbackData }),
    index,
    restartToken: writePoint(at),
    link: [{ rel: 'NmsSubscription', href: `${base}/subscriptions/${id}` }],
  }
}
