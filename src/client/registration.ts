import { randomUUID } from 'node:crypto'
import type { SipResponse } from '../protocols/sip/message.ts'
import { readNameAddrs } from '../protocols/sip/name-addr.ts'

interface Needs {
  /** Sends a REGISTER; 0 takes the binding away. */
  register(expires: number): Promise<SipResponse>
}

const firstRetryMs = 1000
const longestRetryMs = 60_000

/** The client's registration (RFC 3261 §10.2): made, refreshed before it ends, made again when its flow closes. */
export class Registration {
  /** The same in all REGISTER requests of one client (§10.2.4). */
  readonly callId = randomUUID()
  readonly #needs: Needs
  /** What is asked for; undefined while there is to be no registration. */
  #expires: number | undefined
  #timer: NodeJS.Timeout | undefined
  #retryMs = firstRetryMs

  constructor(needs: Needs) {
    this.#needs = needs
  }

  async start(expires: number): Promise<SipResponse> {
    this.#expires = expires
    const response = await this.#needs.register(expires)
    if (response.status !== 200) this.#expires = undefined
    else this.#schedule(1000 * refreshAfter(response, expires))
    return response
  }

  stop(): Promise<SipResponse> {
    this.#expires = undefined
    clearTimeout(this.#timer)
    return this.#needs.register(0)
  }

  async close(): Promise<void> {
    if (this.#expires !== undefined) await this.stop()
  }

  /** The server reaches us over it alone, so the registration is worth nothing now. */
  onFlowClosed(): void {
    if (this.#expires !== undefined) this.#schedule(firstRetryMs)
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#refresh(), ms)
  }

  async #refresh(): Promise<void> {
    if (this.#expires === undefined) return
    const response = await this.#needs.register(this.#expires)
    if (this.#expires === undefined) return
    if (response.status === 200) {
      this.#retryMs = firstRetryMs
      this.#schedule(1000 * refreshAfter(response, this.#expires))
    } else {
      this.#schedule(this.#retryMs)
      this.#retryMs = Math.min(2 * this.#retryMs, longestRetryMs)
    }
  }
}

/** Seconds until the refresh: well before the end of what was granted (§10.2.4). */
function refreshAfter(response: SipResponse, asked: number): number {
  const granted = readNameAddrs(response.headers.all('contact'))
    .map(({ params }) => Number(params.get('expires')))
    .filter((seconds) => seconds > 0)
  const seconds = granted.length > 0 ? Math.min(...granted) : Number(response.headers.get('expires') ?? asked)
  return Math.max(1, seconds * 0.8)
}
