import { exceeds, type StackLimits } from './limits.ts'

/** What is known of one remote address. */
export interface SourceRecord {
  readonly trusted: boolean
  connections: number
  /** The second that `requests` counts. */
  second: number
  requests: number
}

/** A request over the limit is refused once a second, with a 503; after that there is silence. */
export type Admission = 'admitted' | 'refused' | 'ignored'

const mostRecords = 50_000

/** Counts connections and requests by remote address. Bounded: addresses in datagrams can be invented. */
export class Sources {
  readonly #limits: StackLimits
  readonly #isTrusted: (address: string) => boolean
  readonly #now: () => number
  readonly #records = new Map<string, SourceRecord>()
  #connections = 0

  constructor(limits: StackLimits, isTrusted: (address: string) => boolean, now: () => number) {
    this.#limits = limits
    this.#isTrusted = isTrusted
    this.#now = now
  }

  of(address: string): SourceRecord {
    const known = this.#records.get(address)
    if (known !== undefined) return known
    if (this.#records.size >= mostRecords) this.#forgetSome()
    const record = { trusted: this.#isTrusted(address), connections: 0, second: 0, requests: 0 }
    this.#records.set(address, record)
    return record
  }

  admitRequest(record: SourceRecord): Admission {
    const bound = this.#limits.requestsPerSecond
    if (record.trusted || bound === 0) return 'admitted'
    const second = Math.floor(this.#now() / 1000)
    if (record.second !== second) {
      record.second = second
      record.requests = 0
    }
    record.requests++
    if (record.requests <= bound) return 'admitted'
    return record.requests === bound + 1 ? 'refused' : 'ignored'
  }

  /** Counts a connection in, unless there are too many, in all or of that source. */
  admitConnection(record: SourceRecord): boolean {
    if (exceeds(this.#connections + 1, this.#limits.connections)) return false
    if (!record.trusted && exceeds(record.connections + 1, this.#limits.connectionsPerSource)) return false
    record.connections++
    this.#connections++
    return true
  }

  releaseConnection(record: SourceRecord): void {
    record.connections--
    this.#connections--
  }

  #forgetSome(): void {
    let left = mostRecords / 10
    for (const [address, record] of this.#records) {
      if (record.connections > 0) continue
      this.#records.delete(address)
      if (--left === 0) return
    }
  }
}
