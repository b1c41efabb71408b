import { isIPv6 } from 'node:net'
import { Failure } from '../../failure.ts'
import type { PortPair, PortPairs } from './port-pairs.ts'
import type { Quality } from './reception.ts'
import { RtpCounters } from './rtp-counters.ts'
import type { RtpEngine } from './rtp-engine.ts'
import { RtpRelay } from './rtp-relay.ts'

export interface RtpPlaneNeeds {
  readonly ports: PortPairs
  /** The address that session descriptions have. */
  readonly advertise: string
  /** Milliseconds without a packet from a party that sends, after which it counts as gone. */
  readonly maxSilence: number
  /** Milliseconds without a packet after which a party may come from elsewhere. */
  readonly relatchAfter: number
  now(): number
  /** What RTCP says, for metrics. */
  onQuality(quality: Quality): void
}

const checkEvery = 1_000

/** The relays of voice and video, and the ports they hold. */
export class RtpPlane {
  readonly counters = new RtpCounters()
  readonly #needs: RtpPlaneNeeds
  readonly #ports: PortPairs
  /** With what is to be done when one of its parties is gone. */
  readonly #relays = new Map<RtpRelay, () => void>()
  readonly #releases = new Set<Promise<unknown>>()
  #timer: NodeJS.Timeout | undefined
  #closing = false

  constructor(needs: RtpPlaneNeeds) {
    this.#needs = needs
    this.#ports = needs.ports
  }

  /** Port pairs in use, the most there were, and how many there are. */
  get use(): RtpEngine['use'] {
    return this.#ports
  }

  /** A relay with ports at both ends. Throws Failure('overloaded') when too few are free; then it holds none. */
  async open(onSilence: () => void): Promise<RtpRelay> {
    const relay = this.#relay(await this.#takePairs())
    this.#relays.set(relay, onSilence)
    this.#timer ??= setInterval(() => this.#check(), checkEvery).unref()
    return relay
  }

  /** Closes every relay and opens no other; resolves when their sockets are closed. */
  async close(): Promise<void> {
    this.#closing = true
    for (const relay of this.#relays.keys()) relay.close()
    await Promise.all(this.#releases)
  }

  async #takePairs(): Promise<readonly [PortPair, PortPair]> {
    const near = await this.#ports.take()
    try {
      const far = await this.#ports.take()
      if (!this.#closing) return [near, far]
      await this.#ports.release(far)
      throw new Failure('overloaded', 'shutting down', { retryAfter: 5 })
    } catch (err) {
      await this.#ports.release(near)
      throw err
    }
  }

  #relay(pairs: readonly [PortPair, PortPair]): RtpRelay {
    const { advertise, relatchAfter, now, onQuality } = this.#needs
    const connection = { networkType: 'IN', addressType: isIPv6(advertise) ? 'IP6' : 'IP4', address: advertise }
    return new RtpRelay({
      ...{ pairs, connection, relatchAfter, counters: this.counters, now, onQuality },
      onClosed: (relay) => this.#closed(relay, pairs),
    })
  }

  #closed(relay: RtpRelay, pairs: readonly PortPair[]): void {
    this.#relays.delete(relay)
    if (this.#relays.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    const release = Promise.all(pairs.map((pair) => this.#ports.release(pair)))
    this.#releases.add(release)
    void release.then(() => this.#releases.delete(release))
  }

  /** Each relay is told of once. */
  #check(): void {
    const now = this.#needs.now()
    for (const [relay, onSilence] of this.#relays) {
      if (relay.silence(now) < this.#needs.maxSilence) continue
      this.#relays.set(relay, nothing)
      this.counters.silences++
      onSilence()
    }
  }
}

function nothing(): void {}
