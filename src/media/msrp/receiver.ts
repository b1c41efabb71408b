import type { ByteRange } from '../../protocols/msrp/byte-range.ts'
import type { Continuation, FrameHead } from '../../protocols/msrp/frame.ts'

/** The beginning of a SEND with a body. */
export interface Chunk {
  readonly head: FrameHead
  readonly messageId: string
  readonly range: ByteRange
}

/** What a session does with the chunks that come: keep them, or hand them on. */
export interface Receiver {
  /** A status other than 200 refuses the chunk. */
  begin(chunk: Chunk): number
  piece(bytes: Buffer): void
  end(flag: Continuation): void
  /** The chunk ends here and nobody waits for an answer: it was refused half-way, or its connection is gone. */
  cut(): void
  report(head: FrameHead): void
  closed(): void
}
