import { Failure } from '../../failure.ts'
import { Usage } from '../msrp/counters.ts'
import type { RtpEngine, RtpMedia, Side } from '../rtp/index.ts'
import { NgClient } from './ng-client.ts'
import { RtpengineLine } from './rtpengine-line.ts'

export interface RtpengineNeeds {
  /** Where its NG protocol is spoken, `media.rtpengine`. */
  readonly host: string
  readonly port: number
  /** What packets are marked with (RFC 2474), 0 to 63. */
  readonly dscp: number
  /** Milliseconds without a packet from a party that sends, after which it counts as gone. */
  readonly maxSilence: number
  now(): number
  readonly log: { warn(fields: object, message: string): void }
}

/** rtpengine has bounds of its own; this one keeps what the server holds for it in check. */
const maxLines = 20_000
const retryAfter = 5
/** Of the lines, those that are due are looked at this often, in milliseconds. */
const tick = 1_000

/** Voice and video through rtpengine, a program beside the server or on another machine. */
export class Rtpengine implements RtpEngine {
  readonly #needs: RtpengineNeeds
  readonly #client: NgClient
  readonly #usage = new Usage(maxLines)
  readonly #lines = new Set<RtpengineLine>()
  readonly #deletes = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #closing = false

  constructor(needs: RtpengineNeeds) {
    this.#needs = needs
    this.#client = new NgClient(needs)
  }

  get use(): Usage {
    return this.#usage
  }

  async open(onGone: () => void, browsers: readonly Side[] = []): Promise<RtpMedia> {
    if (this.#closing || !this.#usage.take()) {
      throw new Failure('overloaded', this.#closing ? 'shutting down' : 'too many lines', { retryAfter })
    }
    const line = new RtpengineLine({
      ...{ ...this.#needs, client: this.#client, onGone, browsers },
      onClosed: (closed, deleted) => this.#closed(closed, deleted),
    })
    this.#lines.add(line)
    this.#timer ??= setInterval(() => this.#check(), tick).unref()
    return line
  }

  async close(): Promise<void> {
    this.#closing = true
    for (const line of this.#lines) line.close()
    await Promise.all(this.#deletes)
    this.#client.close()
  }

  #check(): void {
    const now = this.#needs.now()
    for (const line of this.#lines) line.check(now)
  }

  #closed(line: RtpengineLine, deleted: Promise<void>): void {
    this.#usage.free()
    this.#lines.delete(line)
    if (this.#lines.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    this.#deletes.add(deleted)
    void deleted.then(() => this.#deletes.delete(deleted))
  }
}
