import { randomInt } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { Failure } from '../../failure.ts'
import type { PortPairs } from '../rtp/index.ts'
import { FloorLine, type Speakers } from './floor-line.ts'
import { type Clock, floorTimers, systemClock } from './floor-timers.ts'

export interface FloorServerNeeds {
  /** Of voice: a floor takes a pair, the even port towards the caller, the odd one towards the callee. */
  readonly ports: PortPairs
  /** The address that session descriptions have. */
  readonly advertise: string
  /** The longest burst, in milliseconds. */
  readonly maxTalk: number
  readonly relatchAfter: number
  readonly clock?: Clock
}

/** The floors of half-duplex voice. */
export class FloorServer {
  /** Messages that were not taken. */
  dropped = 0
  readonly #needs: FloorServerNeeds
  readonly #lines = new Set<FloorLine>()
  readonly #releases = new Set<Promise<void>>()
  #closing = false

  constructor(needs: FloorServerNeeds) {
    this.#needs = needs
  }

  /** Floors that are open. */
  get inUse(): number {
    return this.#lines.size
  }

  /** Throws Failure('overloaded') when no pair of ports is free. */
  async open(speakers: Speakers): Promise<FloorLine> {
    const { ports, advertise, maxTalk, relatchAfter, clock = systemClock } = this.#needs
    const pair = await ports.take()
    if (this.#closing) {
      await ports.release(pair)
      throw new Failure('overloaded', 'shutting down', { retryAfter: 5 })
    }
    const line = new FloorLine({
      ...{ speakers, clock, relatchAfter, timers: floorTimers(maxTalk), ssrc: randomInt(2 ** 32) },
      sockets: { caller: pair.rtp, callee: pair.rtcp },
      connection: { networkType: 'IN', addressType: isIPv6(advertise) ? 'IP6' : 'IP4', address: advertise },
      onDropped: () => this.dropped++,
      onClosed: (closed) => this.#closed(closed, ports.release(pair)),
    })
    this.#lines.add(line)
    return line
  }

  /** Closes every floor and opens no other. */
  async close(): Promise<void> {
    this.#closing = true
    for (const line of this.#lines) line.close()
    await Promise.all(this.#releases)
  }

  #closed(line: FloorLine, release: Promise<void>): void {
    this.#lines.delete(line)
    this.#releases.add(release)
    void release.then(() => this.#releases.delete(release))
  }
}
