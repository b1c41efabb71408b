import { Failure } from '../../failure.ts'
import type { DeferredKey, DeferredMessages } from './deferred-messages.ts'
import type { Attempt, Delivery } from './delivery.ts'
import type { Log } from './needs.ts'
import type { PagerMessage } from './pager-message.ts'
import { backOff, expiryOf, type Policy } from './policy.ts'
import type { Reach } from './reach.ts'
import { type StoredMessage, type StoredMessages, storedMessage, type WaitingFor } from './stored-messages.ts'
import { toFetch } from './to-fetch.ts'

interface Needs {
  readonly now: () => number
  readonly random: () => number
  readonly policy: Policy
  readonly stored: StoredMessages
  readonly queue: DeferredMessages
  /** Something waits for this owner, whose devices may have come meanwhile. */
  readonly kept: (owner: number) => void
  readonly deliveredLate: () => void
  readonly log: Log
}

/** The lease of a device that has not answered yet: as long as its transaction may take (timer F, 32 s). */
const liveLease = 40_000

/** The rows of a message in histories. */
export interface History {
  /** The recipient's. */
  readonly own: StoredMessage | undefined
  /** The sender's. */
  readonly copy: StoredMessage | undefined
}

/** The devices of a recipient. */
export interface Recipients {
  readonly live: readonly string[]
  /** Known, and not there. */
  readonly absent: readonly string[]
  /** Of those that are there: who has not taken it a moment ago. */
  readonly tried: ReadonlySet<string>
}

interface LateAnswer {
  readonly message: PagerMessage
  readonly owner: number
  readonly device: string
  /** Nobody else had accepted: the row of whoever registers first goes as well. */
  readonly first: boolean
  readonly accepted: boolean
  readonly gone: boolean
  readonly expiresAt: number
}

/** Commits messages for devices that have not accepted them, before their sender is answered (design §4). */
export class KeptMessages {
  readonly #needs: Needs
  /** Deliveries whose sender has been answered, and some device has not. */
  readonly #late = new Set<Delivery>()
  readonly #settling = new Set<Promise<void>>()
  #closing = false

  constructor(needs: Needs) {
    this.#needs = needs
  }

  /** Nobody is there, or nobody who is to have it now (`reach`). */
  async keepForAbsent(
    message: PagerMessage,
    owner: number,
    known: readonly string[],
    history: History,
    reach: Reach | undefined,
  ): Promise<void> {
    const expiresAt = this.#expiryOf(message, true, reach)
    await this.#commitForAll(message, owner, waitingForRegistration(known, true, expiresAt, reach), history, reach)
  }

  async #commitForAll(
    message: PagerMessage,
    owner: number,
    waiting: readonly WaitingFor[],
    history: History,
    reach: Reach | undefined,
  ): Promise<void> {
    const { own = storedMessage(message, owner, 'in', isFetched(reach)), copy } = history
    const isNew = await this.#needs.stored.commit(
      copy === undefined ? { message: own, waiting } : { message: own, copy, waiting },
    )
    if (!isNew && own.stored) await this.#needs.queue.add(owner, message, waiting, true)
    this.#needs.kept(owner)
  }

  /** The server has taken it in for all devices of its recipient: those that are there (`live`) are to have it at once. */
  async keepForAll(
    message: PagerMessage,
    owner: number,
    devices: Recipients,
    history: History,
    reach: Reach | undefined,
  ) {
    const expiresAt = this.#expiryOf(message, true, reach)
    const { live, absent, tried } = devices
    const waiting = [
      ...live.map((device) => ({ device, ...this.#nextFor(tried.has(device), expiresAt), expiresAt })),
      ...waitingForRegistration(absent, true, expiresAt, reach),
    ]
    await this.#commitForAll(message, owner, waiting, history, reach)
  }

  /**
   * Keeps what a delivery has not brought to a device, and for `absent` ones. `stored`: undefined for a message that is
   * no part of a history, else whether its row is new.
   */
  async keepRest(
    message: PagerMessage,
    owner: number,
    delivery: Delivery,
    absent: readonly string[],
    stored: boolean | undefined,
    reach?: Reach,
  ): Promise<void> {
    const first = !delivery.accepted
    const expiresAt = this.#expiryOf(message, first, reach)
    const open = delivery.attempts.filter(({ state }) => state !== 'accepted')
    const trying = new Set(open.filter(({ state }) => state === 'trying'))
    const waiting = [
      ...open.map((attempt) => this.#waitingFor(attempt, expiresAt)),
      ...waitingForRegistration(absent, first, expiresAt, reach),
    ]
    if (delivery.trying) this.#late.add(delivery)
    try {
      await this.#commit(message, owner, waiting, stored, first && isFetched(reach))
    } finally {
      this.#late.delete(delivery)
    }
    const answered = ({ device, state, gone }: Attempt) =>
      this.#answeredLate({ message, owner, device, first, accepted: state === 'accepted', gone, expiresAt })
    for (const attempt of trying) if (attempt.state !== 'trying') answered(attempt)
    if (delivery.trying) this.#follow(delivery, answered)
    if (first) this.#needs.kept(owner)
  }

  /** A device is back. Resolves when what it had not answered is ready to be claimed for it. */
  async deviceRegistered(owner: number, device: string): Promise<void> {
    for (const delivery of this.#late) delivery.abandonDevice(owner, device)
    await new Promise((resolve) => setImmediate(resolve)) // the answer of what was abandoned comes with a promise
    await Promise.all(this.#settling)
  }

  /** Gives up what still waits for an answer; its rows stay for later. */
  async close(): Promise<void> {
    this.#closing = true
    for (const delivery of this.#late) delivery.abandon()
    while (this.#late.size > 0 || this.#settling.size > 0) {
      await Promise.all(this.#settling)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** When a message is given up. Throws `absent` where it is not kept at all. */
  #expiryOf({ request, arrived }: PagerMessage, nobodyAccepted: boolean, reach: Reach | undefined): number {
    const { policy, now } = this.#needs
    const expiresAt = expiryOf(request.headers.get('expires'), arrived / 1000, policy)
    const discarded = policy.absent === 'discard' || reach?.absent === 'discard'
    if ((nobodyAccepted && discarded) || expiresAt <= now()) throw new Failure('absent')
    return expiresAt
  }

  async #commit(
    message: PagerMessage,
    owner: number,
    waiting: readonly WaitingFor[],
    stored: boolean | undefined,
    fetched: boolean,
  ): Promise<void> {
    if (stored !== undefined) return await this.#needs.queue.add(owner, message, waiting, !stored)
    await this.#needs.stored.commit({ message: storedMessage(message, owner, 'in', fetched), waiting })
  }

  #follow(delivery: Delivery, answered: (attempt: Attempt) => void): void {
    this.#late.add(delivery)
    delivery.follow((attempt) => {
      if (!delivery.trying) this.#late.delete(delivery)
      answered(attempt)
    })
    if (this.#closing) delivery.abandon()
  }

  #waitingFor({ device, state, gone }: Attempt, expiresAt: number): WaitingFor {
    if (gone) return untilRegistration(device, expiresAt)
    if (state === 'trying') {
      const leasedUntil = this.#needs.now() + liveLease
      return { device, attempts: 0, nextAt: leasedUntil, leasedUntil, expiresAt }
    }
    return { device, attempts: 1, nextAt: Math.min(this.#nextAttempt(), expiresAt), expiresAt }
  }

  /** What has just failed is not tried again at once. */
  #nextFor(tried: boolean, expiresAt: number): { readonly attempts: number; readonly nextAt: number } {
    if (tried) return { attempts: 1, nextAt: Math.min(this.#nextAttempt(), expiresAt) }
    return { attempts: 0, nextAt: this.#needs.now() }
  }

  #answeredLate({ message, owner, device, first, accepted, gone, expiresAt }: LateAnswer): void {
    const { queue, now, deliveredLate } = this.#needs
    const key: DeferredKey = { owner, device, arrived: message.arrived, message: message.id }
    if (accepted) {
      deliveredLate()
      this.#later(queue.settle(first ? [key, { ...key, device: '' }, { ...key, device: toFetch }] : [key]))
      return
    }
    const attempted = !gone && !this.#closing
    const nextAt = gone ? expiresAt : attempted ? this.#nextAttempt() : now()
    this.#later(queue.release([{ key, nextAt, attempted }]))
  }

  #nextAttempt(): number {
    const { now, policy, random } = this.#needs
    return now() + backOff(1, policy.retry, random())
  }

  /** Should this fail, the lease ends by itself and the sweep comes back to it. */
  #later(work: Promise<void>): void {
    const settled = work
      .catch((err) => this.#needs.log.warn({ part: 'message', err }, 'a late answer was not recorded'))
      .finally(() => this.#settling.delete(settled))
    this.#settling.add(settled)
  }
}

/**
 * Devices that get it when they register. `anybody`: one that is not known yet as well. Those that are there and are made
 * to wait (`reach.held`) have it as after an attempt, so that nothing but their registration brings it to them.
 */
function waitingForRegistration(
  absent: readonly string[],
  anybody: boolean,
  expiresAt: number,
  reach: Reach | undefined,
): readonly WaitingFor[] {
  if (anybody && isFetched(reach)) return [untilRegistration(toFetch, expiresAt)]
  const devices = anybody && reach?.mayHave('') !== false ? [...absent, ''] : absent
  const waiting = devices.map((device) => untilRegistration(device, expiresAt))
  if (reach === undefined || reach.held.length === 0) return waiting
  const held = reach.held.map((device) => untilRegistration(device, expiresAt))
  return [...waiting.filter(({ device }) => !reach.held.includes(device)), ...held].map((one) =>
    one.device === '' || reach.held.includes(one.device) ? { ...one, attempts: 1 } : one,
  )
}

/** Who is told of it can find it in the history only. */
const isFetched = (reach: Reach | undefined): boolean => reach?.absent === 'notify'

const untilRegistration = (device: string, expiresAt: number): WaitingFor => ({
  device,
  attempts: 0,
  nextAt: expiresAt,
  expiresAt,
})
