import { canonicalName } from './header-names.ts'

/**
 * The header fields of a message, in order, found once and parsed when asked for. Values are latin1 strings, one
 * character a byte: what came as UTF-8 leaves as the same bytes. Names are asked for in canonical form: lower case, long.
 */
export class Headers {
  #lines: Line[] = []

  constructor(fields: Iterable<readonly [name: string, value: string]> = []) {
    for (const [name, value] of fields) this.add(name, value)
  }

  get size(): number {
    return this.#lines.length
  }

  /** The first value under `name`. */
  get(name: string): string | undefined {
    for (const line of this.#lines) if (line.name === name) return line.value
    return undefined
  }

  /** All values under `name`, one for each header line. */
  all(name: string): string[] {
    const found: string[] = []
    for (const line of this.#lines) if (line.name === name) found.push(line.value)
    return found
  }

  has(name: string): boolean {
    return this.#indexOf(name) !== -1
  }

  /** Adds a line at the end; `written` is the name as it is to appear. */
  add(written: string, value: string): this {
    this.#lines.push(newLine(written, value))
    return this
  }

  /** Adds the line of `source` that begins at `from`, has its value at `valueFrom` and its CRLF at `to`. */
  addRead(name: string, source: string, from: number, valueFrom: number, to: number): void {
    this.#lines.push(new Line(name, source, from, valueFrom, to))
  }

  /** Adds a line at the top, as a proxy does with Via, Route and Record-Route. */
  prepend(written: string, value: string): this {
    this.#lines.unshift(newLine(written, value))
    return this
  }

  /** Replaces the first line of that name in its place and removes the others; adds one where there was none. */
  set(written: string, value: string): this {
    const line = newLine(written, value)
    const at = this.#indexOf(line.name)
    if (at === -1) this.#lines.push(line)
    else this.#lines = this.#lines.flatMap((old, index) => (index === at ? line : old.name === line.name ? [] : old))
    return this
  }

  /** Replaces the first line of that name and leaves the others. */
  setFirst(name: string, value: string): this {
    const at = this.#indexOf(name)
    if (at !== -1) this.#lines[at] = newLine((this.#lines[at] as Line).written, value)
    return this
  }

  remove(name: string): this {
    if (this.has(name)) this.#lines = this.#lines.filter((line) => line.name !== name)
    return this
  }

  /** Removes the first line of that name and leaves the others. */
  removeFirst(name: string): this {
    const at = this.#indexOf(name)
    if (at !== -1) this.#lines.splice(at, 1)
    return this
  }

  /** A copy without the named fields: what a relay starts from. */
  without(names: ReadonlySet<string>): Headers {
    const copy = new Headers()
    for (const line of this.#lines) if (!names.has(line.name)) copy.#lines.push(line)
    return copy
  }

  clone(): Headers {
    const copy = new Headers()
    copy.#lines = this.#lines.slice()
    return copy
  }

  /** Canonical name, name as written, value; in order. */
  *entries(): Generator<readonly [name: string, written: string, value: string]> {
    for (const line of this.#lines) yield [line.name, line.written, line.value]
  }

  /** The first name that more than one line has, of those in `single`; each has a bit of its own there. */
  repeated(single: ReadonlyMap<string, number>): string | undefined {
    let met = 0
    for (const line of this.#lines) {
      const bit = single.get(line.name) ?? 0
      if ((met & bit) !== 0) return line.name
      met |= bit
    }
    return undefined
  }

  /** The lines for the wire, each with its CRLF, but those named `except`. What came together leaves as one slice. */
  toText(except?: string): string {
    let text = ''
    for (let at = 0; at < this.#lines.length; ) {
      const first = this.#lines[at++] as Line
      if (first.name === except) continue
      let last = first
      for (let next = this.#lines[at]; next?.follows(last) && next.name !== except; next = this.#lines[at]) {
        last = next
        at++
      }
      text += first.source.slice(first.from, last.to + 2)
    }
    return text
  }

  #indexOf(name: string): number {
    for (let at = 0; at < this.#lines.length; at++) if (this.#lines[at]?.name === name) return at
    return -1
  }
}

/** A header line within the text it came in, CRLF included. It never changes, so that copies of Headers share it. */
class Line {
  readonly name: string
  readonly source: string
  readonly from: number
  readonly to: number
  readonly #valueFrom: number
  #value: string | undefined
  constructor(name: string, source: string, from: number, valueFrom: number, to: number) {
    this.name = name
    this.source = source
    this.from = from
    this.to = to
    this.#valueFrom = valueFrom
    this.#value = undefined
  }

  get value(): string {
    if (this.#value === undefined) this.#value = this.source.slice(this.#valueFrom, this.to)
    return this.#value
  }

  get written(): string {
    return this.source.slice(this.from, this.source.indexOf(':', this.from)).trimEnd()
  }

  follows(other: Line): boolean {
    return this.from === other.to + 2 && this.source === other.source
  }
}

function newLine(written: string, value: string): Line {
  const source = `${written}: ${value}\r\n`
  return new Line(canonicalName(written), source, 0, written.length + 2, source.length - 2)
}
