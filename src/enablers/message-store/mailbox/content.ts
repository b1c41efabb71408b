import type { Readable } from 'node:stream'

/** First and last byte, both included. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** A payload or a part. Read piece by piece: it may be larger than what memory should hold. */
export interface Content {
  readonly contentType: string
  readonly size: number
  read(range?: ByteRange): Readable
  /** All of it. Throws `size-exceeded` where it is larger than `most` bytes. */
  buffer(most: number): Promise<Buffer>
}
