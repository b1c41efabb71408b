import { isFromLine, unquoteLine } from '../../../protocols/mbox/mbox.ts'
import type { Bytes, NewObject } from '../mailbox/stored-object.ts'
import { badLine, type Lines } from './lines.ts'
import type { ContentFields, ContentSource } from './object-line.ts'

/** Bytes of the header fields of one message, together. */
const mostHead = 16 * 1024 ** 2

/** Reads header fields up to the empty line; names in lower case, of several the first. */
export async function readHead(lines: Lines, line: number): Promise<Map<string, string>> {
  const fields: [name: string, value: string][] = []
  let room = mostHead
  for (let next = await lines.peek(); next !== undefined; next = await lines.peek()) {
    if (next.bytes === undefined) throw badLine(next.number, 'longer than 16 MiB')
    if (isFromLine(next.bytes)) break
    room -= next.bytes.length
    if (room < 0) throw badLine(line, 'header fields of more than 16 MiB')
    await lines.next()
    const text = next.bytes.toString().replace(/\r$/, '')
    if (text === '') break
    addLine(fields, text, next.number)
  }
  return new Map(fields.reverse())
}

function addLine(fields: [name: string, value: string][], text: string, line: number): void {
  const last = fields.at(-1)
  if (/^[ \t]/.test(text)) {
    if (last === undefined) throw badLine(line, 'not a header field')
    // What this server has folded it has folded anywhere, with a tab.
    last[1] += last[0].startsWith('x-parley-') ? text.slice(1) : ` ${text.trim()}`
    return
  }
  const colon = text.indexOf(':')
  if (colon < 1) throw badLine(line, 'not a header field')
  const name = text.slice(0, colon).toLowerCase()
  const value = text.slice(colon + 1).trimStart()
  fields.push([name, name.startsWith('x-parley-') ? value : value.trimEnd()])
}

/** The contents of one message, one after the other, as pieces. */
export class MboxBody implements ContentSource {
  readonly line: number
  /** Of all contents that were asked for. */
  bytes = 0
  readonly #lines: Lines
  readonly #boundary: string | undefined
  readonly #head: ReadonlyMap<string, string>
  #turn = 0
  #added = 0

  constructor(lines: Lines, line: number, boundary: string | undefined, head: ReadonlyMap<string, string>) {
    this.#lines = lines
    this.line = line
    this.#boundary = boundary
    this.#head = head
  }

  add({ size }: ContentFields): Bytes {
    this.bytes += size
    return this.#content(size, this.#added++)
  }

  /** The one content of a mail, of whatever size. */
  rest(): AsyncIterable<Buffer> {
    return decoded(this.#text(), this.#head)
  }

  /** The same object, with its contents in memory. */
  async hold(object: NewObject & { id: string; disposition: number }) {
    const payload = object.payload && { ...object.payload, content: await whole(object.payload.content) }
    const parts = []
    for (const part of object.parts ?? []) parts.push({ ...part, content: await whole(part.content) })
    return { ...object, ...(payload && { payload }), ...(object.parts && { parts }) }
  }

  async *#content(size: number, turn: number): AsyncGenerator<Buffer> {
    if (turn !== this.#turn) throw new Error('contents are read in their order')
    const head = this.#boundary === undefined ? this.#head : await this.#nextPart()
    let left = size
    for await (const bytes of decoded(this.#text(), head)) {
      left -= bytes.length
      if (left < 0) break
      yield bytes
    }
    if (left !== 0) throw badLine(this.line, `not the ${size} bytes that it claims`)
    this.#turn += 1
  }

  async #nextPart(): Promise<ReadonlyMap<string, string>> {
    for (let next = await this.#lines.peek(); next !== undefined; next = await this.#lines.peek()) {
      if (next.bytes === undefined || isFromLine(next.bytes)) break
      await this.#lines.next()
      if (this.#isDelimiter(next.bytes)) return await readHead(this.#lines, next.number)
    }
    throw badLine(this.line, 'a part is missing')
  }

  #isDelimiter(bytes: Buffer): boolean {
    return this.#boundary !== undefined && bytes.toString('latin1').trimEnd().startsWith(`--${this.#boundary}`)
  }

  /** Up to the next delimiter or message, with the ends of lines as they were; the last one belongs to what follows. */
  async *#text(): AsyncGenerator<Buffer> {
    const text = new Joined()
    let held: Buffer | undefined
    for (let next = await this.#lines.peek(); next !== undefined; next = await this.#lines.peek()) {
      if (next.bytes === undefined) throw badLine(next.number, 'longer than 16 MiB')
      if (isFromLine(next.bytes) || this.#isDelimiter(next.bytes)) break
      await this.#lines.next()
      if (held !== undefined) text.add(held)
      held = unquoteLine(next.bytes)
      if (text.length > 65_536) yield text.take()
    }
    const endsMessage = this.#boundary === undefined && held?.length === 0
    if (held !== undefined && !endsMessage) text.add(held)
    yield text.take()
  }
}

const newline = Buffer.from('\n')

/** Lines with their ends between them, taken in pieces. */
class Joined {
  length = 0
  #pieces: Buffer[] = []
  #isFirst = true

  add(line: Buffer): void {
    if (!this.#isFirst) this.#pieces.push(newline)
    this.#pieces.push(line)
    this.#isFirst = false
    this.length += line.length + 1
  }

  take(): Buffer {
    const pieces = this.#pieces
    this.#pieces = []
    this.length = 0
    return Buffer.concat(pieces)
  }
}

async function* decoded(text: AsyncGenerator<Buffer>, head: ReadonlyMap<string, string>): AsyncGenerator<Buffer> {
  const encoding = head.get('content-transfer-encoding')?.trim().toLowerCase()
  if (encoding === 'base64') yield* fromBase64(text)
  else if (encoding === 'quoted-printable') yield* fromQuotedPrintable(text)
  else yield* text
}

async function* fromBase64(text: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest = ''
  for await (const piece of text) {
    const digits = rest + piece.toString('latin1').replace(/[^A-Za-z0-9+/=]/g, '')
    const whole = digits.length - (digits.length % 4)
    rest = digits.slice(whole)
    yield Buffer.from(digits.slice(0, whole), 'base64')
  }
  if (rest !== '') yield Buffer.from(rest, 'base64')
}

/** RFC 2045 §6.7. */
async function* fromQuotedPrintable(text: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest = ''
  for await (const piece of text) {
    const lines = rest + piece.toString('latin1')
    const whole = lines.lastIndexOf('\n') + 1
    rest = lines.slice(whole)
    yield unquotedPrintable(lines.slice(0, whole))
  }
  yield unquotedPrintable(rest)
}

const unquotedPrintable = (lines: string): Buffer =>
  Buffer.from(
    lines
      .replace(/[ \t]+(?=\r?$)/gm, '')
      .replace(/=\r?\n/g, '')
      .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )

async function whole(content: Bytes): Promise<Buffer> {
  if (Buffer.isBuffer(content)) return content
  const pieces: Buffer[] = []
  for await (const piece of content) pieces.push(piece)
  return Buffer.concat(pieces)
}
