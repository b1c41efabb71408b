/** Bytes of a representation, both ends included. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** More than these in one request, or some that overlap, are nothing that a client needs (RFC 9110 §14.2, §17.15). */
const mostRanges = 16

/**
 * The ranges that a Range header field asks for, of `size` bytes (RFC 9110 §14.1.2). Undefined where the field says
 * nothing that is taken: the answer is then the whole.
 */
export function readRanges(value: string, size: number): readonly ByteRange[] | 'unsatisfiable' | undefined {
  const [, set = ''] = /^bytes=(.*)$/i.exec(value.trim()) ?? []
  const specs = set
    .split(',')
    .map((spec) => spec.trim())
    .filter((spec) => spec !== '')
  if (specs.length === 0 || specs.length > mostRanges) return undefined
  const ranges: ByteRange[] = []
  for (const spec of specs) {
    const range = readSpec(spec, size)
    if (range === undefined) return undefined
    if (range !== 'beyond') ranges.push(range)
  }
  if (ranges.length === 0) return 'unsatisfiable'
  return overlap(ranges) ? undefined : ranges
}

function readSpec(spec: string, size: number): ByteRange | 'beyond' | undefined {
  const [, first, last] = /^(\d{0,15})-(\d{0,15})$/.exec(spec) ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  if (first === '')
    return Number(last) === 0 || size === 0 ? 'beyond' : { start: Math.max(0, size - Number(last)), end: size - 1 }
  const [start, end] = [Number(first), last === '' ? Number.POSITIVE_INFINITY : Number(last)]
  if (end < start) return undefined
  return start >= size ? 'beyond' : { start, end: Math.min(end, size - 1) }
}

function overlap(ranges: readonly ByteRange[]): boolean {
  const sorted = [...ranges].sort((a, b) => a.start - b.start)
  return sorted.some(({ start }, at) => at > 0 && start <= (sorted[at - 1] as ByteRange).end)
}

export interface ContentRange extends ByteRange {
  /** Of the whole; undefined where it is not said. */
  readonly size: number | undefined
}

/** A Content-Range of bytes (RFC 9110 §14.4); undefined where it is none, or contradicts itself. */
export function readContentRange(value: string): ContentRange | undefined {
  const [, first, last, whole] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(value.trim()) ?? []
  if (first === undefined) return undefined
  const [start, end, size] = [Number(first), Number(last), whole === '*' ? undefined : Number(whole)]
  return end < start || (size !== undefined && end >= size) ? undefined : { start, end, size }
}

export const writeContentRange = ({ start, end }: ByteRange, size: number): string => `bytes ${start}-${end}/${size}`
