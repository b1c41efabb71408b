import type { MediaAddress } from '../../protocols/sdp/rtp-media.ts'
import type { Connection } from '../../protocols/sdp/session-description.ts'
import type { PortPair } from './port-pairs.ts'
import { type Quality, Reception, readQuietly } from './reception.ts'
import type { RtpCounters } from './rtp-counters.ts'
import { RtpEnd } from './rtp-end.ts'

export interface RtpRelayNeeds {
  readonly pairs: readonly [near: PortPair, far: PortPair]
  readonly connection: Connection
  readonly relatchAfter: number
  readonly counters: RtpCounters
  now(): number
  onQuality(quality: Quality): void
  onClosed(relay: RtpRelay): void
}

/** One m= line of RTP through the server: what comes in at one end goes out at the other. */
export class RtpRelay {
  /** Towards the party that made the offer. */
  readonly near: RtpEnd
  /** Towards the party that answers it. */
  readonly far: RtpEnd
  /** Hears RTP that passes; `near`: it came in at that end. */
  tap: ((near: boolean, packet: Buffer) => void) | undefined
  readonly #needs: RtpRelayNeeds
  readonly #receptions: ReadonlyMap<RtpEnd, Reception>
  #closed = false

  constructor(needs: RtpRelayNeeds) {
    this.#needs = needs
    this.near = this.#end(needs.pairs[0])
    this.far = this.#end(needs.pairs[1])
    this.#receptions = new Map([this.near, this.far].map((end) => [end, new Reception()]))
  }

  /** The longer time, in milliseconds, that a party has been silent which said that it sends. */
  silence(now: number): number {
    return Math.max(this.near.silence(now), this.far.silence(now))
  }

  /** Frees both ends. May be called again. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#needs.onClosed(this)
  }

  #end(pair: PortPair): RtpEnd {
    const { connection, relatchAfter, counters, now } = this.#needs
    return new RtpEnd({
      ...{ pair, connection, relatchAfter, counters, now },
      isOwn: (address) => this.#isOwn(address),
      onPacket: (end, packet, rtcp) => this.#pass(end, packet, rtcp),
      close: () => this.close(),
    })
  }

  /** A party that names an end of this relay would have it talk to itself. */
  #isOwn({ address, port }: MediaAddress): boolean {
    const { pairs, connection } = this.#needs
    const own = address === connection.address || address === pairs[0].rtp.address().address
    return own && pairs.some((pair) => port === pair.port || port === pair.port + 1)
  }

  #pass(from: RtpEnd, packet: Buffer, rtcp: boolean): void {
    if (this.#closed) return
    const to = from === this.near ? this.far : this.near
    to.send(packet, rtcp)
    if (this.tap !== undefined && !rtcp) this.tap(from === this.near, packet)
    if (rtcp && from.remote?.encrypted === false) this.#read(from, to, packet)
  }

  #read(from: RtpEnd, to: RtpEnd, packet: Buffer): void {
    const packets = readQuietly(packet)
    const now = this.#needs.now()
    this.#receptions.get(to)?.pass(packets, now)
    const qualities = this.#receptions.get(from)?.qualities(packets, from.remote?.clockRate ?? 8_000, now)
    for (const quality of qualities ?? []) this.#needs.onQuality(quality)
  }
}
