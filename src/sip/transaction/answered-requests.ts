import type { Timer, TimerTarget, TimerWheel } from '../timer-wheel.ts'
import { lifetime } from './timers.ts'

const slabBytes = 64 * 1024
const lengthBytes = 4
/** A slab takes responses for so long at the most: what is kept together goes together. */
const slabAge = 1000

/** Responses that were sent within the same second or less. */
class Slab {
  readonly bytes: Buffer
  readonly keys: string[] = []
  readonly openedAt: number
  used = 0
  constructor(size: number, openedAt: number) {
    this.bytes = Buffer.allocUnsafeSlow(size)
    this.openedAt = openedAt
  }
}

/**
 * The Completed state of server transactions that are no INVITE, over UDP (RFC 3261 §17.2.2): the response, for
 * retransmissions, until timer J. There may be 300,000 at once, so each is a key and a number here, and no object: the
 * garbage collector has as little to look at as can be. Timer J fires within a second or two of its time, never before.
 */
export class AnsweredRequests implements TimerTarget<'J'> {
  readonly #wheel: TimerWheel
  /** Where the response is: the number of its slab, and the place in it. */
  readonly #places = new Map<string, number>()
  readonly #slabs: Slab[] = []
  /** The number of the first of `#slabs`. */
  #first = 0
  #timer: Timer | undefined

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel
  }

  get size(): number {
    return this.#places.size
  }

  keep(key: string, response: Buffer): void {
    const slab = this.#slabFor(lengthBytes + response.length)
    this.#places.set(key, (this.#first + this.#slabs.length - 1) * slabBytes + slab.used)
    slab.keys.push(key)
    slab.used = slab.bytes.writeUInt32BE(response.length, slab.used)
    slab.used += response.copy(slab.bytes, slab.used)
    this.#timer ??= this.#wheel.set(slabAge, this, 'J')
  }

  /** The response to a request that was answered, if it was. */
  find(key: string): Buffer | undefined {
    const place = this.#places.get(key)
    if (place === undefined) return undefined
    const slab = this.#slabs[Math.floor(place / slabBytes) - this.#first] as Slab
    const from = place % slabBytes
    return slab.bytes.subarray(from + lengthBytes, from + lengthBytes + slab.bytes.readUInt32BE(from))
  }

  onTimer(): void {
    this.#timer = undefined
    const now = this.#wheel.now()
    for (let slab = this.#slabs[0]; slab !== undefined && isOver(slab, now); slab = this.#slabs[0]) {
      for (const key of slab.keys) this.#places.delete(key)
      this.#slabs.shift()
      this.#first++
    }
    if (this.#slabs.length > 0) this.#timer = this.#wheel.set(slabAge, this, 'J')
  }

  #slabFor(size: number): Slab {
    const now = this.#wheel.now()
    const last = this.#slabs.at(-1)
    if (last !== undefined && last.used + size <= last.bytes.length && now - last.openedAt < slabAge) return last
    const slab = new Slab(Math.max(size, slabBytes), now)
    this.#slabs.push(slab)
    return slab
  }
}

/** The last response of a slab came at most `slabAge` after it was opened. */
const isOver = (slab: Slab, now: number) => now >= slab.openedAt + slabAge + lifetime
