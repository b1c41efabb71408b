import type { Continuation, FrameHead } from '../../protocols/msrp/frame.ts'
import { type ByteBudget, budgeted } from '../endpoint/index.ts'
import { type Chunk, defaultLimits, MessageReceiver, wholeMessages } from '../msrp/index.ts'

export interface CopyNeeds {
  /** Of all that is held in memory. */
  readonly memory: ByteBudget
  /** Resolves once the message is committed; only then its sender hears of success. */
  readonly keep: (message: PassedMessage) => Promise<void>
}

/** A message that has passed, whole. */
export interface PassedMessage {
  readonly messageId: string
  readonly contentType: string
  readonly body: Buffer
}

/** Puts together what passes, for whoever stores it. */
export class MessageCopy {
  readonly #receiver: MessageReceiver
  readonly #waiting = new Map<FrameHead, (status: number) => void>()
  #head: FrameHead | undefined
  #refused: number | undefined
  #writing = false

  constructor({ memory, keep }: CopyNeeds, maxBytes: number) {
    const intake = wholeMessages(maxBytes, ({ messageId, contentType }, body) =>
      keep({ messageId, contentType, body }).then(() => 200),
    )
    const session = {
      respond: (request: FrameHead, status: number) => this.#respond(request, status),
      refuse: (status: number) => this.#refuse(status),
      report: () => {},
      holdFor: () => this.#notHeld(),
    }
    this.#receiver = new MessageReceiver(
      session,
      budgeted(intake, [memory], () => {}),
      defaultLimits,
    )
  }

  /** A status other than 200: there is no room for it. */
  begin(chunk: Chunk): number {
    this.#head = chunk.head
    return this.#refused ?? this.#receiver.begin(chunk)
  }

  piece(bytes: Buffer): void {
    if (this.#refused !== undefined) return
    this.#writing = true
    this.#receiver.piece(bytes)
    this.#writing = false
  }

  /** Resolves with what its sender may be told, once it is safe to. */
  end(flag: Continuation): Promise<number> {
    const head = this.#head
    if (head === undefined || this.#refused !== undefined) return Promise.resolve(this.#refused ?? 200)
    const answer = new Promise<number>((resolve) => this.#waiting.set(head, resolve))
    this.#receiver.end(flag)
    return answer
  }

  cut(): void {
    this.#receiver.cut()
  }

  close(): void {
    this.#receiver.closed()
    for (const resolve of this.#waiting.values()) resolve(481)
    this.#waiting.clear()
  }

  #respond(request: FrameHead, status: number): void {
    this.#waiting.get(request)?.(status)
    this.#waiting.delete(request)
  }

  /** What passes is not held up: bytes that memory does not take at once it does not take at all. */
  #notHeld(): void {
    if (this.#writing) this.#refuse(413)
  }

  #refuse(status: number): void {
    this.#refused = status
    this.#receiver.cut()
  }
}
