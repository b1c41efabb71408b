import { MalformedMime } from './malformed-mime.ts'

export interface FormDataLimits {
  readonly parts: number
  /** Of the header fields of one part. */
  readonly headerBytes: number
}

export type FormDataEvent =
  | { readonly kind: 'part'; readonly headers: ReadonlyMap<string, string> }
  | { readonly kind: 'data'; readonly bytes: Buffer }
  /** The part is whole. */
  | { readonly kind: 'end' }

const lineBreak = Buffer.from('\r\n')
const headEnd = Buffer.from('\r\n\r\n')
const none = Buffer.alloc(0)
/** Spaces that may follow a boundary (RFC 2046 §5.1.1). */
const mostPadding = 128

/**
 * Reads multipart/form-data that comes in pieces cut anywhere (RFC 7578, RFC 2046 §5.1.1): bodies of parts pass on in
 * pieces and are never held. Preamble and epilogue are left out. Throws MalformedMime.
 */
export class FormDataReader {
  readonly #delimiter: Buffer
  readonly #limits: FormDataLimits
  #state: 'preamble' | 'boundary' | 'head' | 'start' | 'body' | 'epilogue' = 'preamble'
  /** What cannot be judged before more comes. A boundary may be at the very start: as if a line had ended there. */
  #rest: Buffer = lineBreak
  #parts = 0

  constructor(boundary: string, limits: FormDataLimits) {
    if (!/^[\x20-\x7e]{0,69}[\x21-\x7e]$/.test(boundary)) throw new MalformedMime('no boundary')
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
    this.#limits = limits
  }

  /** The last boundary has come. */
  get complete(): boolean {
    return this.#state === 'epilogue'
  }

  *read(bytes: Buffer): Generator<FormDataEvent> {
    if (this.#state === 'epilogue') return
    let left = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    this.#rest = none
    while (left.length > 0) {
      const before: string = this.#state
      const taken: number = yield* this.#take(left)
      left = left.subarray(taken)
      if (taken === 0 && this.#state === before) break
    }
    if (!this.complete) this.#rest = left
  }

  #take(bytes: Buffer): Generator<FormDataEvent, number> {
    switch (this.#state) {
      case 'preamble':
      case 'body':
        return this.#takeBody(bytes)
      case 'boundary':
        return this.#takeBoundary(bytes)
      case 'head':
        return this.#takeHead(bytes)
      case 'start':
        return this.#takeStart(bytes)
      case 'epilogue':
        return skipAll(bytes)
    }
  }

  *#takeBody(bytes: Buffer): Generator<FormDataEvent, number> {
    const inPart = this.#state === 'body'
    const found = bytes.indexOf(this.#delimiter)
    const end = found === -1 ? this.#mayBegin(bytes) : found
    if (inPart && end > 0) yield { kind: 'data', bytes: bytes.subarray(0, end) }
    if (found === -1) return end
    if (inPart) yield { kind: 'end' }
    this.#state = 'boundary'
    return found + this.#delimiter.length
  }

  /** Where a delimiter may begin of which the rest is still to come. */
  #mayBegin(bytes: Buffer): number {
    const from = Math.max(0, bytes.length - this.#delimiter.length + 1)
    for (let at = bytes.indexOf(0x0d, from); at !== -1; at = bytes.indexOf(0x0d, at + 1)) {
      if (this.#delimiter.subarray(0, bytes.length - at).equals(bytes.subarray(at))) return at
    }
    return bytes.length
  }

  // biome-ignore lint/correctness/useYield: one shape for all states
  *#takeBoundary(bytes: Buffer): Generator<FormDataEvent, number> {
    if (bytes.length < 2) return 0
    if (bytes[0] === 0x2d && bytes[1] === 0x2d) {
      this.#state = 'epilogue'
      return bytes.length
    }
    const end = bytes.indexOf(lineBreak)
    const padding = bytes.toString('latin1', 0, end === -1 ? Math.min(bytes.length, mostPadding + 1) : end)
    if (!/^[ \t]*\r?$/.test(padding) || padding.length > mostPadding) throw new MalformedMime('no boundary')
    if (end === -1) return 0
    if (++this.#parts > this.#limits.parts) throw new MalformedMime('too many parts')
    this.#state = 'head'
    return end // the line break stays: a head may be empty
  }

  *#takeHead(bytes: Buffer): Generator<FormDataEvent, number> {
    const end = bytes.indexOf(headEnd)
    const length = end === -1 ? bytes.length - headEnd.length : end
    if (length > this.#limits.headerBytes) throw new MalformedMime('header fields too long')
    if (end === -1) return 0
    yield { kind: 'part', headers: readHead(bytes.toString('latin1', 0, end)) }
    this.#state = 'start'
    return end + lineBreak.length
  }

  /** There may be no body: the boundary then begins with the line break that ends the head. */
  *#takeStart(bytes: Buffer): Generator<FormDataEvent, number> {
    const length = Math.min(bytes.length, this.#delimiter.length)
    const same = bytes.subarray(0, length).equals(this.#delimiter.subarray(0, length))
    if (same && length < this.#delimiter.length) return 0
    if (same) yield { kind: 'end' }
    this.#state = same ? 'boundary' : 'body'
    return same ? length : lineBreak.length
  }
}

// biome-ignore lint/correctness/useYield: one shape for all states
function* skipAll(bytes: Buffer): Generator<FormDataEvent, number> {
  return bytes.length
}

function readHead(text: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  for (const line of text.replace(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    if (line === '') continue
    const colon = line.indexOf(':')
    if (colon < 1) throw new MalformedMime('not a header field')
    const name = line.slice(0, colon).trim().toLowerCase()
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim())
  }
  return headers
}
