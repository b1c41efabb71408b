import type { Continuation } from '../../protocols/msrp/frame.ts'
import type { Chunk, Keeper } from '../msrp/index.ts'

/** Where the bytes of a file go, in their order. */
export interface FileSink {
  /** A promise: no more is to come until then; it rejects when the file is not kept. */
  write(bytes: Buffer): void | Promise<void>
  /** All has come: resolves once it is safe. */
  complete(): Promise<void>
  abandoned(): void
}

interface Open {
  readonly messageId: string
  readonly sink: FileSink
  /** Where the next byte belongs, from 1. */
  next: number
}

/** Streams a file that passes to whoever keeps it. Its chunks have to come in their order. */
export class FileCopy implements Keeper {
  readonly #open: (contentType: string) => FileSink
  #file: Open | undefined
  /** What the sender of the chunk that is coming is told. */
  #status = 200

  constructor(open: (contentType: string) => FileSink) {
    this.#open = open
  }

  begin(chunk: Chunk): number {
    const { messageId, range, head } = chunk
    this.#status = 200
    if (range.start === 1) {
      this.close()
      this.#file = { messageId, sink: this.#open(head.field('content-type') ?? ''), next: 1 }
      return 200
    }
    const isNext = this.#file?.messageId === messageId && this.#file.next === range.start
    return isNext ? 200 : 413
  }

  piece(bytes: Buffer): void | Promise<void> {
    const file = this.#file
    if (file === undefined || this.#status !== 200) return
    file.next += bytes.length
    return file.sink.write(Buffer.from(bytes))?.catch(() => this.#fail())
  }

  async end(flag: Continuation): Promise<number> {
    const [file, status] = [this.#file, this.#status]
    if (flag === '+' || status !== 200) return status
    this.#file = undefined
    if (flag === '#') file?.sink.abandoned()
    else await file?.sink.complete()
    return 200
  }

  /** The file may go on in another chunk, where this one broke off. */
  cut(): void {}

  close(): void {
    this.#file?.sink.abandoned()
    this.#file = undefined
  }

  #fail(): void {
    this.#status = 413
    this.close()
  }
}
