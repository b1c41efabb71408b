import { MalformedBencode } from './malformed-bencode.ts'

/** A value of bencode (BEP 3). Strings are latin1: one char is one byte. */
export type Bencode = number | string | readonly Bencode[] | Dictionary

export interface Dictionary {
  readonly [key: string]: Bencode
}

/** Lists and dictionaries in each other; beyond that nobody means well. */
const maxDepth = 32
const digits = /^(?:0|-?[1-9]\d{0,15})$/

/** The bytes of a value. Keys are written in their order, as BEP 3 has it. */
export const writeBencode = (value: Bencode): Buffer => Buffer.from(textOf(value), 'latin1')

/** Reads one value, which is all that `bytes` holds. Throws MalformedBencode. */
export function readBencode(bytes: Buffer): Bencode {
  const reader = new Reader(bytes.toString('latin1'))
  const value = reader.take(0)
  if (!reader.atEnd) throw new MalformedBencode('more than one value')
  return value
}

export const isDictionary = (value: Bencode | undefined): value is Dictionary =>
  typeof value === 'object' && !Array.isArray(value)

function textOf(value: Bencode): string {
  if (typeof value === 'number') return `i${value}e`
  if (typeof value === 'string') return `${value.length}:${value}`
  if (!isDictionary(value)) return `l${value.map(textOf).join('')}e`
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return `d${entries.map(([key, of]) => textOf(key) + textOf(of)).join('')}e`
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get atEnd(): boolean {
    return this.#at === this.#text.length
  }

  take(depth: number): Bencode {
    if (depth > maxDepth) throw new MalformedBencode('too deep')
    const kind = this.#text[this.#at]
    if (kind === 'i') return this.#takeInteger()
    if (kind === 'l') return this.#takeList(depth)
    if (kind === 'd') return this.#takeDictionary(depth)
    return this.#takeString()
  }

  #takeInteger(): number {
    this.#at++
    const value = Number(this.#takeDigits('e'))
    if (!Number.isSafeInteger(value)) throw new MalformedBencode('an integer beyond 53 bits')
    return value
  }

  #takeString(): string {
    const length = Number(this.#takeDigits(':'))
    const end = this.#at + length
    if (length < 0 || end > this.#text.length) throw new MalformedBencode('a string longer than what there is')
    const value = this.#text.slice(this.#at, end)
    this.#at = end
    return value
  }

  #takeList(depth: number): readonly Bencode[] {
    this.#at++
    const values: Bencode[] = []
    while (!this.#takeEnd()) values.push(this.take(depth + 1))
    return values
  }

  /** In any order: not all who write bencode sort. */
  #takeDictionary(depth: number): Dictionary {
    this.#at++
    const entries: Record<string, Bencode> = Object.create(null)
    while (!this.#takeEnd()) {
      const key = this.#takeString()
      if (key in entries) throw new MalformedBencode('a key that repeats')
      entries[key] = this.take(depth + 1)
    }
    return entries
  }

  #takeEnd(): boolean {
    if (this.#text[this.#at] !== 'e') return false
    this.#at++
    return true
  }

  #takeDigits(end: string): string {
    const at = this.#text.slice(this.#at, this.#at + 18).indexOf(end)
    const found = this.#text.slice(this.#at, this.#at + Math.max(at, 0))
    if (at === -1 || !digits.test(found)) throw new MalformedBencode('no number where one must be')
    this.#at += at + 1
    return found
  }
}
