import type { Continuation, FrameHead } from '../../../src/protocols/msrp/frame.ts'
import { FrameReader } from '../../../src/protocols/msrp/frame-reader.ts'

export const limits = { headBytes: 4096 }

/** A frame put together again from what the reader gave. */
export interface Frame {
  readonly head: FrameHead
  readonly body: Buffer
  readonly flag: Continuation
}

export const crlf = (...lines: string[]) => lines.join('\r\n')

/** The frames that these pieces of a stream complete. */
export function readFrames(...pieces: readonly Buffer[]): Frame[] {
  const reader = new FrameReader(limits)
  const frames: Frame[] = []
  let head: FrameHead | undefined
  let body: Buffer[] = []
  for (const piece of pieces) {
    for (const found of reader.read(piece)) {
      if (found.type === 'head') head = found
      else if (found.type === 'body') body.push(found.bytes)
      else {
        frames.push({ head: head as FrameHead, body: Buffer.concat(body), flag: found.flag })
        head = undefined
        body = []
      }
    }
  }
  return frames
}
