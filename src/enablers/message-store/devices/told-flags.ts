/** Of a device and an object: what the device knows of it. */
export interface Known {
  readonly owner: number
  readonly device: string
  readonly id: string
}

/** Of an object that is gone. */
export const gone = 'gone'

/**
 * What devices have been told of late, or have done themselves, so that they do not hear of it again. Two generations: what
 * nobody asked for while `most` others came is forgotten, and then told once more, which does no harm.
 */
export class ToldFlags {
  readonly #most: number
  #young = new Map<string, string>()
  #old = new Map<string, string>()

  constructor(most = 100_000) {
    this.#most = most
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  has(known: Known, flags: string): boolean {
    const key = keyOf(known)
    return (this.#young.get(key) ?? this.#old.get(key)) === flags
  }

  /** The device has changed a flag itself. What others have changed meanwhile it does not know by that. */
  change(known: Known, name: 'add' | 'remove', flag: string): void {
    const key = keyOf(known)
    const before = this.#young.get(key) ?? this.#old.get(key)
    if (before === undefined || before === gone) return
    const flags = before.split(' ').filter((one) => one !== '' && one !== flag.toLowerCase())
    this.set(known, flagsKey(name === 'add' ? [...flags, flag] : flags))
  }

  set(known: Known, flags: string): void {
    if (this.#young.size >= this.#most) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(keyOf(known), flags)
  }
}

/** Flags as they are compared: without regard to case and order. */
export const flagsKey = (flags: readonly string[]): string =>
  flags
    .map((flag) => flag.toLowerCase())
    .sort()
    .join(' ')

/** An id may be written with hyphens or without. */
const keyOf = ({ owner, device, id }: Known): string => `${owner} ${id.replaceAll('-', '')} ${device}`
