import { createHash } from 'node:crypto'
import type { MsrpStream, StreamFrame } from './msrp-stream.ts'

/** Sends a file in chunks, as fast as it is taken. */
export class FileSender {
  readonly stream: MsrpStream
  readonly to: string
  /** Bytes of the file that went out, and that the other end has answered 200. */
  sent = 0
  acknowledged = 0
  /** What else it was answered. */
  refusal: string | undefined
  readonly statuses: string[] = []
  readonly #chunks = new Map<string, number>()
  #changed: () => void = () => {}

  constructor(stream: MsrpStream, to: string) {
    this.stream = stream
    this.to = to
    stream.user = { onFrame: (frame) => this.#answered(frame), onBody() {}, onEnd() {} }
    stream.socket.once('close', () => this.#changed())
  }

  /** Resolves with the status of the whole: `200 OK` when every chunk was answered so. */
  async send(pieces: Iterable<Buffer>, size: number, stopAfter = Infinity): Promise<string> {
    for (const piece of pieces) {
      if (this.refusal !== undefined || this.stream.socket.destroyed || this.sent >= stopAfter) break
      await this.#sendChunk(piece, size)
    }
    while (this.#chunks.size > 0 && this.refusal === undefined && !this.stream.socket.destroyed) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
    return this.refusal ?? (this.stream.socket.destroyed ? 'closed' : '200 OK')
  }

  /** The connection breaks in the middle of this chunk. */
  async breakOff(piece: Buffer, size: number): Promise<void> {
    await this.stream.write(this.#head('broken', piece.length, size), piece.subarray(0, piece.length / 2))
    this.stream.socket.destroySoon()
  }

  async #sendChunk(piece: Buffer, size: number): Promise<void> {
    const id = `f${this.sent.toString(36)}xyz`
    const head = this.#head(id, piece.length, size)
    this.#chunks.set(id, piece.length)
    this.sent += piece.length
    await this.stream.write(head, piece, `\r\n-------${id}${this.sent < size ? '+' : '$'}\r\n`)
  }

  #head(id: string, length: number, size: number): string {
    const paths = `To-Path: ${this.to}\r\nFrom-Path: ${this.stream.path}\r\nMessage-ID: file1\r\n`
    const range = `Byte-Range: ${this.sent + 1}-${this.sent + length}/${size}\r\n`
    return `MSRP ${id} SEND\r\n${paths}${range}Content-Type: application/octet-stream\r\n\r\n`
  }

  #answered({ id, what }: StreamFrame): void {
    this.statuses.push(what)
    const length = this.#chunks.get(id)
    if (length === undefined) return
    this.#chunks.delete(id)
    if (what === '200 OK') this.acknowledged += length
    else this.refusal ??= what
    this.#changed()
  }
}

/** Takes a file in, and answers each chunk. */
export class FileReceiver {
  readonly stream: MsrpStream
  /** Bytes that came, in order; with `keep` the bytes themselves. */
  received = 0
  readonly kept: Buffer[] = []
  readonly #hash = createHash('sha256')
  readonly #keep: boolean
  #chunk: StreamFrame | undefined
  #finish: (flag: string) => void = () => {}
  /** The flag of the last chunk, `$`, or `#` for a file that was given up. */
  readonly finished = new Promise<string>((resolve) => {
    this.#finish = resolve
  })

  constructor(stream: MsrpStream, to: string, keep = false) {
    this.stream = stream
    this.#keep = keep
    stream.user = {
      onFrame: (frame) => {
        this.#chunk = frame.what === 'SEND' ? frame : undefined
      },
      onBody: (bytes) => this.#take(bytes),
      onEnd: (flag) => this.#ended(flag),
    }
    const paths = `To-Path: ${to}\r\nFrom-Path: ${stream.path}\r\nMessage-ID: here\r\nByte-Range: 1-0/0\r\n`
    stream.socket.write(`MSRP here1 SEND\r\n${paths}-------here1$\r\n`)
  }

  digest(): string {
    return this.#hash.digest('hex')
  }

  #take(bytes: Buffer): void {
    this.received += bytes.length
    this.#hash.update(bytes)
    if (this.#keep) this.kept.push(Buffer.from(bytes))
  }

  #ended(flag: string): void {
    const frame = this.#chunk
    if (flag !== '#' && frame !== undefined) this.stream.respond(frame)
    if (flag !== '+') this.#finish(flag)
  }
}

/** The file in pieces of at most `bytes`. */
export function* cut(file: Buffer, bytes: number): Generator<Buffer> {
  for (let at = 0; at < file.length; at += bytes) yield file.subarray(at, at + bytes)
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
