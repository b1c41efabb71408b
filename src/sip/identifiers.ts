import { randomBytes } from 'node:crypto'
import type { SipRequest } from '../protocols/sip/message.ts'
import { magicCookie } from './transaction/transaction-layer.ts'

/** Branches and tags: a random part that no other run has, and a count (RFC 3261 §8.1.1.7, §19.3). */
export class Identifiers {
  readonly #random = randomBytes(8).toString('hex')
  /** Begins each branch made here. */
  readonly branchPrefix = `${magicCookie}${this.#random}.`
  /** The To tag of responses for which no state is kept: the same in each of them (RFC 3261 §8.2.7). */
  readonly statelessTag = `${this.#random}.0`
  /** Stands for the host of one that cannot be connected to (RFC 7118 §5.2.1). */
  readonly nameless = `${this.#random}.invalid`
  #count = 0

  /** `receivedUri`: the request-URI of a request that is passed on, by which a loop is known (RFC 3261 §16.6 item 8). */
  newBranch(receivedUri?: string): string {
    const branch = `${this.branchPrefix}${(++this.#count).toString(36)}`
    return receivedUri === undefined ? branch : `${branch}.${markOf(receivedUri)}`
  }

  /** Whether a request has passed here with the request-URI that it has now (RFC 3261 §16.3 item 4). */
  isLoop({ headers, uri }: SipRequest): boolean {
    const vias = headers.all('via')
    if (vias.length === 1 && !(vias[0] as string).includes(',')) return false
    const own = vias.join(',').split(this.branchPrefix).slice(1)
    return own.length > 0 && own.some((rest) => /^\w+\.(\w+)/.exec(rest)?.[1] === markOf(uri))
  }

  newTag(): string {
    return `${this.#random}.${(++this.#count).toString(36)}`
  }
}

/** FNV-1a, 32 bits: only a request that came round would have ours in a branch of ours. */
function markOf(uri: string): string {
  let hash = 0x811c9dc5
  for (let at = 0; at < uri.length; at++) hash = Math.imul(hash ^ uri.charCodeAt(at), 0x01000193)
  return (hash >>> 0).toString(36)
}
