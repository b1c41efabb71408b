import { Refusal } from './refusal.ts'

interface Limits {
  /** Uploads and downloads at once. */
  readonly most: number
  /** Uploads of one user. Behind one address there may be many, who share half of all places. */
  readonly ofUser: number
}

/** How many files are on their way, so that all of them together have bounded room. */
export class Transfers {
  readonly limit: number
  readonly #ofUser: number
  readonly #ofAddress: number
  readonly #counts = new Map<string, number>()
  inUse = 0
  peak = 0

  constructor({ most, ofUser }: Limits) {
    this.limit = most
    this.#ofUser = ofUser
    this.#ofAddress = Math.ceil(most / 2)
  }

  /** Both take a place and give what frees it, or throw a Refusal. */
  upload = (user: number) => this.#begin(`user ${user}`, this.#ofUser)
  download = (address: string) => this.#begin(`address ${address}`, this.#ofAddress)

  #begin(who: string, most: number): () => void {
    const count = this.#counts.get(who) ?? 0
    if (this.inUse >= this.limit || count >= most) {
      throw new Refusal(503, 'Overloaded', 'too many files are on their way', { 'retry-after': '5' })
    }
    this.#counts.set(who, count + 1)
    this.peak = Math.max(this.peak, ++this.inUse)
    let over = false
    return () => {
      if (over) return
      over = true
      this.inUse--
      this.#forget(who)
    }
  }

  #forget(who: string): void {
    const left = (this.#counts.get(who) ?? 1) - 1
    if (left === 0) this.#counts.delete(who)
    else this.#counts.set(who, left)
  }
}
