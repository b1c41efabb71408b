import { createHash } from 'node:crypto'
import { type ByteRange, readRanges, writeContentRange } from '../../protocols/http/byte-ranges.ts'
import { writeAttachment } from '../../protocols/http/disposition.ts'
import type { StoredFile } from './stored-file.ts'

/** The conditions that a client sets (RFC 9110 §13, §14). */
export interface Wishes {
  readonly range: string | undefined
  readonly ifRange: string | undefined
  readonly ifNoneMatch: string | undefined
}

/** What goes back: text of the server's own, and ranges of the file. */
export interface Download {
  readonly status: 200 | 206 | 304 | 416
  readonly headers: Readonly<Record<string, string>>
  readonly body: readonly (Buffer | ByteRange)[]
}

/** Types that a browser runs or looks into; they are given away as bytes. */
const active = /(?:html|xml|svg|script|pdf|flash|java|css|xul|mathml|wasm|manifest)/

/** Nothing is ever shown as what its sender says it is: it is kept, not sniffed, and has no rights where it is opened. */
const harmless = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "sandbox; default-src 'none'",
  'cache-control': 'private, no-transform',
  'referrer-policy': 'no-referrer',
}

/** The answer to a GET or HEAD of a file. */
export function downloadOf(file: StoredFile, { range, ifRange, ifNoneMatch }: Wishes): Download {
  const etag = etagOf(file)
  const modified = new Date(file.created).toUTCString()
  const headers = { ...harmless, etag, 'last-modified': modified, 'accept-ranges': 'bytes' }
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, etag)) return { status: 304, headers, body: [] }
  const described = { ...headers, 'content-disposition': writeAttachment(file.name) }
  const fits = ifRange === undefined || ifRange === etag || ifRange === modified
  const ranges = range === undefined || !fits ? undefined : readRanges(range, file.size)
  if (ranges === 'unsatisfiable') {
    return { status: 416, headers: { ...headers, 'content-range': `bytes */${file.size}` }, body: [] }
  }
  const type = servedType(file.contentType)
  if (ranges === undefined) return whole(file, { ...described, 'content-type': type })
  const [first, ...others] = ranges
  if (first !== undefined && others.length === 0) return one(file, first, { ...described, 'content-type': type })
  return several(file, ranges, described, type)
}

/** Its content never changes, and the tag tells nothing of the link. */
export const etagOf = ({ id }: Pick<StoredFile, 'id'>): string =>
  `"${createHash('sha256').update('etag').update(id).digest('base64url').slice(0, 22)}"`

const matches = (condition: string, etag: string) =>
  condition.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag)

const servedType = (type: string) => (active.test(type) ? 'application/octet-stream' : type)

function whole(file: StoredFile, headers: Record<string, string>): Download {
  const body = file.size === 0 ? [] : [{ start: 0, end: file.size - 1 }]
  return { status: 200, headers: { ...headers, 'content-length': String(file.size) }, body }
}

function one(file: StoredFile, range: ByteRange, headers: Record<string, string>): Download {
  const length = String(range.end - range.start + 1)
  const about = { 'content-range': writeContentRange(range, file.size), 'content-length': length }
  return { status: 206, headers: { ...headers, ...about }, body: [range] }
}

/** RFC 9110 §14.6. */
function several(
  file: StoredFile,
  ranges: readonly ByteRange[],
  headers: Record<string, string>,
  type: string,
): Download {
  const boundary = createHash('sha256').update('boundary').update(file.id).digest('hex').slice(0, 32)
  const body = ranges.flatMap((range) => {
    const fields = `content-type: ${type}\r\ncontent-range: ${writeContentRange(range, file.size)}`
    return [Buffer.from(`\r\n--${boundary}\r\n${fields}\r\n\r\n`), range]
  })
  body.push(Buffer.from(`\r\n--${boundary}--\r\n`))
  const length = body.reduce(
    (sum, piece) => sum + (Buffer.isBuffer(piece) ? piece.length : piece.end - piece.start + 1),
    0,
  )
  const about = { 'content-type': `multipart/byteranges; boundary=${boundary}`, 'content-length': String(length) }
  return { status: 206, headers: { ...headers, ...about }, body }
}
