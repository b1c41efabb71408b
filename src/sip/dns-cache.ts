import type { NaptrRecord, SrvRecord } from 'node:dns'
import { lookup, Resolver } from 'node:dns/promises'

export interface AddressRecord {
  readonly address: string
  readonly ttl: number
}

/** What the resolver asks of the DNS. No record of that type, or no such name, is an empty list. */
export interface Dns {
  naptr(name: string): Promise<readonly NaptrRecord[]>
  srv(name: string): Promise<readonly SrvRecord[]>
  addresses(name: string): Promise<readonly string[]>
}

interface Entry {
  readonly answer: Promise<readonly unknown[]>
  until: number
}

const mostEntries = 5000
/** In milliseconds. Node tells no TTL of NAPTR and SRV. */
const unknownTtl = 60_000
const shortestTtl = 1000
const longestTtl = 3600_000
const nothingTtl = 30_000
const failureTtl = 2000
const none = new Set(['ENODATA', 'ENOTFOUND', 'NXDOMAIN'])

/** Asks the DNS and remembers for as long as the records say, within bounds. A question under way is asked once. */
export class DnsCache implements Dns {
  readonly #resolver: Resolver
  readonly #hasOwnServer: boolean
  readonly #now: () => number
  readonly #entries = new Map<string, Entry>()

  /** `server` is asked instead of the system's: `address`, `address:port`. */
  constructor(server: string | undefined, now: () => number) {
    this.#now = now
    this.#hasOwnServer = server !== undefined
    this.#resolver = new Resolver({ timeout: 1500, tries: 2 })
    if (server !== undefined) this.#resolver.setServers([server])
  }

  naptr(name: string): Promise<readonly NaptrRecord[]> {
    return this.#ask(`NAPTR ${name}`, () => this.#resolver.resolveNaptr(name))
  }

  srv(name: string): Promise<readonly SrvRecord[]> {
    return this.#ask(`SRV ${name}`, () => this.#resolver.resolveSrv(name))
  }

  async addresses(name: string): Promise<readonly string[]> {
    const [four, six] = await Promise.all([
      this.#ask(`A ${name}`, () => this.#resolver.resolve4(name, { ttl: true })),
      this.#ask(`AAAA ${name}`, () => this.#resolver.resolve6(name, { ttl: true })),
    ])
    const found = [...four, ...six].map(({ address }) => address)
    return found.length > 0 || this.#hasOwnServer ? found : this.#ask(`hosts ${name}`, () => systemLookup(name))
  }

  close(): void {
    this.#resolver.cancel()
    this.#entries.clear()
  }

  #ask<Item>(key: string, question: () => Promise<Item[]>): Promise<readonly Item[]> {
    const known = this.#entries.get(key)
    if (known !== undefined && this.#now() < known.until) return known.answer as Promise<readonly Item[]>
    if (this.#entries.size >= mostEntries) this.#forgetOldest()
    const entry: Entry = { answer: this.#answer(question, key), until: Number.POSITIVE_INFINITY }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.answer as Promise<readonly Item[]>
  }

  async #answer<Item>(question: () => Promise<Item[]>, key: string): Promise<Item[]> {
    try {
      const items = await question()
      this.#keepFor(key, items.length === 0 ? nothingTtl : ttlOf(items))
      return items
    } catch (err) {
      this.#keepFor(key, none.has((err as NodeJS.ErrnoException).code ?? '') ? nothingTtl : failureTtl)
      return []
    }
  }

  #keepFor(key: string, ttl: number): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) entry.until = this.#now() + ttl
  }

  #forgetOldest(): void {
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined) this.#entries.delete(oldest)
  }
}

/** The hosts file and what else the system knows, which a DNS server does not. */
async function systemLookup(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true, order: 'ipv4first' })
  return found.map(({ address }) => address)
}

function ttlOf(items: readonly unknown[]): number {
  const ttls = items.map((item) => (item as Partial<AddressRecord>).ttl)
  const known = ttls.filter((ttl) => ttl !== undefined)
  if (known.length === 0) return unknownTtl
  return Math.min(Math.max(1000 * Math.min(...known), shortestTtl), longestTtl)
}
