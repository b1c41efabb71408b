import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { wavHeadBytes, writeWavHead } from '../../protocols/wav/wav-head.ts'
import { frameBytes, type SoundPart } from './stereo-timeline.ts'

/** What may wait for the disk; beyond that sound is lost. */
const mostWaiting = 1024 * 1024
export const soundFormat = { channels: 2, rate: 8000 } as const

/** Sound on its way into a mailbox: a mailbox wants the head first, which tells how long it all is. */
export class SoundFile {
  readonly #path: string
  #file: FileHandle | undefined
  #writing: Promise<unknown>
  #waiting = 0
  #frames = 0

  constructor(folder: string) {
    this.#path = join(folder, `${randomUUID()}.wav`)
    this.#writing = this.#open(folder)
    this.#writing.catch(() => {})
  }

  /** Silence between the parts takes no room. */
  write({ at, samples }: SoundPart): void {
    if (this.#waiting > mostWaiting) return
    this.#waiting += samples.length
    this.#frames = Math.max(this.#frames, at + samples.length / frameBytes)
    this.#writing = this.#writing
      .then(() => this.#file?.write(samples, 0, samples.length, wavHeadBytes + at * frameBytes))
      .finally(() => {
        this.#waiting -= samples.length
      })
    this.#writing.catch(() => {})
  }

  /** All that was heard, up to `frames`; may be read more than once. Rejects when it could not be written. */
  async finish(frames: number): Promise<() => AsyncIterable<Buffer>> {
    await this.#writing
    const data = Math.max(frames, this.#frames) * frameBytes
    await this.#file?.truncate(wavHeadBytes + data)
    await this.#file?.write(writeWavHead(soundFormat, data), 0, wavHeadBytes, 0)
    return () => createReadStream(this.#path)
  }

  /** Nothing is left of it. */
  async remove(): Promise<void> {
    await this.#writing.catch(() => {})
    await this.#file?.close()
    this.#file = undefined
    await rm(this.#path, { force: true })
  }

  async #open(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true })
    this.#file = await open(this.#path, 'wx', 0o600)
  }
}
