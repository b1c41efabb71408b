import { addressOfRecord } from '../../protocols/sip/address-of-record.ts'
import { readUri } from '../../protocols/sip/uri.ts'

interface Needs {
  readonly domain: string
  /** Whether a host is this server: its domain, or one of its own addresses. */
  readonly isOwnHost: (host: string, port: number | undefined) => boolean
}

/** Texts that are remembered, in each of two generations. */
const most = 20_000
const longest = 300

/** Whom a URI names. The same few users are named again and again, so what was read is remembered for a while. */
export class Addresses {
  readonly #needs: Needs
  #young = new Map<string, string | null>()
  #old = new Map<string, string | null>()
  constructor(needs: Needs) {
    this.#needs = needs
  }

  /**
   * The canonical address of record, the domain in the place of one of our own addresses: a client may know its server
   * by number only. Undefined when the URI names nobody.
   */
  of(uri: string): string | undefined {
    const known = this.#young.get(uri) ?? this.#old.get(uri)
    if (known !== undefined) return known ?? undefined
    const address = this.#read(uri)
    this.#keep(uri, address)
    return address
  }

  isLocal(aor: string): boolean {
    return aor.startsWith('tel:') || aor.endsWith(`@${this.#needs.domain}`)
  }

  #read(uri: string): string | undefined {
    const address = addressOfRecord(uri)
    if (address === undefined || !address.startsWith('sip:')) return address
    const { host, port } = readUri(uri)
    if (!this.#needs.isOwnHost(host, port)) return address
    const at = address.lastIndexOf('@')
    return at === -1 ? `sip:${this.#needs.domain}` : `${address.slice(0, at + 1)}${this.#needs.domain}`
  }

  #keep(uri: string, address: string | undefined): void {
    if (uri.length > longest) return
    if (this.#young.size >= most) {
      this.#old = this.#young
      this.#young = new Map()
    }
    // A copy: `uri` may be a slice that would keep a whole message alive.
    this.#young.set(Buffer.from(uri, 'latin1').toString('latin1'), address ?? null)
  }
}
