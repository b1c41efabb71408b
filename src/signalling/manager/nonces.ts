import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

interface Needs {
  /** Shared by all nodes, so that each knows the nonces of the others. */
  readonly key: Buffer
  readonly now: () => number
  readonly lifetimeMs: number
  /** Nonces whose use is remembered, in each of two generations. */
  readonly mostUsed?: number
}

/** Which counts of a nonce came: the highest, and a bit for each of the 32 below it, for they may come out of order. */
interface Uses {
  readonly madeAt: number
  highest: number
  seen: number
}

const timeBytes = 6
const randomPart = 6
const sealBytes = 12
const window = 32
const length = timeBytes + randomPart + sealBytes

/**
 * Nonces (RFC 7616 §5.4): the time, something random, and a seal over both, so that none has to be kept until it is
 * used. Of those used the counts are kept, in a bounded table; a nonce older than what the table has forgotten is stale.
 */
export class Nonces {
  readonly #needs: Needs
  readonly #most: number
  #young = new Map<string, Uses>()
  #old = new Map<string, Uses>()
  #youngSince: number
  #forgottenUntil: number
  constructor(needs: Needs) {
    this.#needs = needs
    this.#most = needs.mostUsed ?? 100_000
    this.#youngSince = needs.now()
    this.#forgottenUntil = this.#youngSince
  }

  make(): string {
    const bytes = Buffer.allocUnsafe(length)
    bytes.writeUIntBE(this.#needs.now(), 0, timeBytes)
    randomBytes(randomPart).copy(bytes, timeBytes)
    this.#seal(bytes).copy(bytes, timeBytes + randomPart)
    return bytes.toString('base64url')
  }

  /** Whether `nonce` is ours and fresh, and `count` of it comes for the first time. It is then used up. */
  use(nonce: string, count: number): boolean {
    const now = this.#needs.now()
    this.#rotate(now)
    const uses = this.#usesOf(nonce)
    if (uses === undefined) return this.#useFirst(nonce, count, now)
    return this.#isFresh(uses.madeAt, now) && countOnce(uses, count)
  }

  /** The seal is looked at once: what was used is known. */
  #useFirst(nonce: string, count: number, now: number): boolean {
    const madeAt = this.#timeOf(nonce)
    if (madeAt === undefined || !this.#isFresh(madeAt, now) || madeAt < this.#forgottenUntil) return false
    // A copy: `nonce` may be a slice that would keep a whole message alive.
    this.#young.set(Buffer.from(nonce, 'latin1').toString('latin1'), { madeAt, highest: count, seen: 1 })
    return true
  }

  #usesOf(nonce: string): Uses | undefined {
    const young = this.#young.get(nonce)
    if (young !== undefined) return young
    const old = this.#old.get(nonce)
    if (old === undefined) return undefined
    this.#old.delete(nonce)
    this.#young.set(nonce, old)
    return old
  }

  /** The clocks of two nodes may differ a little. */
  #isFresh(madeAt: number, now: number): boolean {
    return Math.abs(now - madeAt) <= this.#needs.lifetimeMs
  }

  /** When it was made; undefined where it is none of ours. */
  #timeOf(nonce: string): number | undefined {
    const bytes = Buffer.from(nonce, 'base64url')
    // The text too must be ours: of many that decode to the same bytes each would have counts of its own.
    if (bytes.length !== length || bytes.toString('base64url') !== nonce) return undefined
    const seal = bytes.subarray(timeBytes + randomPart)
    return timingSafeEqual(seal, this.#seal(bytes)) ? bytes.readUIntBE(0, timeBytes) : undefined
  }

  #seal(bytes: Buffer): Buffer {
    const sealed = bytes.subarray(0, timeBytes + randomPart)
    return createHmac('sha256', this.#needs.key).update(sealed).digest().subarray(0, sealBytes)
  }

  #rotate(now: number): void {
    if (this.#young.size < this.#most && now - this.#youngSince <= this.#needs.lifetimeMs) return
    this.#forgottenUntil = this.#youngSince
    this.#old = this.#young
    this.#young = new Map()
    this.#youngSince = now
  }
}

/** As the window of RFC 4303 §3.4.3: each count once, not too far behind the highest. */
function countOnce(uses: Uses, count: number): boolean {
  const ahead = count - uses.highest
  if (ahead > 0) {
    uses.seen = ahead >= window ? 1 : ((uses.seen << ahead) | 1) >>> 0
    uses.highest = count
    return true
  }
  const bit = ahead <= -window ? 0 : (1 << -ahead) >>> 0
  if (bit === 0 || (uses.seen & bit) !== 0) return false
  uses.seen = (uses.seen | bit) >>> 0
  return true
}
