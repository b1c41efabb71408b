/** What may wait for whoever reads; then the writer waits. */
const mostBytes = 512 * 1024

/** Bytes from who has them to who reads them, a bounded number in between. */
export class FileStream implements AsyncIterable<Buffer> {
  #waiting: Buffer[] = []
  #bytes = 0
  #ended = false
  #fault: Error | undefined
  #ignored = false
  #wakeReader: () => void = () => {}
  #wakeWriter: () => void = () => {}

  /** A promise where the reader is behind: resolves when there is room again, rejects when nobody reads any more. */
  write(bytes: Buffer): void | Promise<void> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    if (this.#ignored) return
    this.#waiting.push(bytes)
    this.#bytes += bytes.length
    this.#wakeReader()
    if (this.#bytes > mostBytes) return this.#room()
  }

  /** Nobody wants what comes. */
  ignore(): void {
    this.#ignored = true
    this.#waiting = []
    this.#bytes = 0
    this.#wakeWriter()
  }

  end(): void {
    this.#ended = true
    this.#wakeReader()
  }

  /** Reader and writer get that error. */
  fail(error: Error): void {
    if (this.#ended) return
    this.#fault ??= error
    this.#waiting = []
    this.#wakeReader()
    this.#wakeWriter()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    while (true) {
      if (this.#fault !== undefined) throw this.#fault
      const next = this.#waiting.shift()
      if (next !== undefined) {
        this.#bytes -= next.length
        if (this.#bytes <= mostBytes / 2) this.#wakeWriter()
        yield next
      } else if (this.#ended) return
      else await new Promise<void>((resolve) => (this.#wakeReader = resolve))
    }
  }

  async #room(): Promise<void> {
    await new Promise<void>((resolve) => (this.#wakeWriter = resolve))
    if (this.#fault !== undefined) throw this.#fault
  }
}
