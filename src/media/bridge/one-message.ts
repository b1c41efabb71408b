import type { Continuation } from '../../protocols/msrp/frame.ts'
import type { Chunk, MsrpSession, Tap } from '../msrp/index.ts'
import type { MessageCopy } from './message-copy.ts'

/** After the last byte: time for the answers of who receives it, and for the sender's BYE (RFC 4975 §7.1: 30 s). */
const lingerMs = 32_000

/** A session that is for one message: that passes, in any number of chunks, and then the session is over (features 1.2). */
export class OneMessage implements Tap {
  readonly #copy: MessageCopy | undefined
  readonly #onOver: () => void
  #messageId: string | undefined
  #timer: NodeJS.Timeout | undefined

  /** `onOver` is called when the sender does not end the session after its message, or begins another one. */
  constructor(copy: MessageCopy | undefined, onOver: () => void) {
    this.#copy = copy
    this.#onOver = onOver
  }

  admit(_from: MsrpSession, chunk: Chunk): number {
    this.#messageId ??= chunk.messageId
    const status = chunk.messageId === this.#messageId ? (this.#copy?.begin(chunk) ?? 200) : 403
    if (status !== 200) setImmediate(this.#onOver)
    return status
  }

  chunk(): void {}

  piece(_from: MsrpSession, bytes: Buffer): void {
    this.#copy?.piece(bytes)
  }

  end(_from: MsrpSession, flag: Continuation | undefined): Promise<number> | undefined {
    if (flag === undefined) {
      this.#copy?.cut()
      return undefined
    }
    if (flag === '$') this.#linger()
    return this.#copy?.end(flag)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#copy?.close()
  }

  #linger(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#onOver, lingerMs)
    this.#timer.unref()
  }
}
