import type { BodyPiece, Continuation, FrameEnd, FrameHead } from './frame.ts'
import { MalformedMsrp } from './malformed-msrp.ts'
import { readHead } from './read-head.ts'

export interface Limits {
  /** Bytes of a head, from its start line to the empty line or end-line. */
  readonly headBytes: number
}

const cr = 13
const lf = 10
const dash = 45
const letterM = 77

const isBreak = (byte: number | undefined) => byte === cr || byte === lf

const endOf = {
  $: { type: 'end', flag: '$' },
  '+': { type: 'end', flag: '+' },
  '#': { type: 'end', flag: '#' },
} as const satisfies Record<Continuation, FrameEnd>

/** Reads MSRP frames from a stream that may be cut anywhere (RFC 4975 §7.1, §9). A body passes in pieces: it may be 1 GiB. */
export class FrameReader {
  readonly #limits: Limits
  #inBody = false
  /** What has come of a head that is not complete, and how much of that is its last line, which begins with a dash or not. */
  #text = ''
  #lineLength = 0
  #dashed = false
  /** What ends the body, without flag and CRLF. */
  #endLine = ''
  /** Characters of end-line, flag and CRLF that the last bytes are; the first `#owned` of them belong to the head. */
  #matched = 0
  #owned = 0
  #flag: Continuation = '$'

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** True when no frame is begun. */
  get idle(): boolean {
    return !this.#inBody && this.#text === ''
  }

  /** What `bytes` completes, in order. Throws MalformedMsrp; the connection is then of no more use. */
  *read(bytes: Buffer): Generator<FrameHead | BodyPiece | FrameEnd, void, undefined> {
    let at = 0
    while (at < bytes.length) {
      if (this.idle && isBreak(bytes[at])) {
        at++ // some peers put an empty line between frames
      } else if (!this.#inBody) {
        const end = this.#findHeadEnd(bytes, at)
        if (end === -1) return
        const { head, flag } = readHead(this.#takeText(bytes, at, end))
        at = end
        if (flag === undefined) this.#beginBody(head.transactionId)
        yield head
        if (flag !== undefined) yield endOf[flag]
      } else if (this.#matched === 0) {
        const end = this.#findEndLine(bytes, at)
        if (end > at) yield { type: 'body', bytes: bytes.subarray(at, end) }
        at = end + this.#matched
      } else {
        at = this.#matchOn(bytes, at)
        if (this.#matched === this.#endLine.length + 3) yield this.#endBody()
        else if (at < bytes.length) yield* this.#noEndLine()
      }
    }
  }

  /** Where the head ends in `bytes`: after its empty line, or after the first line that begins with a dash. */
  #findHeadEnd(bytes: Buffer, at: number): number {
    if (this.#text === '' && bytes[at] !== letterM) throw new MalformedMsrp('not MSRP')
    let line = at - this.#lineLength
    for (let index = at; index < bytes.length; index++) {
      if (bytes[index] !== lf) continue
      if (index - line < 2 || (line < at ? this.#dashed : bytes[line] === dash)) return index + 1
      line = index + 1
    }
    this.#keepText(bytes, at, line)
    return -1
  }

  #keepText(bytes: Buffer, at: number, line: number): void {
    this.#checkLength(bytes.length - at)
    this.#dashed = line < at ? this.#dashed : bytes[line] === dash
    this.#lineLength = bytes.length - line
    this.#text += bytes.toString('latin1', at, bytes.length)
  }

  #takeText(bytes: Buffer, at: number, end: number): string {
    this.#checkLength(end - at)
    const text = this.#text + bytes.toString('latin1', at, end)
    this.#text = ''
    this.#lineLength = 0
    return text
  }

  #checkLength(more: number): void {
    if (this.#text.length + more > this.#limits.headBytes) throw new MalformedMsrp('the head is too large')
  }

  /** An empty body may leave out the CRLF before the end-line: that of the empty line then stands for it. */
  #beginBody(transactionId: string): void {
    this.#inBody = true
    this.#endLine = `\r\n-------${transactionId}`
    this.#matched = 2
    this.#owned = 2
  }

  /** What seemed to be an end-line is body. */
  *#noEndLine(): Generator<BodyPiece> {
    const text = `${this.#endLine}${this.#flag}\r`.slice(this.#owned, this.#matched)
    this.#matched = 0
    this.#owned = 0
    if (text !== '') yield { type: 'body', bytes: Buffer.from(text, 'latin1') }
  }

  #endBody(): FrameEnd {
    this.#inBody = false
    return endOf[this.#flag]
  }

  /** Where the body may end in `bytes`; `#matched` says how much of the end-line follows there. */
  #findEndLine(bytes: Buffer, at: number): number {
    const endLine = this.#endLine
    const found = bytes.indexOf(endLine, at, 'latin1')
    if (found !== -1) {
      this.#matched = endLine.length
      return found
    }
    let begin = Math.max(at, bytes.length - endLine.length + 1)
    while (begin < bytes.length && !this.#beginsAt(bytes, begin)) begin++
    this.#matched = bytes.length - begin
    return begin
  }

  /** Whether all from `begin` on is the beginning of the end-line. */
  #beginsAt(bytes: Buffer, begin: number): boolean {
    for (let index = begin; index < bytes.length; index++) if (!this.#fits(index - begin, bytes[index])) return false
    return true
  }

  /** Goes on with an end-line that may have begun. What proves to be body needs no second look: no end-line begins in it. */
  #matchOn(bytes: Buffer, from: number): number {
    let at = from
    const whole = this.#endLine.length + 3
    while (at < bytes.length && this.#matched < whole) {
      const byte = bytes[at] as number
      if (!this.#fits(this.#matched, byte)) return at
      if (this.#matched === this.#endLine.length) this.#flag = String.fromCharCode(byte) as Continuation
      this.#matched++
      at++
    }
    return at
  }

  /** Whether `byte` may stand at this place of end-line, flag and CRLF. */
  #fits(position: number, byte: number | undefined): boolean {
    const beyond = position - this.#endLine.length
    if (beyond < 0) return this.#endLine.charCodeAt(position) === byte
    if (beyond === 0) return byte === 36 || byte === 43 || byte === 35
    return byte === (beyond === 1 ? cr : lf)
  }
}
