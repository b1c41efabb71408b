import type { Continuation, FrameHead } from '../../protocols/msrp/frame.ts'
import { ByteBudget, budgeted } from '../endpoint/index.ts'
import { type Chunk, defaultLimits, type Keeper, MessageReceiver, wholeMessages } from '../msrp/index.ts'
import type { CopyNeeds } from './message-copy.ts'

/** Puts together what one party says in a chat, message by message, for whoever keeps it. */
export class ChatCopy implements Keeper {
  readonly #receiver: MessageReceiver
  readonly #waiting = new Map<FrameHead, (status: number) => void>()
  #chunk: Chunk | undefined
  #hold: Promise<unknown> | undefined
  /** A message that there is no room for, and what its sender is told. */
  #refused: { readonly messageId: string; readonly status: number } | undefined

  constructor({ memory, keep }: CopyNeeds, maxBytes: number) {
    const intake = wholeMessages(maxBytes, ({ messageId, contentType }, body) =>
      keep({ messageId, contentType, body }).then(() => 200),
    )
    const session = {
      respond: (request: FrameHead, status: number) => this.#respond(request, status),
      refuse: (status: number) => this.#refuse(status),
      report: () => {},
      holdFor: (work: Promise<unknown>) => {
        this.#hold = work
      },
    }
    const budgets = [new ByteBudget(2 * maxBytes), memory]
    this.#receiver = new MessageReceiver(
      session,
      budgeted(intake, budgets, () => {}),
      defaultLimits,
    )
  }

  begin(chunk: Chunk): number {
    this.#chunk = chunk
    const refused = this.#statusOf(chunk)
    return refused ?? this.#receiver.begin(chunk)
  }

  piece(bytes: Buffer): void | Promise<void> {
    if (this.#chunk === undefined || this.#statusOf(this.#chunk) !== undefined) return
    this.#hold = undefined
    this.#receiver.piece(bytes)
    return (this.#hold as Promise<unknown> | undefined)?.then(() => {})
  }

  end(flag: Continuation): Promise<number> {
    const chunk = this.#chunk
    this.#chunk = undefined
    if (chunk === undefined) return Promise.resolve(200)
    const refused = this.#statusOf(chunk)
    if (refused !== undefined) {
      if (flag !== '+') this.#refused = undefined
      return Promise.resolve(refused)
    }
    const answer = new Promise<number>((resolve) => this.#waiting.set(chunk.head, resolve))
    this.#receiver.end(flag)
    return answer
  }

  cut(): void {
    this.#chunk = undefined
    this.#receiver.cut()
  }

  /** What is not whole is of no use. */
  close(): void {
    this.#receiver.closed()
    for (const resolve of this.#waiting.values()) resolve(481)
    this.#waiting.clear()
  }

  #statusOf({ messageId }: Chunk): number | undefined {
    return this.#refused?.messageId === messageId ? this.#refused.status : undefined
  }

  #respond(request: FrameHead, status: number): void {
    this.#waiting.get(request)?.(status)
    this.#waiting.delete(request)
  }

  #refuse(status: number): void {
    if (this.#chunk !== undefined) this.#refused = { messageId: this.#chunk.messageId, status }
    this.#receiver.cut()
  }
}
