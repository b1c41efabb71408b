import { MalformedSip } from './malformed-sip.ts'
import type { SipMessage } from './message.ts'
import { type Fault, type Head, type ReadLimits, readHead } from './read-head.ts'

/** Between messages: a CRLF by itself answers a ping, a second one right after it makes a ping (RFC 5626 §4.4.1). */
export type KeepAlive = 'ping' | 'pong'

const endOfHead = Buffer.from('\r\n\r\n')

/**
 * Reads SIP from a stream that may be cut anywhere (RFC 3261 §18.3). What is wrong with one message, while its end is
 * known, comes out as a value and the next message follows; a stream whose framing is lost throws, and is then of no
 * more use.
 */
export class StreamReader {
  readonly #limits: ReadLimits
  /** What has come of a message that is not complete: the first `#length` bytes of `#store`. */
  #store: Buffer = Buffer.alloc(0)
  #length = 0
  /** The bytes of it in which the end of the head was looked for. */
  #scanned = 0
  /** Set once the head has been read; its body begins at `#bodyFrom`. */
  #head: Head | undefined
  #bodyFrom = 0
  /** Bytes of a refused body that are still to come. */
  #toSkip = 0
  #halfPing = false

  constructor(limits: ReadLimits) {
    this.#limits = limits
  }

  /** Bytes that are held of a message that is not complete. */
  get pending(): number {
    return this.#length
  }

  /** What `bytes` completes, in order. */
  *read(bytes: Buffer): Generator<SipMessage | MalformedSip | KeepAlive> {
    const input = this.#length === 0 ? bytes : this.#append(bytes)
    let at = 0
    try {
      for (;;) {
        at += this.#skip(input.length - at)
        if (at === input.length) break
        const found = this.#head === undefined ? this.#takeHead(input, at) : this.#takeBody(input, at)
        if (found === undefined) break
        at += found.length
        if (found.value !== undefined) yield found.value
      }
    } finally {
      this.#keep(input, at, bytes) // also when the caller stops half-way
    }
  }

  #skip(available: number): number {
    const skipped = Math.min(this.#toSkip, available)
    this.#toSkip -= skipped
    return skipped
  }

  #append(bytes: Buffer): Buffer {
    const length = this.#length + bytes.length
    if (length > this.#store.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#store.length))
      this.#store.copy(larger, 0, 0, this.#length)
      this.#store = larger
    }
    bytes.copy(this.#store, this.#length)
    this.#length = length
    return this.#store.subarray(0, length)
  }

  /** Keeps what begins at `at` for the next read. A store that messages point into is never written again. */
  #keep(input: Buffer, at: number, bytes: Buffer): void {
    const rest = input.length - at
    if (at === 0 && input !== bytes) return
    this.#length = rest
    this.#store = rest === 0 ? nothing : Buffer.allocUnsafeSlow(this.#storeFor(rest))
    input.copy(this.#store, 0, at)
  }

  /** Room for all of the message where its length is known, else for twice what there is. */
  #storeFor(rest: number): number {
    const whole = this.#head === undefined ? 0 : this.#bodyFrom + (this.#head.contentLength as number)
    return Math.max(whole, Math.min(2 * rest, rest + 4096))
  }

  #takeHead(input: Buffer, at: number): Taken | undefined {
    const first = input[at]
    if (first === 13 || first === 10) return this.#takeEmptyLine(input, at)
    this.#halfPing = false
    const end = input.indexOf(endOfHead, at + Math.max(0, this.#scanned - 3))
    const { maxBytes } = this.#limits
    if (maxBytes !== 0 && (end === -1 ? input.length : end + 4) - at > maxBytes) throw this.#tooLarge(input, at)
    if (end === -1) {
      this.#scanned = input.length - at
      return undefined
    }
    this.#scanned = 0
    const head = readHead(input, at, end + 2, this.#limits)
    return this.#begin(head, end + 4 - at)
  }

  /** The head is there: what is wrong is told at once, and its body passed over. */
  #begin(head: Head, length: number): Taken {
    const bodyLength = head.contentLength
    if (bodyLength === undefined) head.blame('no Content-Length on a stream')
    if (bodyLength === undefined || head.lengthInDoubt) throw head.asMalformed(head.fault as Fault, nothing)
    if (this.#limits.maxBytes !== 0 && length + bodyLength > this.#limits.maxBytes) head.blame('too large', 513)
    if (head.fault !== undefined) {
      this.#toSkip = bodyLength
      return { length, value: head.asMalformed(head.fault, nothing) }
    }
    if (bodyLength === 0) return { length, value: head.withBody(nothing) }
    this.#head = head
    this.#bodyFrom = length
    return { length: 0, value: undefined }
  }

  #takeBody(input: Buffer, at: number): Taken | undefined {
    const head = this.#head as Head
    const length = this.#bodyFrom + (head.contentLength as number)
    if (input.length - at < length) return undefined
    this.#head = undefined
    return { length, value: head.withBody(input.subarray(at + this.#bodyFrom, at + length)) }
  }

  #takeEmptyLine(input: Buffer, at: number): Taken | undefined {
    if (input[at] === 10 || (at + 1 < input.length && input[at + 1] !== 10)) {
      throw new MalformedSip('a line break that is none between messages')
    }
    if (at + 1 === input.length) return undefined
    this.#halfPing = !this.#halfPing
    return { length: 2, value: this.#halfPing ? 'pong' : 'ping' }
  }

  /** What fits within the limit is read, so that it can be answered before the connection goes. */
  #tooLarge(input: Buffer, at: number): MalformedSip {
    const end = input.lastIndexOf('\r\n', at + this.#limits.maxBytes - 2)
    if (end < at) return new MalformedSip(tooLarge.note, tooLarge.status)
    return readHead(input, at, end + 2, this.#limits).asMalformed(tooLarge, nothing)
  }
}

interface Taken {
  /** Bytes that are done with. */
  readonly length: number
  readonly value: SipMessage | MalformedSip | KeepAlive | undefined
}

const nothing: Buffer = Buffer.alloc(0)
const tooLarge = { note: 'the head is too large', status: 513 }
