import { Failure } from '../../../failure.ts'
import { storeEventsType } from '../../../protocols/cpm-event-framework/store-events.ts'
import { writeStoreEvents } from '../../../protocols/cpm-event-framework/write-store-events.ts'
import type { Changes } from '../mailbox/changes.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import { type Device, roomFor, type Send, storeDevices, wayTo } from './device.ts'
import type { Behind, DeviceCursors } from './device-cursors.ts'
import { documentsOf, type News } from './events-of.ts'
import { systemMessage } from './system-message.ts'
import { flagsKey, gone, type ToldFlags } from './told-flags.ts'

export interface DeviceSynchroniserNeeds {
  readonly now: () => number
  readonly newId: () => string
  readonly mailboxes: Pick<Mailboxes, 'changes' | 'pathsOf' | 'onChanged'>
  readonly cursors: DeviceCursors
  readonly told: ToldFlags
  readonly devicesOf: (owner: number) => readonly Device[] | Promise<readonly Device[]>
  readonly addressOf: (owner: number) => string | undefined | Promise<string | undefined>
  readonly send: Send
  /** Such as `sip:storage@parley.test`. */
  readonly storageUri: string
  readonly host: string
  /** Least milliseconds between two turns for one user. */
  readonly interval: number
  /** How long a device is remembered. */
  readonly rememberMs: number
  readonly log: { warn(fields: object, message: string): void }
}

/** What comes within that time is told together. */
const gatherFor = 100
/** Changes that a device is told of one by one; of more it is told that there are some. */
const mostChanges = 200
const mostDocuments = 4
/** Longer than a transaction (timer F, 32 s) for each document. */
const lease = 150_000
const retries = [5_000, 30_000]
const mostAtOnce = 64
const mostDue = 256
const sweepEvery = 2_000
const behindEvery = 60_000
const forgetEvery = 3_600_000

interface Turn {
  /** Something has changed since it was begun. */
  again: boolean
  timer: NodeJS.Timeout | undefined
}

interface Sweep {
  readonly every: number
  readonly work: () => Promise<void>
  at: number
}

/**
 * Tells devices that understand it of what has changed in their user's mailbox (features 1.8): soon, together, and no more
 * often than `interval`. How far each device has been told is in the database, so that it is told once by whichever node,
 * and what a crash cut off is made good.
 */
export class DeviceSynchroniser {
  readonly #needs: DeviceSynchroniserNeeds
  readonly #turns = new Map<number, Turn>()
  readonly #queued: number[] = []
  readonly #running = new Set<Promise<void>>()
  readonly #sendings = new Set<ReturnType<Send>>()
  readonly #stop: () => void
  readonly #sweeps: readonly Sweep[]
  #timer: NodeJS.Timeout | undefined
  #sweeping: Promise<void> = Promise.resolve()
  #closing = false
  /** MESSAGEs that were accepted. */
  sent = 0

  constructor(needs: DeviceSynchroniserNeeds) {
    this.#needs = needs
    const { cursors, now, rememberMs } = needs
    const wake = async (owners: Promise<readonly number[]>) => {
      for (const owner of await owners) this.changed(owner)
    }
    this.#sweeps = [
      { every: sweepEvery, at: 0, work: () => wake(cursors.due(now(), mostDue)) },
      { every: behindEvery, at: 0, work: () => wake(cursors.behind(now(), 1000)) },
      { every: forgetEvery, at: 0, work: () => cursors.forget(now() - rememberMs) },
    ]
    this.#stop = needs.mailboxes.onChanged(
      (owner) => this.changed(owner),
      () => this.#sweepAnew(),
    )
  }

  start(): void {
    this.#timer = setInterval(() => this.#sweep(), sweepEvery)
    this.#timer.unref()
    this.#sweep()
  }

  get depth(): number {
    return this.#turns.size
  }

  /** A device has registered: it is told of what it has missed, or that it has missed something. */
  deviceRegistered(device: Device): void {
    if (storeDevices([device]).length > 0) this.changed(device.owner)
  }

  changed(owner: number): void {
    if (this.#closing) return
    const turn = this.#turns.get(owner)
    if (turn !== undefined) {
      turn.again = true
      return
    }
    const devices = this.#needs.devicesOf(owner)
    // Nearly nobody has such devices, and then nothing is begun. Where the database is away the turn finds that out.
    if (devices instanceof Promise) devices.catch(() => {})
    else if (storeDevices(devices).length === 0) return
    this.#begin(owner, gatherFor)
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#stop()
    clearInterval(this.#timer)
    for (const { timer } of this.#turns.values()) clearTimeout(timer)
    for (const sending of this.#sendings) sending.abandon()
    await Promise.all([...this.#running, this.#sweeping])
  }

  #begin(owner: number, wait: number): void {
    const turn: Turn = { again: false, timer: undefined }
    turn.timer = setTimeout(() => this.#due(owner), wait)
    this.#turns.set(owner, turn)
  }

  #due(owner: number): void {
    if (this.#running.size >= mostAtOnce) {
      this.#queued.push(owner)
      return
    }
    const run: Promise<void> = this.#run(owner).finally(() => {
      this.#running.delete(run)
      const next = this.#queued.shift()
      if (next !== undefined && !this.#closing) this.#due(next)
    })
    this.#running.add(run)
  }

  async #run(owner: number): Promise<void> {
    const turn = this.#turns.get(owner)
    if (turn === undefined || this.#closing) return
    turn.again = false
    try {
      const devices = storeDevices(await this.#needs.devicesOf(owner))
      await Promise.all(devices.map((device) => this.#tell(device)))
    } catch (err) {
      this.#needs.log.warn({ part: 'devices', owner, err }, 'devices were not told of changes')
    }
    // What comes within the interval waits for its end.
    turn.timer = setTimeout(() => {
      this.#turns.delete(owner)
      if (turn.again && !this.#closing) this.#begin(owner, 0)
    }, this.#needs.interval)
  }

  async #tell(device: Device): Promise<void> {
    const { cursors, now } = this.#needs
    const { owner } = device
    const behind = await cursors.claim(owner, device.device, now(), now() + lease)
    if (behind === undefined) return
    const told = await this.#tellOf(device, behind).catch((err) => {
      this.#needs.log.warn({ part: 'devices', owner, err }, 'a device was not told of changes')
      return undefined
    })
    if (told !== undefined) return await cursors.told(owner, device.device, told, behind.current)
    const wait = this.#closing ? 0 : retries[behind.attempts]
    await cursors.failed(owner, device.device, wait === undefined ? undefined : now() + wait)
  }

  /** How far it knows now; undefined where it has not accepted. */
  async #tellOf(device: Device, behind: Behind): Promise<number | undefined> {
    const { owner } = device
    const changes = await this.#changesSince(owner, behind)
    if (changes === 'too-many') {
      const accepted = behind.objects + behind.since === 0 || (await this.#send(device, [synchronize]))
      return accepted ? behind.modseq : undefined
    }
    const news = await this.#newsFor(device, behind.since, changes)
    if (news === 'too-many') return (await this.#send(device, [synchronize])) ? changes.upTo : undefined
    const isNothing = news.created.length + news.flagged.length + news.removed.length === 0
    const documents = isNothing ? [] : (documentsOf(news, roomFor(device), mostDocuments) ?? [synchronize])
    if (!(await this.#send(device, documents))) return undefined
    this.#remember(device, changes)
    return changes.upTo
  }

  /** A device that was never told anything reads the store first. */
  async #changesSince(owner: number, { since, epoch, current }: Behind): Promise<Changes | 'too-many'> {
    if (since === 0 || (epoch !== undefined && epoch !== current)) return 'too-many'
    try {
      const changes = await this.#needs.mailboxes.changes(owner, since, mostChanges, { epoch: current })
      return changes.more ? 'too-many' : changes
    } catch (err) {
      if (err instanceof Failure && err.condition === 'cursor-gone') return 'too-many'
      throw err
    }
  }

  /** Without what it has done itself, and what comes to it over SIP. */
  async #newsFor(device: Device, since: number, changes: Changes): Promise<News | 'too-many'> {
    const { told, cursors, mailboxes } = this.#needs
    const { owner } = device
    if (changes.removedFolders.length > 0 || changes.folders.some(({ created }) => created <= since)) return 'too-many'
    const knows = (id: string, flags: string) => told.has({ owner, device: device.device, id }, flags)
    const objects = changes.objects.filter(({ id, flags }) => !knows(id, flagsKey(flags)))
    const fresh = objects.filter(({ created }) => created > since)
    const bySip = await cursors.cameBySip(
      owner,
      fresh.map(({ id }) => id),
    )
    const created = fresh.filter(({ id }) => !bySip.has(id))
    const flagged = objects.filter(({ created: at, id, flags }) =>
      at > since ? bySip.has(id) && flags.length > 0 : true,
    )
    const removed = changes.removedObjects.filter(({ id }) => !knows(id, gone))
    const folders = [...created, ...flagged].map(({ folder }) => folder)
    const parents = removed.flatMap(({ parent }) => parent ?? [])
    const paths = await mailboxes.pathsOf(owner, [...new Set([...folders, ...parents])])
    return { created, flagged, removed, paths }
  }

  #remember({ owner, device }: Device, { objects, removedObjects }: Changes): void {
    const { told } = this.#needs
    for (const { id, flags } of objects) told.set({ owner, device, id }, flagsKey(flags))
    for (const { id } of removedObjects) told.set({ owner, device, id }, gone)
  }

  /** In their order; whether all were accepted. */
  async #send(device: Device, documents: readonly Buffer[]): Promise<boolean> {
    if (documents.length === 0) return true
    const { addressOf, newId, now, storageUri, host } = this.#needs
    const to = (await addressOf(device.owner)) ?? storageUri
    for (const body of documents) {
      if (this.#closing) return false
      const own = { from: `<${storageUri}>`, to: `<${to}>`, asserted: storageUri, id: newId(), host, now: now() }
      const sending = this.#needs.send(
        systemMessage({ device, ...own, contentType: storeEventsType, body }),
        wayTo(device),
      )
      this.#sendings.add(sending)
      const { response } = await sending.final
      this.#sendings.delete(sending)
      if (response.status < 200 || response.status > 299) return false
      this.sent += 1
    }
    return true
  }

  #sweep(): void {
    const now = this.#needs.now()
    const due = this.#sweeps.filter(({ at }) => at <= now)
    for (const sweep of due) sweep.at = now + sweep.every
    this.#sweeping = this.#sweeping.then(async () => {
      for (const { work } of due) if (!this.#closing) await work()
    })
    this.#sweeping = this.#sweeping.catch((err) =>
      this.#needs.log.warn({ part: 'devices', err }, 'devices that are behind were not looked for'),
    )
  }

  /** Something may have been missed. */
  #sweepAnew(): void {
    for (const sweep of this.#sweeps) sweep.at = 0
  }
}

const synchronize = writeStoreEvents([{ type: 'synchronize' }])
