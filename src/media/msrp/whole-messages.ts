import type { IncomingMessage, IncomingReport, Intake, MessageSink } from './intake.ts'

/** What is done with a message; the status is the sender's answer. */
export type OnMessage = (message: IncomingMessage, body: Buffer) => number | Promise<number>

/** Takes in messages of up to `maxBytes` whole, put together in memory; larger ones are refused with 413. */
export function wholeMessages(
  maxBytes: number,
  onMessage: OnMessage,
  report: (report: IncomingReport) => void = () => {},
): Intake {
  return {
    begin: (message) => ((message.size ?? 0) > maxBytes ? 413 : new MemorySink(maxBytes, message, onMessage)),
    report,
  }
}

class MemorySink implements MessageSink {
  readonly #maxBytes: number
  readonly #message: IncomingMessage
  readonly #onMessage: OnMessage
  #bytes: Buffer
  #length = 0

  constructor(maxBytes: number, message: IncomingMessage, onMessage: OnMessage) {
    this.#maxBytes = maxBytes
    this.#message = message
    this.#onMessage = onMessage
    this.#bytes = Buffer.alloc(0)
  }

  /** A promise that rejects refuses the message. */
  write(bytes: Buffer, offset: number): void | Promise<void> {
    const end = offset + bytes.length
    if (end > this.#maxBytes) return Promise.reject(new RangeError('larger than what is taken in'))
    if (end > this.#bytes.length) this.#grow(end)
    bytes.copy(this.#bytes, offset)
    this.#length = Math.max(this.#length, end)
  }

  complete(): number | Promise<number> {
    return this.#onMessage(this.#message, this.#bytes.subarray(0, this.#length))
  }

  abandoned(): void {
    this.#bytes = Buffer.alloc(0)
  }

  /** Room follows what has come, not what a sender promises to send. */
  #grow(end: number): void {
    const room = Math.max(end, Math.min(2 * this.#bytes.length, this.#message.size ?? this.#maxBytes))
    const larger = Buffer.alloc(room)
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
