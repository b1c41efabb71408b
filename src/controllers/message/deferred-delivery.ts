import { Failure } from '../../failure.ts'
import { Headers } from '../../protocols/sip/headers.ts'
import { type SipRequest, SipResponse } from '../../protocols/sip/message.ts'
import type { Claimed, ClaimOptions, DeferredKey, DueDevice, Expired, Release } from './deferred-messages.ts'
import type { Device } from './device.ts'
import { isAcceptance, isAway, isBindingGone } from './device-answer.ts'
import { Gate } from './gate.ts'
import { readKept } from './kept-request.ts'
import { LateDelivery, type LateDeliveryNeeds, type Outcome } from './late-delivery.ts'
import type { Reception } from './needs.ts'
import { backOff, type Policy } from './policy.ts'
import { cameInSession } from './session-message.ts'
import { isNobodys, toFetch } from './to-fetch.ts'

export interface DeferredDeliveryNeeds {
  readonly now: () => number
  readonly random: () => number
  readonly policy: Policy
  readonly devicesOf: (owner: number) => readonly Device[] | Promise<readonly Device[]>
  readonly send: LateDeliveryNeeds['send']
  readonly overSession: LateDeliveryNeeds['overSession']
  readonly bindingGone: (device: Device) => void
  /** What a user has set of such messages for that device. */
  readonly receptionOf: (kept: SipRequest, device: Device) => Reception | Promise<Reception>
  /** A message that nobody has accepted in its time: told to its sender, if that was asked for. */
  readonly expired: (request: SipRequest, peer: string, message: string) => Promise<void>
  /** What nobody fetched in its time goes from where it was to be found. */
  readonly goneUnfetched: (owner: number, request: SipRequest, peer: string, message: string) => Promise<void>
  readonly delivered: () => void
  /** Of what a user is to fetch they may have to be told. */
  readonly tell: (owner: number) => Promise<void>
  readonly queue: Queue
  readonly removeLeftOver: () => Promise<void>
  readonly log: { warn(fields: object, message: string): void }
}

/** What this class calls of `DeferredMessages`. */
interface Queue {
  claim(options: ClaimOptions): Promise<Claimed[]>
  requestOf(owner: number, message: string): Promise<Buffer | undefined>
  extend(keys: readonly DeferredKey[], until: number): Promise<void>
  devicesWaiting(owner: number, message: string): Promise<string[]>
  settle(keys: readonly DeferredKey[]): Promise<void>
  release(releases: readonly Release[]): Promise<void>
  due(now: number, limit: number): Promise<DueDevice[]>
  postpone(owner: number, device: string, now: number): Promise<void>
  claimExpired(now: number, until: number, limit: number): Promise<Expired[]>
  endLeases(): Promise<void>
  takeLeftOver(): boolean
}

/** Longer than a transaction (timer F, 32 s) and what it takes to begin one. */
export const lease = 45_000
/** A batch begins no transaction that could outlive its lease. */
const usableLease = lease - 34_000
const whenever = Date.UTC(9999, 0)
const firstBatch = 8
const batch = 64
const mostAtOnce = 256
/** Large messages in memory, on their way to devices. */
const mostLarge = 12
const mostDue = 256
const sweepInterval = 1000
/** Other nodes learn of a registration by a notification, which may come after a message was kept as for an absent user. */
const recheckAfter = 2000
const mostRechecks = 100_000

interface Drain {
  /** The newest binding: a device may register again while it is served. */
  device: Device
  dueBy: number
  again: boolean
}

/** Delivers what waits: oldest first, one at a time for a device, many devices at once. */
export class DeferredDelivery {
  readonly #needs: DeferredDeliveryNeeds
  /** By device; those beyond `mostAtOnce` wait in order. */
  readonly #drains = new Map<string, Drain>()
  readonly #queued: string[] = []
  readonly #rechecks = new Map<number, number>()
  readonly #late: LateDelivery
  readonly #large = new Gate(mostLarge)
  #running = 0
  #closing = false
  #timer: NodeJS.Timeout | undefined
  #sweeping: Promise<void> | undefined
  #idle: (() => void) | undefined

  constructor(needs: DeferredDeliveryNeeds) {
    this.#needs = needs
    this.#late = new LateDelivery({ ...needs, maxBytes: needs.policy.maxBytes })
  }

  /** Devices that are being served, or wait to be. */
  get depth(): number {
    return this.#drains.size
  }

  async start(): Promise<void> {
    if (this.#needs.policy.alone) await this.#needs.queue.endLeases()
    await this.#needs.removeLeftOver()
    this.#timer = setInterval(() => {
      if (this.#sweeping === undefined) void this.sweep()
    }, sweepInterval)
    this.#timer.unref()
    void this.sweep()
  }

  /** A device has registered: it gets all that waits for it, also what is not due for another attempt. */
  deviceRegistered(device: Device): void {
    this.#wake(device, whenever)
  }

  /** Something was kept for a device that is there: it gets what is due. */
  wake(device: Device): void {
    this.#wake(device, this.#needs.now())
  }

  /** A message was kept for somebody who was not there a moment ago. */
  kept(owner: number): void {
    if (this.#rechecks.size < mostRechecks) this.#rechecks.set(owner, this.#needs.now() + recheckAfter)
  }

  /** Next attempts, leases whose holder is gone, expiry. One at a time; one that was begun earlier may have missed what is due now. */
  async sweep(): Promise<void> {
    await this.#sweeping
    this.#sweeping ??= this.#sweep()
      .catch((error) => this.#warn(error, 'the sweep of deferred messages stopped'))
      .finally(() => {
        this.#sweeping = undefined
      })
    return this.#sweeping
  }

  async close(): Promise<void> {
    this.#closing = true
    clearInterval(this.#timer)
    for (const key of this.#queued.splice(0)) this.#drains.delete(key)
    this.#large.close()
    this.#late.abandon()
    await this.#sweeping
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
  }

  async #sweep(): Promise<void> {
    if (this.#closing) return
    await this.#recheck()
    await this.#expire()
    const now = this.#needs.now()
    const due = await this.#needs.queue.due(now, mostDue)
    for (const { owner, device } of due) await this.#attempt(owner, device, now)
    if (this.#needs.queue.takeLeftOver()) await this.#needs.removeLeftOver()
  }

  async #recheck(): Promise<void> {
    const now = this.#needs.now()
    for (const [owner, at] of this.#rechecks) {
      if (at > now || this.#closing) return
      this.#rechecks.delete(owner)
      await this.#needs.tell(owner)
      const devices = this.#needs.devicesOf(owner)
      for (const device of devices instanceof Promise ? await devices : devices) this.#wake(device, now)
    }
  }

  async #attempt(owner: number, device: string, now: number): Promise<void> {
    if (device === toFetch) {
      await this.#needs.queue.postpone(owner, device, now)
      return await this.#needs.tell(owner)
    }
    const devices = await this.#needs.devicesOf(owner)
    const live = device === '' ? devices : devices.filter((binding) => binding.device === device)
    if (live.length === 0) await this.#needs.queue.postpone(owner, device, now)
    for (const binding of live) this.#wake(binding, now)
  }

  async #expire(): Promise<void> {
    for (let found = batch; found === batch && !this.#closing; ) {
      const now = this.#needs.now()
      const expired = await this.#needs.queue.claimExpired(now, now + lease, batch)
      found = expired.length
      for (const row of expired) await this.#giveUp(row)
    }
  }

  /** The notification first: should this process end between the two, it is sent again, and not lost. */
  async #giveUp(row: Expired): Promise<void> {
    const bytes =
      row.request ?? (isNobodys(row.device) ? await this.#needs.queue.requestOf(row.owner, row.message) : null)
    const request = bytes ? readKept(bytes) : undefined
    try {
      if (request !== undefined) await this.#needs.expired(request, row.peer, row.message)
    } catch (error) {
      if (!(error instanceof Failure) || error.condition === 'database-unavailable') throw error
    }
    await this.#needs.queue.settle([row])
    if (row.device === toFetch && request) await this.#needs.goneUnfetched(row.owner, request, row.peer, row.message)
  }

  #wake(device: Device, dueBy: number): void {
    if (this.#closing) return
    const key = `${device.owner} ${device.device}`
    const known = this.#drains.get(key)
    if (known !== undefined) {
      known.device = device
      known.dueBy = Math.max(known.dueBy, dueBy)
      known.again = true
      return
    }
    this.#drains.set(key, { device, dueBy, again: false })
    if (this.#running < mostAtOnce) void this.#run(key)
    else this.#queued.push(key)
  }

  async #run(key: string): Promise<void> {
    const drain = this.#drains.get(key) as Drain
    this.#running += 1
    try {
      do {
        drain.again = false
        await this.#drain(drain)
      } while (drain.again && !this.#closing)
    } catch (error) {
      // The lease ends by itself, and the sweep comes back to it.
      this.#warn(error, 'delivery of deferred messages stopped')
    }
    this.#drains.delete(key)
    this.#running -= 1
    const next = this.#queued.shift()
    if (next !== undefined) void this.#run(next)
    else if (this.#running === 0) this.#idle?.()
  }

  async #drain(drain: Drain): Promise<void> {
    let after = 0
    let dueBy = drain.dueBy
    drain.dueBy = 0
    for (let size = firstBatch; !this.#closing; size = batch) {
      const now = this.#needs.now()
      const { owner, device } = drain.device
      const until = now + lease
      const claimed = await this.#needs.queue.claim({ owner, device, after, dueBy, now, until, limit: size })
      if (claimed.length > 0) {
        const reached = await this.#deliverAll(drain, claimed, now + usableLease)
        if (reached === undefined) return
        after = reached
      } else if (after > 0) {
        // From the beginning once more, for what came meanwhile with an earlier arrival; what has failed waits now.
        after = 0
        dueBy = now
      } else return
    }
  }

  /** How far it came by arrival; undefined when the device is away: then the rest waits. */
  async #deliverAll(drain: Drain, claimed: readonly Claimed[], until: number): Promise<number | undefined> {
    const settling: Promise<boolean>[] = []
    let reached = (claimed[0] as Claimed).arrived - 1
    for (const [at, message] of claimed.entries()) {
      if (this.#closing || this.#needs.now() > until) {
        await this.#needs.queue.release(releasesOf(claimed.slice(at), this.#needs.now(), false))
        break
      }
      reached = message.arrived
      const final = await this.#offer(drain.device, message, claimed.slice(at))
      if (final.unfit && !this.#closing) {
        if (final === refused) await this.#refused(drain.device, message)
        else await this.#unfit(drain.device, message)
        continue
      }
      if (isAcceptance(final)) {
        this.#needs.delivered()
        settling.push(this.#settled(message))
        continue
      }
      const away = isAway(final)
      await this.#failed(drain.device, message, final, away ? claimed.slice(at + 1) : [])
      if (away) return undefined
    }
    return (await Promise.all(settling)).includes(false) ? undefined : reached
  }

  /** `held`: what the device was given a lease of and does not have yet, this message first. */
  #offer(device: Device, message: Claimed, held: readonly Claimed[]): Promise<Outcome> {
    const { request } = message
    if (request === undefined) return this.#holding(held, () => this.#offerLarge(device, message))
    const kept = readKept(request)
    if (!cameInSession(kept)) return this.#bring(kept, device)
    return this.#holding(held, () => this.#bring(kept, device))
  }

  #bring(kept: SipRequest, device: Device): Promise<Outcome> {
    const reception = this.#needs.receptionOf(kept, device)
    if (reception instanceof Promise)
      return reception.then((is) => (is === 'refuse' ? refused : this.#late.deliver(kept, device)))
    return reception === 'refuse' ? Promise.resolve(refused) : this.#late.deliver(kept, device)
  }

  async #offerLarge(device: Device, { owner, message }: Claimed): Promise<Outcome> {
    const outcome = await this.#large.enter(async () => {
      const request = await this.#needs.queue.requestOf(owner, message)
      return request && (await this.#bring(readKept(request), device))
    })
    return outcome ?? notOffered
  }

  /** A session may take longer than a lease: it is renewed for as long as `work` goes on. */
  async #holding(claimed: readonly Claimed[], work: () => Promise<Outcome>): Promise<Outcome> {
    const { queue, now } = this.#needs
    const keys = claimed.flatMap(keysOf)
    const renew = () => queue.extend(keys, now() + lease).catch((err) => this.#warn(err, 'a lease was not renewed'))
    const timer = setInterval(renew, lease / 3)
    try {
      return await work()
    } finally {
      clearInterval(timer)
    }
  }

  /** The device has no way to get it: it waits for the others, or nobody is left to whom it could be brought. */
  async #unfit(device: Device, message: Claimed): Promise<void> {
    const { queue, now, policy } = this.#needs
    const keys = keysOf(message)
    await queue.settle(keys.filter((key) => key.device !== ''))
    const anybody = keys.find((key) => key.device === '')
    if (anybody === undefined) {
      this.wake(device) // who gave the row of anybody back may have done so because of this device
      return
    }
    const waiting = await queue.devicesWaiting(message.owner, message.message)
    const nobodyIsLeft = waiting.length === 1 && waiting[0] === ''
    if (nobodyIsLeft) await this.#giveUp({ ...anybody, peer: message.peer, request: message.request ?? null })
    else await queue.release([{ key: anybody, nextAt: now() + policy.retry.longest, attempted: true }])
  }

  /** The user does not want it on that device: it waits for the registration of others, or goes to those that are there. */
  async #refused({ owner, device }: Device, message: Claimed): Promise<void> {
    const { queue, receptionOf, devicesOf } = this.#needs
    const keys = keysOf(message)
    await queue.settle(keys.filter((key) => key.device !== ''))
    const anybody = keys.filter((key) => key.device === '')
    await queue.release(anybody.map((key) => ({ key, nextAt: message.expiresAt, attempted: true })))
    const kept = message.request && readKept(message.request)
    if (kept === undefined) return
    for (const other of await devicesOf(owner))
      if (other.device !== device && (await receptionOf(kept, other)) === 'deliver') this.deviceRegistered(other)
  }

  /** Not waited for before the next message: commits of many devices go together. */
  #settled(message: Claimed): Promise<boolean> {
    return this.#needs.queue.settle(keysOfAccepted(message)).then(
      () => true,
      (error) => {
        this.#warn(error, 'an accepted message is still in the queue')
        return false
      },
    )
  }

  async #failed(device: Device, message: Claimed, final: Outcome, rest: readonly Claimed[]): Promise<void> {
    const { policy, random, queue, now } = this.#needs
    if (this.#closing) return queue.release(releasesOf([message, ...rest], now(), false))
    if (isBindingGone(final, device.path)) {
      this.#needs.bindingGone(device)
      return queue.release(releasesOf([message, ...rest], message.expiresAt, false))
    }
    // What is wrong with this one message is hardly right a moment later (415, 6xx).
    const wait = isAway(final) ? backOff(message.attempts + 1, policy.retry, random()) : policy.retry.longest
    const next = now() + wait
    await queue.release([...releasesOf([message], next, true), ...releasesOf(rest, next, false)])
  }

  #warn(error: unknown, what: string): void {
    this.#needs.log.warn({ part: 'message', err: error }, what)
  }
}

/** The message is gone, or the server goes. */
/** By the settings of its user, and not by the device. */
const refused: Outcome = { response: new SipResponse(403, 'Forbidden', new Headers()), local: true, unfit: true }
const notOffered: Outcome = { response: new SipResponse(487, 'Request Terminated', new Headers()), local: false }

const keysOf = ({ owner, arrived, message, devices }: Claimed): DeferredKey[] =>
  devices.map((device) => ({ owner, device, arrived, message }))

/** The rows of a message that nobody has accepted go with the first acceptance, whichever device has a lease of it. */
const keysOfAccepted = (message: Claimed): DeferredKey[] => {
  const { owner, arrived, message: id, devices } = message
  const others = ['', toFetch].filter((device) => !devices.includes(device))
  return [...others.map((device) => ({ owner, device, arrived, message: id })), ...keysOf(message)]
}

const releasesOf = (claimed: readonly Claimed[], nextAt: number, attempted: boolean): Release[] =>
  claimed.flatMap((message) => keysOf(message).map((key) => ({ key, nextAt, attempted })))
