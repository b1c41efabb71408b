import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Usage } from './counters.ts'

/** The sockets that are open, and how many of them one source has. */
export class Sockets {
  readonly #usage: Usage
  readonly #perSource: number
  readonly #open = new Set<Socket>()
  readonly #bySource = new Map<string, number>()
  #onEmpty: () => void = () => {}

  constructor(usage: Usage, perSource: number) {
    this.#usage = usage
    this.#perSource = perSource
  }

  /** False: there are too many, of all or of this source. */
  add(socket: Socket): boolean {
    const source = socket.remoteAddress ?? ''
    const count = this.#bySource.get(source) ?? 0
    if (count >= this.#perSource || !this.#usage.take()) return false
    this.#open.add(socket)
    this.#bySource.set(source, count + 1)
    socket.once('close', () => this.#remove(socket, source))
    return true
  }

  /** Resolves when the last one is closed. */
  async empty(): Promise<void> {
    if (this.#open.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve))
  }

  async destroyAll(): Promise<void> {
    const closed = [...this.#open].map((socket) => once(socket, 'close'))
    for (const socket of this.#open) socket.destroy()
    await Promise.all(closed)
  }

  #remove(socket: Socket, source: string): void {
    this.#open.delete(socket)
    this.#usage.free()
    const left = (this.#bySource.get(source) ?? 1) - 1
    if (left === 0) this.#bySource.delete(source)
    else this.#bySource.set(source, left)
    if (this.#open.size === 0) this.#onEmpty()
  }
}
