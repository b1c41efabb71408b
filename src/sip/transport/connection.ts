import type { Transport } from '../addresses.ts'
import type { StackLimits } from '../limits.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import type { Flow, FlowUser } from './flow.ts'

/** What takes what comes over a connection. */
export interface ConnectionUser {
  /** Bytes of a stream, cut anywhere, or of one WebSocket message. */
  onBytes(connection: Connection, bytes: Buffer): void
  onClosed(connection: Connection): void
  onSent(connection: Connection, bytes: Buffer): void
  /** The peer does not read: what waits for it has passed the bound, and the connection is closed. */
  onNotReading(connection: Connection): void
}

export interface ConnectionOptions {
  readonly name: string
  readonly transport: Transport
  readonly remoteAddress: string
  readonly remotePort: number
  readonly limits: StackLimits
  readonly wheel: TimerWheel
  readonly now: () => number
  readonly user: ConnectionUser
}

/** A connection of any kind as a flow: who waits for it, when it was heard of last, what it still owes. */
export abstract class Connection implements Flow {
  readonly name: string
  readonly transport: Transport
  readonly reliable = true
  readonly remoteAddress: string
  readonly remotePort: number
  protected readonly limits: StackLimits
  readonly #user: ConnectionUser
  readonly #now: () => number
  readonly #watchers = new Set<FlowUser>()
  #heardAt: number
  /** Since when a message, or the first one, is not complete. */
  #owesSince: number | undefined
  #closed = false
  #ending = false

  constructor(options: ConnectionOptions) {
    this.name = options.name
    this.transport = options.transport
    this.remoteAddress = options.remoteAddress
    this.remotePort = options.remotePort
    this.limits = options.limits
    this.#user = options.user
    this.#now = options.now
    this.#heardAt = options.now()
  }

  get open(): boolean {
    return !this.#closed && !this.#ending
  }

  abstract get localAddress(): string | undefined
  abstract get localPort(): number | undefined
  /** Bytes that the peer has not taken. */
  protected abstract get waiting(): number
  protected abstract write(bytes: Buffer): void
  /** Lets go of the socket at once; `closed` is called in the end. */
  protected abstract destroy(): void
  /** Says goodbye as the transport does, after what waits. */
  protected abstract finish(): void

  send(bytes: Buffer): boolean {
    if (!this.open) return false
    const bound = this.limits.queueBytes
    if (bound !== 0 && this.waiting + bytes.length > bound && this.waiting > 0) {
      this.#user.onNotReading(this)
      this.close()
      return false
    }
    this.write(bytes)
    this.#user.onSent(this, bytes)
    return true
  }

  watch(user: FlowUser): void {
    this.#watchers.add(user)
  }

  unwatch(user: FlowUser): void {
    this.#watchers.delete(user)
  }

  /** Listens no more and closes once the peer has taken what waits for it, or has not in time. */
  end(): void {
    if (!this.open) return
    this.#ending = true
    this.owes()
    this.finish()
  }

  close(): void {
    this.destroy()
    this.closed()
  }

  /** The peer has begun something that it must bring to an end in time. */
  owes(): void {
    this.#owesSince ??= this.#now()
  }

  settles(): void {
    this.#owesSince = undefined
  }

  /** Why the connection has to go at `now`, if it has to. */
  overdue(now: number): 'idle' | 'half-open' | undefined {
    const { idleMs, halfOpenMs } = this.limits
    if (halfOpenMs !== 0 && this.#owesSince !== undefined && now - this.#owesSince > halfOpenMs) return 'half-open'
    return idleMs !== 0 && now - this.#heardAt > idleMs ? 'idle' : undefined
  }

  protected received(bytes: Buffer): void {
    if (!this.open) return
    this.#heardAt = this.#now()
    this.#user.onBytes(this, bytes)
  }

  protected closed(): void {
    if (this.#closed) return
    this.#closed = true
    const watchers = [...this.#watchers]
    this.#watchers.clear()
    this.#user.onClosed(this)
    for (const watcher of watchers) watcher.onFlowClosed()
  }
}
