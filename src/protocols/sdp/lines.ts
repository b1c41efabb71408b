import { MalformedSdp } from './malformed-sdp.ts'

/** The lines of a session description, taken from the top. */
export class Lines {
  readonly #lines: readonly string[]
  #at = 0
  constructor(lines: readonly string[]) {
    this.#lines = lines
  }

  /** The number of the line that was taken last. */
  get number(): number {
    return this.#at
  }

  get isAtEnd(): boolean {
    return this.#at === this.#lines.length
  }

  /** Takes a line of `type` that must come now. */
  one(type: string, pattern: RegExp): RegExpExecArray {
    return this.optional(type, pattern) ?? this.refuse(`${type}= expected`)
  }

  /** Takes a line of `type` if it comes now. */
  optional(type: string, pattern: RegExp): RegExpExecArray | undefined {
    const line = this.#lines[this.#at]
    if (line === undefined || line[0] !== type || line[1] !== '=') return undefined
    const found = pattern.exec(line.slice(2)) ?? this.refuse(`not a ${type}= line by its grammar`)
    this.#at++
    return found
  }

  /** Takes all lines of `type` that come now, each read at once, so that a fault is that line's. */
  all<Value>(type: string, pattern: RegExp, read: (found: RegExpExecArray) => Value): Value[] {
    const values: Value[] = []
    for (let found = this.optional(type, pattern); found; found = this.optional(type, pattern)) values.push(read(found))
    return values
  }

  /** What is wrong with the line that comes now. */
  refuse(reason: string): never {
    throw new MalformedSdp(this.#at + 1, this.#lines[this.#at] ?? '', reason)
  }

  /** What is wrong with the line that was taken as number `line`. */
  refuseLine(line: number, reason: string): never {
    throw new MalformedSdp(line, this.#lines[line - 1] ?? '', reason)
  }
}
