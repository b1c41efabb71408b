import type { Dictionary } from '../../protocols/bencode/bencode.ts'
import type { Side } from '../rtp/rtp-engine.ts'
import { packetsOf } from './heard.ts'

export interface PresenceNeeds {
  readonly maxSilence: number
  now(): number
}

interface Heard {
  readonly packets: number
  readonly at: number
}

/** Whether rtpengine still has a line and hears its parties, by its own count of their packets: no two clocks are compared. */
export class Presence {
  readonly #needs: PresenceNeeds
  #sending: readonly Side[] = []
  readonly #heard = new Map<Side, Heard>()
  #answeredAt: number

  constructor(needs: PresenceNeeds) {
    this.#needs = needs
    this.#answeredAt = needs.now()
  }

  /** Those who say that they send. */
  expect(sending: readonly Side[]): void {
    this.#sending = sending
    this.#heard.clear()
    this.#answeredAt = this.#needs.now()
  }

  /** Takes the reply to `query`, undefined when there was none. */
  isGone(reply: Dictionary | undefined): boolean {
    const now = this.#needs.now()
    if (reply === undefined) return now - this.#answeredAt >= this.#needs.maxSilence
    this.#answeredAt = now
    // It was restarted, or has given the call up.
    if (reply.result !== 'ok') return true
    return this.#sending
      .map((side) => this.#silence(side, packetsOf(side, reply), now))
      .some((silence) => silence >= this.#needs.maxSilence)
  }

  #silence(side: Side, packets: number, now: number): number {
    const heard = this.#heard.get(side)
    if (heard !== undefined && heard.packets === packets) return now - heard.at
    this.#heard.set(side, { packets, at: now })
    return 0
  }
}
