import type { MediaAddress } from '../../protocols/sdp/rtp-media.ts'

/**
 * Whom one socket listens to (symmetric RTP, RFC 4961): the source that its first packet came from, so that a party
 * behind a NAT is reached, and nobody else, so that a stranger who guesses the port neither hears nor speaks.
 *
 * A source that the session description names outranks one that it does not. The same party may come from elsewhere when
 * it was silent for a while and has the synchronisation source that it had: its NAT has forgotten it, or it has moved.
 */
export class Latch {
  readonly #relatchAfter: number
  #expected: MediaAddress | undefined
  #latched: MediaAddress | undefined
  #open = false
  #ssrc: number | undefined
  #heardAt = 0

  constructor(relatchAfter: number) {
    this.#relatchAfter = relatchAfter
  }

  /** Where packets go: to where they come from, else to what the description says; undefined while nobody knows. */
  get target(): MediaAddress | undefined {
    return this.#latched ?? this.#expected
  }

  /** What the description says; `address` undefined when it names a host, and no address. A change begins anew. */
  expect(address: MediaAddress | undefined): void {
    const same = address?.address === this.#expected?.address && address?.port === this.#expected?.port
    if (!same) this.#latched = undefined
    this.#expected = address
    this.#open = true
  }

  /** Whether a packet from there is taken. Nothing is before the party's description is known. */
  accepts(address: string, port: number, ssrc: number | undefined, now: number): boolean {
    const latched = this.#latched
    if (latched === undefined || latched.port !== port || latched.address !== address) {
      if (!this.#mayLatch(address, port, ssrc, now)) return false
      this.#latched = { address, port }
    }
    this.#heardAt = now
    if (ssrc !== undefined) this.#ssrc = ssrc
    return true
  }

  #mayLatch(address: string, port: number, ssrc: number | undefined, now: number): boolean {
    if (!this.#open || this.#latched === undefined) return this.#open
    if (this.#rank(address, port) > this.#rank(this.#latched.address, this.#latched.port)) return true
    return ssrc !== undefined && ssrc === this.#ssrc && now - this.#heardAt >= this.#relatchAfter
  }

  /** How well a source fits the description: address and port, the address alone, not at all. */
  #rank(address: string, port: number): number {
    if (address !== this.#expected?.address) return 0
    return port === this.#expected.port ? 2 : 1
  }
}
