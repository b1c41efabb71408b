import type { Continuation, FrameHead } from '../../protocols/msrp/frame.ts'
import { failureReportOf } from '../../protocols/msrp/send-request.ts'
import { ChunkWriter, type Pending } from './chunk-writer.ts'
import { HeldDirection, type Keeper } from './held-direction.ts'
import type { MsrpSession } from './msrp-session.ts'
import type { Chunk, Receiver } from './receiver.ts'

/** Sees what passes, and changes nothing of what does. */
export interface Tap {
  /** A status other than 200 refuses the chunk; nothing of it passes. */
  admit?(from: MsrpSession, chunk: Chunk): number
  /** A chunk begins; `from` is the session that it came on. */
  chunk(from: MsrpSession, chunk: Chunk): void
  piece?(from: MsrpSession, bytes: Buffer): void
  /** Undefined: the rest of the chunk was refused or lost. Its sender hears of success only with a 200 that is promised here. */
  end?(from: MsrpSession, flag: Continuation | undefined): Promise<number> | undefined
  report?(from: MsrpSession, head: FrameHead): void
}

/**
 * Joins two sessions: what comes on one goes out on the other, chunk by chunk, as fast as the slower one reads. Each end
 * sees only the paths and transactions of its own side; Message-ID, ranges, reports and statuses are those of the far end.
 */
export function relay(a: MsrpSession, b: MsrpSession, tap?: Tap, keeps?: Keeps): void {
  a.attach(direction(a, b, tap, keeps))
  b.attach(direction(b, a, tap, keeps))
}

/** What keeps messages that come on that session, before they are whole at the other end; asked as each begins. */
export type Keeps = (from: MsrpSession) => Keeper | undefined

function direction(from: MsrpSession, to: MsrpSession, tap: Tap | undefined, keeps: Keeps | undefined): Receiver {
  const onward = new Direction(from, to, tap)
  return keeps === undefined ? onward : new HeldDirection(onward, from, () => keeps(from))
}

class Direction implements Receiver {
  readonly #from: MsrpSession
  readonly #to: MsrpSession
  readonly #tap: Tap | undefined
  readonly #writer: ChunkWriter
  #request: RelayedRequest | undefined

  constructor(from: MsrpSession, to: MsrpSession, tap: Tap | undefined) {
    this.#from = from
    this.#to = to
    this.#tap = tap
    this.#writer = new ChunkWriter(to)
  }

  begin(chunk: Chunk): number {
    if (this.#to.closed) return 481
    const status = this.#tap?.admit?.(this.#from, chunk) ?? 200
    if (status !== 200) return status
    this.#tap?.chunk(this.#from, chunk)
    const wanted = failureReportOf(chunk.head)
    this.#request = wanted === 'no' ? undefined : new RelayedRequest(this.#from, chunk.head, wanted === 'partial')
    this.#writer.begin(chunk.head.fields, chunk.range, this.#request)
    this.#slow()
    return 200
  }

  piece(bytes: Buffer): void {
    this.#tap?.piece?.(this.#from, bytes)
    this.#writer.piece(bytes)
    this.#slow()
  }

  end(flag: Continuation): void {
    const kept = this.#tap?.end?.(this.#from, flag)
    this.#writer.end(flag)
    if (kept !== undefined) this.#request?.waitFor(kept)
    this.#request?.ended()
    this.#request = undefined
    this.#slow()
  }

  cut(): void {
    this.#tap?.end?.(this.#from, undefined)
    this.#request?.forget()
    this.#request = undefined
    this.#writer.end('#')
  }

  report(head: FrameHead): void {
    this.#tap?.report?.(this.#from, head)
    this.#to.report(head.fields)
    this.#slow()
  }

  closed(): void {}

  /** Who sends faster than the other end reads is not read for a while. */
  #slow(): void {
    const { connection } = this.#from
    if (!this.#to.ready && connection !== undefined) this.#to.slow(connection)
  }
}

/** A SEND whose sender waits for what the far end answers. */
class RelayedRequest implements Pending {
  readonly partial: boolean
  readonly #from: MsrpSession
  readonly #head: FrameHead
  #parts = 0
  #ended = false
  #done = false

  constructor(from: MsrpSession, head: FrameHead, partial: boolean) {
    this.#from = from
    this.#head = head
    this.partial = partial
  }

  begun(): void {
    this.#parts++
  }

  answered(status: number): void {
    this.#parts--
    if (status !== 200) this.#finish(status)
    else this.#check()
  }

  /** Of what is said of success before. */
  waitFor(status: Promise<number>): void {
    this.begun()
    void status.then((known) => this.answered(known))
  }

  ended(): void {
    this.#ended = true
    this.#check()
  }

  /** It was answered already, or there is nobody to answer. */
  forget(): void {
    this.#done = true
  }

  #check(): void {
    if (this.#ended && this.#parts === 0 && !this.partial) this.#finish(200)
  }

  #finish(status: number): void {
    if (this.#done) return
    this.#done = true
    this.#from.respond(this.#head, status)
  }
}
