import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** Held in memory; what is longer goes to a file. */
const mostInMemory = 65_536
const pieceBytes = 65_536

/**
 * Bytes that come in, kept until all have come: no transaction waits for a client that is slow. The file has no name: it goes
 * with the process at the latest.
 */
export class Spool {
  readonly #directory: string
  #pieces: Buffer[] = []
  #file: FileHandle | undefined
  #size = 0

  constructor(directory: string) {
    this.#directory = directory
  }

  get size(): number {
    return this.#size
  }

  async add(bytes: Buffer): Promise<void> {
    this.#size += bytes.length
    if (this.#file !== undefined) {
      await this.#file.writev([bytes])
      return
    }
    this.#pieces.push(bytes)
    if (this.#size > mostInMemory) await this.#spill()
  }

  /** What has come since `start`. */
  since(start: number): Spooled {
    return new Spooled((at, length) => this.#read(at, length), start, this.#size - start)
  }

  async close(): Promise<void> {
    this.#pieces = []
    await this.#file?.close()
    this.#file = undefined
  }

  async #read(at: number, length: number): Promise<Buffer> {
    if (this.#file === undefined) return this.#memory().subarray(at, at + length)
    const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, at)
    if (bytesRead < length) throw new Error('the file of an upload is shorter than it was')
    return buffer
  }

  #memory(): Buffer {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)]
    return this.#pieces[0] ?? Buffer.alloc(0)
  }

  async #spill(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    const path = join(this.#directory, randomUUID())
    this.#file = await open(path, 'wx+', 0o600)
    await unlink(path)
    await this.#file.writev(this.#pieces)
    this.#pieces = []
  }
}

/** A part of what was spooled; read as often as wanted while the spool is open. */
export class Spooled {
  readonly size: number
  readonly #start: number
  readonly #read: (at: number, length: number) => Promise<Buffer>

  constructor(read: (at: number, length: number) => Promise<Buffer>, start: number, size: number) {
    this.#read = read
    this.#start = start
    this.size = size
  }

  /** All of it: for what is known to be short. */
  buffer(): Promise<Buffer> {
    return this.#read(this.#start, this.size)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (let at = 0; at < this.size; at += pieceBytes) {
      yield await this.#read(this.#start + at, Math.min(pieceBytes, this.size - at))
    }
  }
}
