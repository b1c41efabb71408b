import { readContentType } from './content-type.ts'
import { MalformedMime } from './malformed-mime.ts'

/** One entity of a multipart body; bytes as they came, header names in lower case. */
export interface Part {
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

export interface MultipartLimits {
  readonly parts: number
  /** Of the header fields of one part. */
  readonly headerBytes: number
}

export const multipartLimits: MultipartLimits = { parts: 64, headerBytes: 8_192 }

/** The parts of a multipart body (RFC 2046 §5.1.1). Preamble and epilogue are left out. Throws MalformedMime. */
export function readMultipart(bytes: Buffer, contentType: string, limits: MultipartLimits = multipartLimits): Part[] {
  const boundary = readContentType(contentType).params.get('boundary')
  if (boundary === undefined || boundary === '' || boundary.length > 70) throw new MalformedMime('no boundary')
  const parts: Part[] = []
  let delimiter = findDelimiter(bytes, boundary, 0)
  while (delimiter !== undefined && !delimiter.last) {
    const next = findDelimiter(bytes, boundary, delimiter.end)
    if (next === undefined) throw new MalformedMime('no closing boundary')
    if (parts.length === limits.parts) throw new MalformedMime('too many parts')
    parts.push(readPart(bytes.subarray(delimiter.end, Math.max(next.start, delimiter.end)), limits))
    delimiter = next
  }
  if (delimiter === undefined || parts.length === 0) throw new MalformedMime('no part')
  return parts
}

interface Delimiter {
  /** Where the part before it ends: the line break before the delimiter belongs to the delimiter. */
  readonly start: number
  readonly end: number
  readonly last: boolean
}

function findDelimiter(bytes: Buffer, boundary: string, from: number): Delimiter | undefined {
  const dashed = Buffer.from(`--${boundary}`, 'latin1')
  for (let at = bytes.indexOf(dashed, from); at !== -1; at = bytes.indexOf(dashed, at + 1)) {
    if (at > from && bytes[at - 1] !== 0x0a) continue
    if (at === from && from > 0 && bytes[at - 1] !== 0x0a) continue
    let end = at + dashed.length
    const last = bytes[end] === 0x2d && bytes[end + 1] === 0x2d
    if (last) end += 2
    while (bytes[end] === 0x20 || bytes[end] === 0x09) end++
    const next = lineEnd(bytes, end)
    if (next === undefined) continue
    return { start: lineBreakBefore(bytes, at, from), end: next, last }
  }
  return undefined
}

/** The first byte after the line break at `at`; the end of the body stands for one. */
function lineEnd(bytes: Buffer, at: number): number | undefined {
  if (at === bytes.length) return at
  if (bytes[at] === 0x0a) return at + 1
  return bytes[at] === 0x0d && bytes[at + 1] === 0x0a ? at + 2 : undefined
}

function lineBreakBefore(bytes: Buffer, at: number, from: number): number {
  if (at === from) return at
  return at - 2 >= from && bytes[at - 2] === 0x0d ? at - 2 : at - 1
}

function readPart(bytes: Buffer, limits: MultipartLimits): Part {
  const headers = new Map<string, string>()
  let last: string | undefined
  for (let at = 0; ; ) {
    const end = bytes.indexOf(0x0a, at)
    // A part may be header fields alone, or an empty line and nothing (RFC 2046 §5.1).
    const line = bytes.toString('latin1', at, end === -1 ? bytes.length : end).replace(/\r$/, '')
    at = end === -1 ? bytes.length : end + 1
    if (at > limits.headerBytes && line !== '') throw new MalformedMime('header fields too long')
    if (line === '') return { headers, body: bytes.subarray(at) }
    last = addLine(headers, line, last)
    if (end === -1) return { headers, body: bytes.subarray(bytes.length) }
  }
}

function addLine(headers: Map<string, string>, line: string, last: string | undefined): string | undefined {
  if (/^[ \t]/.test(line) && last !== undefined) {
    headers.set(last, `${headers.get(last)} ${line.trim()}`)
    return last
  }
  const colon = line.indexOf(':')
  if (colon < 1) throw new MalformedMime('not a header field')
  const name = line.slice(0, colon).trim().toLowerCase()
  if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim())
  return name
}

/** The bytes of a multipart body. The caller chooses a boundary that occurs in no part. */
export function writeMultipart(parts: readonly Part[], boundary: string): Buffer {
  const pieces: Buffer[] = []
  for (const part of parts) {
    let head = `--${boundary}\r\n`
    for (const [name, value] of part.headers) head += `${properCase(name)}: ${value}\r\n`
    pieces.push(Buffer.from(`${head}\r\n`, 'latin1'), part.body, lineBreak)
  }
  pieces.push(Buffer.from(`--${boundary}--\r\n`, 'latin1'))
  return Buffer.concat(pieces)
}

const lineBreak = Buffer.from('\r\n')
const properCase = (name: string): string => name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
