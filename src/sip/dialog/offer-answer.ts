import type { Content } from './dialog-user.ts'
import { describes } from './session-description.ts'

/** Who owes the answer: to an offer of ours the peer, to one of the peer's this end. */
type State = 'none' | 'local-offer' | 'remote-offer' | 'stable'

/** Where a dialog is in the exchange of offers and answers (RFC 3264 §4, RFC 6337 §2.2): one at a time. */
export class OfferAnswer {
  #state: State = 'none'
  #before: 'none' | 'stable' = 'none'
  #offered: Content | undefined
  #local: Content | undefined
  #exchange = 0

  get state(): State {
    return this.#state
  }

  get canOffer(): boolean {
    return this.#state === 'none' || this.#state === 'stable'
  }

  /** The session description of this end that is in force. */
  get local(): Content | undefined {
    return this.#local
  }

  /** How an offer of the peer's is to be refused now: our own is on its way, or its last one waits (RFC 3311 §5.2). */
  get refusal(): 491 | 500 | undefined {
    if (this.#state === 'local-offer') return 491
    return this.#state === 'remote-offer' ? 500 : undefined
  }

  /** Returns the number of the exchange that begins. */
  offeredHere(content: Content): number {
    this.#offered = content
    return this.#begin('local-offer')
  }

  offeredByPeer(): number {
    return this.#begin('remote-offer')
  }

  /** Whether the peer's offer of that exchange waits for an answer. */
  owes(exchange: number | undefined): boolean {
    return this.#state === 'remote-offer' && exchange === this.#exchange
  }

  /** What is sent answers the peer's offer, if there is one and this is an answer. */
  answeredHere(content: Content): void {
    if (this.#state === 'remote-offer' && describes(content)) this.#settle(content)
  }

  /** The peer has answered. */
  answeredByPeer(): void {
    if (this.#state === 'local-offer') this.#settle(this.#offered)
  }

  /** The offer of that exchange came to nothing: all is as before it (RFC 3261 §14.1). */
  rejected(exchange: number | undefined): void {
    if (this.canOffer || exchange !== this.#exchange) return
    this.#state = this.#before
    this.#offered = undefined
  }

  #begin(state: 'local-offer' | 'remote-offer'): number {
    if (this.canOffer) this.#before = this.#state === 'stable' ? 'stable' : 'none'
    this.#state = state
    return ++this.#exchange
  }

  #settle(local: Content | undefined): void {
    this.#state = 'stable'
    this.#offered = undefined
    this.#local = local === undefined ? undefined : described(local)
  }
}

/** What is needed to say a session description again: the body, and what tells of it. */
function described({ headers = [], body }: Content): Content {
  return { headers: headers.filter(([name]) => /^content-/i.test(name)), ...(body && { body: ownCopy(body) }) }
}

/** Keeps alive neither the message that it came in, nor the 8 KiB that Node's short buffers share. */
function ownCopy(body: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(body.length)
  body.copy(copy)
  return copy
}
