import { canonicalName } from './header-names.ts'

/**
 * The header fields of a message, in order, found once and parsed when asked for. Values are latin1 strings, one
 * character a byte: what came as UTF-8 leaves as the same bytes. Names are asked for in canonical form (lower case, long).
 */
export class Headers {
  readonly #names: string[]
  readonly #written: string[]
  readonly #values: string[]

  constructor(fields: Iterable<readonly [name: string, value: string]> = []) {
    this.#names = []
    this.#written = []
    this.#values = []
    for (const [name, value] of fields) this.add(name, value)
  }

  get size(): number {
    return this.#names.length
  }

  /** The first value under `name`. */
  get(name: string): string | undefined {
    const at = this.#names.indexOf(name)
    return at === -1 ? undefined : this.#values[at]
  }

  /** All values under `name`, one for each header line. */
  all(name: string): string[] {
    const found: string[] = []
    for (let at = this.#names.indexOf(name); at !== -1; at = this.#names.indexOf(name, at + 1)) {
      found.push(this.#values[at] as string)
    }
    return found
  }

  has(name: string): boolean {
    return this.#names.includes(name)
  }

  /** Adds a line at the end; `written` is the name as it is to appear. */
  add(written: string, value: string): this {
    this.#names.push(canonicalName(written))
    this.#written.push(written)
    this.#values.push(value)
    return this
  }

  /** Adds a line at the top, as a proxy does with Via, Route and Record-Route. */
  prepend(written: string, value: string): this {
    this.#names.unshift(canonicalName(written))
    this.#written.unshift(written)
    this.#values.unshift(value)
    return this
  }

  /** Replaces the first line of that name in its place and removes the others; adds one where there was none. */
  set(written: string, value: string): this {
    const name = canonicalName(written)
    const at = this.#names.indexOf(name)
    if (at === -1) return this.add(written, value)
    this.#values[at] = value
    for (let next = this.#names.indexOf(name, at + 1); next !== -1; next = this.#names.indexOf(name, next)) {
      this.#removeAt(next)
    }
    return this
  }

  /** Replaces the first line of that name and leaves the others. */
  setFirst(name: string, value: string): this {
    const at = this.#names.indexOf(name)
    if (at !== -1) this.#values[at] = value
    return this
  }

  remove(name: string): this {
    for (let at = this.#names.indexOf(name); at !== -1; at = this.#names.indexOf(name, at)) this.#removeAt(at)
    return this
  }

  /** Removes the first line of that name and leaves the others. */
  removeFirst(name: string): this {
    const at = this.#names.indexOf(name)
    if (at !== -1) this.#removeAt(at)
    return this
  }

  /** A copy without the named fields: what a relay starts from. */
  without(names: ReadonlySet<string>): Headers {
    const copy = new Headers()
    for (let at = 0; at < this.#names.length; at++) {
      const name = this.#names[at] as string
      if (names.has(name)) continue
      copy.#names.push(name)
      copy.#written.push(this.#written[at] as string)
      copy.#values.push(this.#values[at] as string)
    }
    return copy
  }

  clone(): Headers {
    return this.without(nothing)
  }

  /** Canonical name, name as written, value; in order. */
  *entries(): Generator<readonly [name: string, written: string, value: string]> {
    for (let at = 0; at < this.#names.length; at++) {
      yield [this.#names[at] as string, this.#written[at] as string, this.#values[at] as string]
    }
  }

  /** The lines as they go to the wire, each with its CRLF. */
  toText(): string {
    let text = ''
    for (let at = 0; at < this.#names.length; at++) text += `${this.#written[at]}: ${this.#values[at]}\r\n`
    return text
  }

  #removeAt(at: number): void {
    this.#names.splice(at, 1)
    this.#written.splice(at, 1)
    this.#values.splice(at, 1)
  }
}

const nothing: ReadonlySet<string> = new Set()
