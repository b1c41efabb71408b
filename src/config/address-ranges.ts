import { BlockList, isIPv6 } from 'node:net'

/** Addresses and ranges (CIDR) as `sip.trustedPeers` gives them. */
export class AddressRanges {
  readonly #list = new BlockList()
  readonly #empty: boolean
  /** Asked for each request: a list that is walked once for an address need not be walked again. */
  readonly #known = new Map<string, boolean>()
  constructor(ranges: readonly string[]) {
    this.#empty = ranges.length === 0
    for (const range of ranges) this.#add(range)
  }

  #add(range: string): void {
    const [address = '', bits] = range.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) this.#list.addAddress(address, family)
    else this.#list.addSubnet(address, Number(bits), family)
  }

  includes(address: string): boolean {
    if (this.#empty) return false
    const known = this.#known.get(address)
    if (known !== undefined) return known
    if (this.#known.size >= 10_000) this.#known.clear()
    const included = this.#list.check(plainAddress(address), isIPv6(plainAddress(address)) ? 'ipv6' : 'ipv4')
    this.#known.set(address, included)
    return included
  }
}

/** A socket that listens on `::` names an IPv4 peer `::ffff:10.0.0.1`. */
const plainAddress = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '')
