/** A part of what two parties have said, one in each channel, and where it belongs. */
export interface SoundPart {
  /** In frames: one sample of each channel. */
  readonly at: number
  /** Little-endian samples of 16 bits. */
  readonly samples: Buffer
}

/** Bytes of a frame. */
export const frameBytes = 4

/** Puts what comes of two parties, late and out of order, where it belongs in time. */
export class StereoTimeline {
  readonly #frames: number
  /** A ring: a position has its place in it for as long as it is within the window. */
  readonly #samples: Int16Array
  /** The first position that was not taken. */
  #start = 0
  /** Anything was put in since. */
  #heard = false

  constructor(frames: number) {
    this.#frames = frames
    this.#samples = new Int16Array(2 * frames)
  }

  get start(): number {
    return this.#start
  }

  /** What is before or after the window is left out. */
  put(channel: 0 | 1, position: number, codes: Buffer, samples: Int16Array): void {
    const end = this.#start + this.#frames
    for (const [index, code] of codes.entries()) {
      const at = position + index
      if (at < this.#start || at >= end) continue
      this.#samples[2 * (at % this.#frames) + channel] = samples[code] as number
      this.#heard = true
    }
  }

  /** All before `position`; undefined where that is nothing but silence. */
  takeUpTo(position: number): SoundPart | undefined {
    const at = this.#start
    const count = Math.min(position - at, this.#frames)
    this.#start = Math.max(position, at)
    if (count <= 0 || !this.#heard) return undefined
    this.#heard = count < this.#frames
    const samples = Buffer.alloc(count * frameBytes)
    for (let index = 0; index < count; index++) {
      const place = 2 * ((at + index) % this.#frames)
      samples.writeInt16LE(this.#samples[place] as number, index * frameBytes)
      samples.writeInt16LE(this.#samples[place + 1] as number, index * frameBytes + 2)
      this.#samples[place] = 0
      this.#samples[place + 1] = 0
    }
    return { at, samples }
  }
}
