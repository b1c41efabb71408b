import type { IsComposing } from '../protocols/is-composing/is-composing.ts'

/** Seconds for which `active` holds unless it is said again; what a peer does not say is this (RFC 3994 §3.2, §3.3). */
const refreshSeconds = 120
const peerSeconds = { default: 120, most: 600 }
/** Who types nothing for so long does not compose any more (RFC 3994 §3.2). */
const idleMs = 15_000

/** Tells the peer that this user composes a message (RFC 3994 §3.2). */
export class OwnComposing {
  readonly #send: (status: IsComposing) => void
  #idle: NodeJS.Timeout | undefined
  /** When `active` was said last; undefined while idle. */
  #toldAt: number | undefined

  constructor(send: (status: IsComposing) => void) {
    this.#send = send
  }

  typed(): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => this.stopped(), idleMs)
    const now = performance.now()
    if (this.#toldAt !== undefined && now - this.#toldAt < 500 * refreshSeconds) return
    this.#toldAt = now
    this.#send({ state: 'active', contentType: 'text/plain', refresh: refreshSeconds })
  }

  /** What was composed is not going to be sent. */
  stopped(): void {
    const wasActive = this.#toldAt !== undefined
    this.sent()
    if (wasActive) this.#send({ state: 'idle' })
  }

  /** A message says it all. */
  sent(): void {
    clearTimeout(this.#idle)
    this.#toldAt = undefined
  }
}

/** Whether the peer composes a message, by what it says (RFC 3994 §3.3). */
export class PeerComposing {
  readonly #changed: (composing: boolean) => void
  #timeout: NodeJS.Timeout | undefined
  #active = false

  constructor(changed: (composing: boolean) => void) {
    this.#changed = changed
  }

  take({ state, refresh = peerSeconds.default }: IsComposing): void {
    clearTimeout(this.#timeout)
    if (state === 'active') {
      this.#timeout = setTimeout(() => this.idle(), 1000 * Math.min(refresh, peerSeconds.most))
    }
    this.#become(state === 'active')
  }

  /** Also when a message has come. */
  idle(): void {
    clearTimeout(this.#timeout)
    this.#become(false)
  }

  /** Nobody wants to hear of it any more. */
  close(): void {
    clearTimeout(this.#timeout)
  }

  #become(active: boolean): void {
    if (this.#active === active) return
    this.#active = active
    this.#changed(active)
  }
}
