import type { FileHandle } from 'node:fs/promises'
import type { ByteWriter } from './byte-store.ts'
import { overtaken, tooLarge } from './refusal.ts'
import type { Writing } from './stored-file.ts'

interface Needs {
  readonly file: FileHandle
  readonly writing: Writing
  /** Commits that the file has so many bytes. */
  readonly progress: (size: number) => Promise<void>
  readonly onClosed: () => void
}

/** Bytes that go to disk at once; as many are gathered meanwhile. */
const atOnce = 1_048_576
/** However small they come. */
const mostPieces = 512
/** Bytes that a crash may cost the client, who sends them again. */
const commitEvery = 16 * atOnce

/** Writes a file as it comes. What it counts as kept has reached the disk. */
export class DiskWriter implements ByteWriter {
  readonly writing: Writing
  readonly #needs: Needs
  #pieces: Buffer[] = []
  #gathered = 0
  /** With what is gathered. */
  #size: number
  #written: number
  #committed: number
  #working: Promise<void> = Promise.resolve()
  #closed: Promise<void> | undefined
  #yielded = false

  constructor(needs: Needs) {
    this.#needs = needs
    this.writing = needs.writing
    this.#size = needs.writing.size
    this.#written = this.#size
    this.#committed = this.#size
  }

  async write(bytes: Buffer): Promise<void> {
    if (this.#yielded) throw overtaken()
    if (this.#size + bytes.length > this.writing.reserved) throw tooLarge()
    this.#pieces.push(bytes)
    this.#gathered += bytes.length
    this.#size += bytes.length
    if (this.#gathered >= atOnce || this.#pieces.length >= mostPieces) await this.#work(false)
  }

  async stop(): Promise<void> {
    try {
      await this.#work(true)
      await this.#working
    } finally {
      await this.#close()
    }
  }

  /** Another request goes on with this file: this one writes no more. */
  async yield(): Promise<void> {
    this.#yielded = true
    await this.#close()
  }

  /** One after another; whoever brings more waits for the one before. */
  async #work(last: boolean): Promise<void> {
    await this.#working
    if (this.#yielded) throw overtaken()
    const pieces = this.#pieces
    this.#pieces = []
    this.#gathered = 0
    this.#working = this.#put(pieces, last)
    this.#working.catch(() => {}) // whoever waits next is told
  }

  async #put(pieces: Buffer[], last: boolean): Promise<void> {
    const { file, progress } = this.#needs
    if (pieces.length > 0) this.#written += await putAll(file, pieces, this.#written)
    const due = last ? this.#written > this.#committed : this.#written - this.#committed >= commitEvery
    if (!due) return
    await file.datasync()
    await progress(this.#written)
    this.#committed = this.#written
  }

  #close(): Promise<void> {
    this.#closed ??= this.#working
      .catch(() => {})
      .then(() => this.#needs.file.close())
      .then(this.#needs.onClosed)
    return this.#closed
  }
}

/** A disk that is nearly full takes less than it was given. */
async function putAll(file: FileHandle, pieces: Buffer[], at: number): Promise<number> {
  const { bytesWritten } = await file.writev(pieces, at)
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  if (bytesWritten === length) return length
  const rest = Buffer.concat(pieces).subarray(bytesWritten)
  return bytesWritten + (await putAll(file, [rest], at + bytesWritten))
}
