import type { ByteWriter } from './byte-store.ts'
import { tooLarge } from './refusal.ts'
import { chunkBytes, type Writing } from './stored-file.ts'

interface Chunks {
  /** Commits one chunk, with which the file has `size` bytes. */
  write(writing: Writing, number: number, bytes: Buffer, size: number): Promise<void>
}

/** Chunk by chunk: while one is committed the next one is gathered. So a file takes the room of two, however long it is. */
export class ChunkWriter implements ByteWriter {
  readonly #chunks: Chunks
  readonly writing: Writing
  #buffer: Buffer
  #filled: number
  #size: number
  #committing: Promise<void> = Promise.resolve()

  /** `begun` is what the last chunk has already, where it is not full. */
  constructor(chunks: Chunks, writing: Writing, begun: Buffer) {
    this.#chunks = chunks
    this.writing = writing
    this.#size = writing.size
    this.#filled = begun.length
    this.#buffer = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(writing.reserved, begun.length)))
    begun.copy(this.#buffer)
  }

  async write(bytes: Buffer): Promise<void> {
    if (this.#size + bytes.length > this.writing.reserved) throw tooLarge()
    for (let left = bytes; left.length > 0; ) {
      const taken = left.copy(this.#buffer, this.#filled)
      this.#filled += taken
      this.#size += taken
      left = left.subarray(taken)
      if (this.#filled === chunkBytes) await this.#commit()
    }
  }

  async stop(): Promise<void> {
    if (this.#filled > 0) await this.#commit()
    await this.#committing
  }

  async #commit(): Promise<void> {
    await this.#committing
    const [bytes, size] = [this.#buffer.subarray(0, this.#filled), this.#size]
    const number = Math.floor((size - 1) / chunkBytes)
    this.#committing = this.#chunks.write(this.writing, number, bytes, size)
    this.#committing.catch(() => {}) // whoever waits next is told
    this.#buffer = Buffer.allocUnsafe(chunkBytes)
    this.#filled = 0
  }
}
