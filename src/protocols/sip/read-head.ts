import { skipSpace, skipWhile, tokenChars } from './characters.ts'
import { canonicalName } from './header-names.ts'
import { Headers } from './headers.ts'
import { MalformedSip } from './malformed-sip.ts'
import { type SipMessage, SipRequest, SipResponse } from './message.ts'

/** What a message may take; 0 is no limit. */
export interface ReadLimits {
  readonly maxBytes: number
  readonly maxHeaders: number
  readonly maxHeaderLength: number
}

/** What is wrong with a message, and the status for it. */
export interface Fault {
  readonly note: string
  readonly status: number
}

/** Start line and header fields as far as they could be read; `fault` is the first thing that was wrong. */
export class Head {
  /** Of a request. */
  method = ''
  uri = ''
  /** Of a response; 0 in a request. */
  status = 0
  reason = ''
  readonly headers = new Headers()
  /** The value of Content-Length; undefined when there is none. */
  contentLength: number | undefined = undefined
  /** Where the body ends cannot be known. */
  lengthInDoubt = false
  fault: Fault | undefined = undefined

  withBody(body: Buffer): SipMessage {
    if (this.status === 0) return new SipRequest(this.method, this.uri, this.headers, body)
    return new SipResponse(this.status, this.reason, this.headers, body)
  }

  /** The fault as an error, with the request as far as it can be answered (RFC 3261 §16.3: it has a Via). */
  asMalformed({ note, status }: Fault, body: Buffer): MalformedSip {
    const answerable = this.status === 0 && this.method !== '' && this.headers.has('via')
    const request = answerable ? new SipRequest(this.method, this.uri, this.headers, body) : undefined
    return new MalformedSip(note, status, request)
  }

  blame(note: string, status = 400): void {
    this.fault ??= { note, status }
  }
}

/** Reads the head of a message: the bytes from `start` to `end`, the CRLF of its last header line included. */
export function readHead(bytes: Buffer, start: number, end: number, limits: ReadLimits): Head {
  const text = bytes.toString('latin1', start, end)
  const head = new Head()
  const feed = text.indexOf('\n')
  readStartLine(text.slice(0, lineEnd(text, 0, feed, head)), head)
  readHeaderLines(text, feed + 1, limits, head)
  if (weightOf(bytes, start, end) !== 0 && !onlyInQuotedPairs(text)) head.blame('a control character in the head')
  return head
}

/** CR and LF outweigh each other, HT weighs nothing, any other control character too much. */
const weights = Int32Array.from({ length: 256 }, (_, code) => (code < 32 || code === 127 ? 65536 : 0))
weights[9] = 0
weights[10] = -1
weights[13] = 1

/** Zero when there is no control character in the text but HT, and no CR without the LF that each line ends with. */
function weightOf(bytes: Buffer, start: number, end: number): number {
  let weight = 0
  for (let at = start; at < end; at++) weight += weights[bytes[at] as number] as number
  return weight
}

/** A quoted-pair may hold any control character but CR and LF (RFC 3261 §25.1; RFC 4475 §3.1.1.2). */
const onlyInQuotedPairs = (text: string) =>
  !/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]/.test(text.replace(/\\[^\r\n]/g, ''))

/** Where the line ends whose line feed is at `feed`: at the carriage return before it. */
function lineEnd(text: string, from: number, feed: number, head: Head): number {
  if (feed > from && text.charCodeAt(feed - 1) === 13) return feed - 1
  head.blame('a line feed without its carriage return')
  return feed
}

function readStartLine(line: string, head: Head): void {
  if (line.startsWith('SIP/2.0 ')) readStatusLine(line, head)
  else readRequestLine(line, head)
}

function readStatusLine(line: string, head: Head): void {
  const status = Number(line.slice(8, 11))
  const wellFormed = /^[1-6][0-9]{2}$/.test(line.slice(8, 11)) && line.charCodeAt(11) === 32
  head.status = wellFormed ? status : -1
  head.reason = line.slice(12)
  if (!wellFormed) head.blame('not the status line of SIP/2.0')
}

/** Exactly one space on either side of the request-URI, none elsewhere (RFC 3261 §7.1). */
function readRequestLine(line: string, head: Head): void {
  const methodEnd = skipWhile(line, 0, tokenChars)
  const uriEnd = line.indexOf(' ', methodEnd + 1)
  head.method = line.slice(0, methodEnd)
  head.uri = line.slice(methodEnd + 1, uriEnd)
  const wellFormed = methodEnd > 0 && line.charCodeAt(methodEnd) === 32 && uriEnd > methodEnd + 1
  if (!wellFormed || uriEnd !== line.length - 8 || !line.endsWith('SIP/2.0')) blameRequestLine(line, head)
}

/** Says what is wrong with a request line; an SIP-Version in lower case is no fault (RFC 3261 §7.1). */
function blameRequestLine(line: string, head: Head): void {
  const [method, uri = '', ...rest] = line.split(' ').filter((part) => part !== '')
  const [, number] = /^SIP\/([0-9]{1,4}\.[0-9]{1,4})$/i.exec(rest.at(-1) ?? '') ?? []
  head.uri = uri
  if (head.method === '' || head.method !== method || number === undefined) head.blame('not the start line of SIP')
  else if (number !== '2.0') head.blame(`the version is ${number}`, 505)
  else if (rest.length !== 1 || line !== `${method} ${uri} ${rest[0]}`) head.blame('white space in the request line')
}

function readHeaderLines(text: string, from: number, limits: ReadLimits, head: Head): void {
  for (let at = from; at < text.length; ) {
    const feed = text.indexOf('\n', at)
    const end = lineEnd(text, at, feed, head)
    const next = text.charCodeAt(feed + 1)
    if (next === 32 || next === 9) {
      at = readFolded(text, at, limits, head)
      continue
    }
    if (!readLine(text, at, end, limits, head)) return
    at = feed + 1
  }
}

/**
 * Reads one header line into the head; white space may stand before the colon (RFC 3261 §25.1). False when there are
 * too many of them.
 */
function readLine(text: string, from: number, end: number, limits: ReadLimits, head: Head): boolean {
  const nameEnd = skipWhile(text, from, tokenChars)
  const colon = skipSpace(text, nameEnd)
  if (nameEnd === from || text.charCodeAt(colon) !== 58) {
    head.blame('a header line without a name')
    return true
  }
  const name = canonicalName(text.slice(from, nameEnd))
  const valueFrom = skipSpace(text, colon + 1)
  let valueEnd = end
  for (let code = text.charCodeAt(end - 1); valueEnd > valueFrom && (code === 32 || code === 9); ) {
    code = text.charCodeAt(--valueEnd - 1)
  }
  if (limits.maxHeaderLength !== 0 && end - from > limits.maxHeaderLength) {
    head.blame('a header field is too long')
    if (name !== 'content-length') return true
  }
  if (limits.maxHeaders !== 0 && head.headers.size >= limits.maxHeaders) {
    head.blame('too many header fields')
    head.lengthInDoubt = true
    return false
  }
  if (name === 'content-length') readContentLength(text.slice(valueFrom, valueEnd), head)
  if (valueEnd === end) head.headers.addRead(name, text, from, valueFrom, end)
  else head.headers.add(text.slice(from, nameEnd), text.slice(valueFrom, valueEnd))
  return true
}

/** Reads a header field that goes on in lines that begin with white space (RFC 3261 §7.3.1); returns where it ends. */
function readFolded(text: string, from: number, limits: ReadLimits, head: Head): number {
  let to = from
  do to = text.indexOf('\n', to) + 1
  while (text.charCodeAt(to) === 32 || text.charCodeAt(to) === 9)
  const line = `${text
    .slice(from, to - 1)
    .trimEnd()
    .replace(/[ \t]*\r?\n[ \t]+/g, ' ')}\r\n`
  if (!readLine(line, 0, line.length - 2, limits, head)) return text.length
  return to
}

function readContentLength(value: string, head: Head): void {
  const length = /^[0-9]{1,15}$/.test(value) ? Number(value) : undefined
  if (length === undefined || (head.contentLength !== undefined && head.contentLength !== length)) {
    head.blame(length === undefined ? 'Content-Length is no number' : 'two values of Content-Length')
    head.lengthInDoubt = true
  }
  head.contentLength ??= length
}
