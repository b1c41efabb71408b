import { type Hop, hostPort } from './addresses.ts'

/** RFC 3261 §18.1.1: a larger request does not go over UDP, as the path may not take it in one piece. */
const mostOverUdp = 1300
const rememberedMs = 60_000
const mostRemembered = 1000

/** Sends large requests over TCP instead of UDP, and over UDP all the same where TCP does not get through. */
export class TcpSwitch {
  readonly #now: () => number
  /** Where TCP failed a short while ago, and until when that is held against it. */
  readonly #failed = new Map<string, number>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** The hops to try for a request of `size` bytes that would go to `hop`. */
  hopsFor(hop: Hop, size: number): readonly Hop[] {
    if (hop.transport !== 'udp' || hop.explicit || size <= mostOverUdp || this.#hasFailed(hop)) return [hop]
    return [
      { ...hop, transport: 'tcp', explicit: true },
      { ...hop, explicit: true },
    ]
  }

  onFailed(hop: Hop): void {
    if (hop.transport !== 'tcp') return
    if (this.#failed.size >= mostRemembered) this.#failed.clear()
    this.#failed.set(hostPort(hop.address, hop.port), this.#now() + rememberedMs)
  }

  #hasFailed(hop: Hop): boolean {
    return (this.#failed.get(hostPort(hop.address, hop.port)) ?? 0) > this.#now()
  }
}
