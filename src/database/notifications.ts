import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { ListeningConnection } from './listening-connection.ts'
import type { Log } from './log.ts'

interface Needs {
  connect(): pg.Client
  query(statement: { name: string; text: string }, values: readonly unknown[]): Promise<unknown>
  readonly log: Log
}

interface Subscriber {
  readonly listener: (payload: string, own: boolean) => void
  readonly onLost: () => void
}

const gatherMs = 10
const retryMs = 500
const maxPayloadBytes = 7900
const maxPending = 10_000
/** In the place of more payloads than are kept: who hears it has missed some. */
const tooMany = '*'

const publishStatement = {
  name: 'notifications-publish',
  text: 'SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS t(channel, payload)',
}

/**
 * Tells other nodes, and this one, what changed (LISTEN, NOTIFY). NOTIFY serialises commits, so it never rides in a
 * transaction of somebody else: what is published within 10 ms goes as one statement, each payload once. What cannot be
 * sent is kept until it can.
 */
export class Notifications {
  readonly #needs: Needs
  readonly #source = randomBytes(6).toString('base64url')
  readonly #subscribers = new Map<string, Set<Subscriber>>()
  readonly #listening = new Set<string>()
  readonly #connection: ListeningConnection
  #pending = new Map<string, Set<string>>()
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> | undefined
  #closed = false

  constructor(needs: Needs) {
    this.#needs = needs
    this.#connection = new ListeningConnection({
      connect: () => needs.connect(),
      channels: () => [...this.#subscribers.keys()],
      onNotification: (channel, payload) => this.#deliver(channel, payload),
      onListening: (channels) => this.#regained(channels),
      onLost: () => this.#lost(),
      log: needs.log,
    })
  }

  /** Whether changes on `channel` reach this node now. While they do not, what a cache holds may be old. */
  listening(channel: string): boolean {
    return this.#listening.has(channel)
  }

  publish(channel: string, payload: string): void {
    if (Buffer.byteLength(payload) > maxPayloadBytes) throw new RangeError(`a notification of ${channel} is too long`)
    this.#keep(channel, [`${this.#source} ${payload}`])
    this.#flushAfter(gatherMs)
  }

  /**
   * `listener` hears every payload published from now on, by this node too (`own`). `onLost` says that some may have been
   * missed: when the connection is lost, and when listening (again) has begun. Whoever caches drops everything then.
   */
  subscribe(channel: string, listener: Subscriber['listener'], onLost: () => void): () => void {
    const subscriber = { listener, onLost }
    const subscribers = this.#subscribers.get(channel)
    if (subscribers !== undefined) subscribers.add(subscriber)
    else {
      this.#subscribers.set(channel, new Set([subscriber]))
      this.#connection.listen(channel)
    }
    return () => this.#subscribers.get(channel)?.delete(subscriber)
  }

  /** What was published is sent first, if the database is there. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#flushing
    await this.#flush()
    await this.#connection.close()
  }

  #keep(channel: string, payloads: Iterable<string>): void {
    const kept = this.#pending.get(channel) ?? new Set()
    for (const payload of payloads) kept.add(payload)
    this.#pending.set(channel, kept.size <= maxPending ? kept : new Set([tooMany]))
  }

  #flushAfter(ms: number): void {
    if (this.#timer !== undefined || this.#flushing !== undefined || this.#closed) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#flushing = this.#flush()
    }, ms)
  }

  async #flush(): Promise<void> {
    const pending = this.#pending
    this.#pending = new Map()
    const channels: string[] = []
    const payloads: string[] = []
    for (const [channel, ofChannel] of pending) {
      for (const payload of ofChannel) channels.push(channel) && payloads.push(payload)
    }
    let pause = gatherMs
    try {
      if (channels.length > 0) await this.#needs.query(publishStatement, [channels, payloads])
    } catch {
      for (const [channel, ofChannel] of pending) this.#keep(channel, ofChannel)
      pause = retryMs
    }
    this.#flushing = undefined
    if (this.#pending.size > 0) this.#flushAfter(pause)
  }

  #deliver(channel: string, text: string): void {
    const space = text.indexOf(' ')
    const own = text.slice(0, space) === this.#source
    const payload = text.slice(space + 1)
    for (const { listener, onLost } of this.#subscribers.get(channel) ?? []) {
      if (text === tooMany) onLost()
      else listener(payload, own)
    }
  }

  #regained(channels: readonly string[]): void {
    for (const channel of channels) {
      this.#listening.add(channel)
      for (const { onLost } of this.#subscribers.get(channel) ?? []) onLost()
    }
  }

  #lost(): void {
    this.#listening.clear()
    for (const subscribers of this.#subscribers.values()) for (const { onLost } of subscribers) onLost()
  }
}
