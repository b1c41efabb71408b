const slabBytes = 64 * 1024

/** The bytes of one response, in a slab they share with others of about the same time. */
export class KeptResponse {
  readonly #slab: Buffer
  readonly #from: number
  readonly #to: number
  constructor(slab: Buffer, from: number, to: number) {
    this.#slab = slab
    this.#from = from
    this.#to = to
  }
  get bytes(): Buffer {
    return this.#slab.subarray(this.#from, this.#to)
  }
}

/**
 * Holds responses for timer J. There may be 200,000 at once, and a Buffer of its own costs each more than its bytes: they
 * are copied into slabs. What is kept at the same time goes at the same time, so a slab is not held for long by its last.
 */
export class KeptResponses {
  #slab: Buffer = Buffer.alloc(0)
  #used = 0

  keep(bytes: Buffer): KeptResponse {
    if (bytes.length > slabBytes / 4) return new KeptResponse(Buffer.from(bytes), 0, bytes.length)
    if (this.#used + bytes.length > this.#slab.length) this.#next()
    const from = this.#used
    bytes.copy(this.#slab, from)
    this.#used += bytes.length
    return new KeptResponse(this.#slab, from, this.#used)
  }

  #next(): void {
    this.#slab = Buffer.allocUnsafeSlow(slabBytes)
    this.#used = 0
  }
}
