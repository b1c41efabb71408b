import { Failure } from '../../failure.ts'
import type { Subscription } from './subscription.ts'

/** What is told of a change: a subscription, or a watcher inside this process. */
export interface Notified {
  notify(): void
}

export interface Room {
  readonly subscriptions: number
  readonly ofUser: number
  readonly members: number
}

/** The subscriptions of this node: by dialog, by what is watched, by who watches. */
export class LiveSubscriptions<Inside extends Notified> {
  readonly #room: Room
  /** By the tag that is ours, which is random. */
  readonly #byDialog = new Map<string, Subscription>()
  readonly #byResource = new Map<string, Set<Subscription | Inside>>()
  readonly #bySubscriber = new Map<string, Set<Subscription>>()
  /** Those that are being begun. */
  readonly #taken = new Map<string, number>()
  #coming = 0
  #inside = 0
  #peak = 0

  constructor(room: Room) {
    this.#room = room
  }

  get size(): number {
    return this.#byDialog.size
  }

  get peak(): number {
    return this.#peak
  }

  [Symbol.iterator](): Iterator<Subscription> {
    return this.#byDialog.values()
  }

  /** Keeps a place for one more until the returned function is called. Throws Failure where there is none. */
  take(subscriber: string): () => void {
    if (this.#byDialog.size + this.#coming >= this.#room.subscriptions)
      throw new Failure('overloaded', 'subscriptions', { retryAfter: 30 })
    const coming = this.#taken.get(subscriber) ?? 0
    if ((this.#bySubscriber.get(subscriber)?.size ?? 0) + coming >= this.#room.ofUser)
      throw new Failure('forbidden', 'too many subscriptions')
    this.#coming++
    this.#taken.set(subscriber, coming + 1)
    return () => this.#give(subscriber)
  }

  add(subscription: Subscription): void {
    this.#byDialog.set(subscription.dialog.localTag, subscription)
    this.#peak = Math.max(this.#peak, this.#byDialog.size)
    addTo(this.#bySubscriber, subscription.subscriber, subscription)
    addTo(this.#byResource, resourceKey(subscription.package, subscription.resource), subscription)
  }

  /** False: it was not there. */
  delete(subscription: Subscription): boolean {
    const { localTag } = subscription.dialog
    if (this.#byDialog.get(localTag) !== subscription) return false
    this.#byDialog.delete(localTag)
    removeFrom(this.#bySubscriber, subscription.subscriber, subscription)
    removeFrom(this.#byResource, resourceKey(subscription.package, subscription.resource), subscription)
    return true
  }

  has(subscription: Subscription): boolean {
    return this.ofDialog(subscription.dialog.callId, subscription.dialog.localTag) === subscription
  }

  /** Returns what takes it away again. Throws Failure where there are too many. */
  addInside(eventPackage: string, resource: string, inside: Inside): () => void {
    if (this.#inside >= this.#room.members) throw new Failure('overloaded', 'members of lists', { retryAfter: 30 })
    const key = resourceKey(eventPackage, resource)
    addTo(this.#byResource, key, inside)
    this.#inside++
    return () => {
      if (removeFrom(this.#byResource, key, inside)) this.#inside--
    }
  }

  ofDialog(callId: string, localTag: string): Subscription | undefined {
    const found = this.#byDialog.get(localTag)
    return found?.dialog.callId === callId ? found : undefined
  }

  watching(eventPackage: string, resource: string): Iterable<Subscription | Inside> {
    return this.#byResource.get(resourceKey(eventPackage, resource)) ?? []
  }

  ofSubscriber(subscriber: string): Iterable<Subscription> {
    return this.#bySubscriber.get(subscriber) ?? []
  }

  #give(subscriber: string): void {
    const left = (this.#taken.get(subscriber) ?? 1) - 1
    this.#coming--
    if (left > 0) this.#taken.set(subscriber, left)
    else this.#taken.delete(subscriber)
  }
}

function addTo<Thing>(sets: Map<string, Set<Thing>>, key: string, thing: Thing): void {
  const known = sets.get(key)
  if (known === undefined) sets.set(key, new Set([thing]))
  else known.add(thing)
}

function removeFrom<Thing>(sets: Map<string, Set<Thing>>, key: string, thing: Thing): boolean {
  const known = sets.get(key)
  const removed = known?.delete(thing) === true
  if (known?.size === 0) sets.delete(key)
  return removed
}

const resourceKey = (eventPackage: string, resource: string): string => `${eventPackage}\0${resource}`
