import { MalformedMsrp } from './malformed-msrp.ts'

/** Which bytes of a message a chunk holds, counted from 1; without `end` or `total` that is not known: `*` (RFC 4975 §7.1.1). */
export interface ByteRange {
  readonly start: number
  readonly end?: number
  readonly total?: number
}

/** What a SEND without Byte-Range has. */
export const wholeMessage: ByteRange = { start: 1 }

const grammar = /^(\d{1,15})-(?:(\d{1,15})|\*)\/(?:(\d{1,15})|\*)$/

/** Throws MalformedMsrp. */
export function readByteRange(value: string): ByteRange {
  const found = grammar.exec(value)
  if (found === null) throw new MalformedMsrp('Byte-Range is not one')
  const start = Number(found[1])
  const end = found[2] === undefined ? undefined : Number(found[2])
  const total = found[3] === undefined ? undefined : Number(found[3])
  if (start === 0 || (end !== undefined && end < start - 1)) throw new MalformedMsrp('Byte-Range ends before it starts')
  if (total !== undefined && (end ?? start - 1) > total) throw new MalformedMsrp('Byte-Range is beyond its total')
  return { start, ...(end !== undefined && { end }), ...(total !== undefined && { total }) }
}

export function writeByteRange({ start, end, total }: ByteRange): string {
  return `${start}-${end ?? '*'}/${total ?? '*'}`
}
