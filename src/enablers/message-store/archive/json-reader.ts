import { z } from 'zod'
import type { Bytes } from '../mailbox/stored-object.ts'
import { type Entry, pieceBytes } from './entry.ts'
import { badLine, faultIn, type Line, type Lines } from './lines.ts'
import { type ContentFields, type ContentSource, objectLine, toObject } from './object-line.ts'
import { readPath } from './values.ts'

const line = z.union([
  z.strictObject({ object: objectLine }),
  z.strictObject({ folder: z.string().max(10_000) }),
  z.strictObject({ chunk: z.string() }),
  z.strictObject({ archive: z.literal('parley mailbox'), version: z.literal(1), user: z.string() }),
])
/** Reads an archive of a JSON value a line. What is wrong with a line is an entry as well; the next line is read all the same. */
export async function* readJsonArchive(lines: Lines): AsyncGenerator<Entry> {
  for (let at = await lines.next(); at !== undefined; at = await lines.next()) {
    const read = readLine(at)
    if ('fault' in read) yield { line: at.number, fault: read.fault }
    else if ('folder' in read) yield { line: at.number, ...folderOf(read.folder) }
    else if ('object' in read) yield* readObject(read.object, at.number, lines)
    else if ('chunk' in read) yield { line: at.number, fault: 'a chunk that belongs to no object' }
  }
}

function readLine({ bytes }: Line): z.infer<typeof line> | { fault: string } {
  if (bytes === undefined) return { fault: 'longer than 16 MiB' }
  try {
    const { success, data, error } = line.safeParse(JSON.parse(bytes.toString()))
    return success ? data : { fault: `not a line of an archive: ${explained(error)}` }
  } catch {
    return { fault: 'not JSON' }
  }
}

/** Of the forms that a line may have, what keeps it from the one that it comes closest to. */
function explained(error: z.ZodError): string {
  const issues = error.issues.flatMap((issue) =>
    'errors' in issue ? (issue.errors as z.core.$ZodIssue[][]).flat() : issue,
  )
  const deepest = issues.reduce((one, other) => (other.path.length > one.path.length ? other : one))
  return `${deepest.path.join('.')} ${deepest.message}`.trim().slice(0, 200)
}

function folderOf(path: string): { folder: string[] } | { fault: string } {
  const names = readPath(path)
  return names === undefined ? { fault: 'not the path of a folder' } : { folder: names }
}

async function* readObject(read: z.infer<typeof objectLine>, number: number, lines: Lines): AsyncGenerator<Entry> {
  const contents = new Contents(lines, number)
  try {
    const made = toObject(read, contents)
    yield { line: number, object: made, bytes: contents.bytes }
  } catch (err) {
    yield { line: number, fault: faultIn(err) }
  }
  await contents.skip()
}

/** The contents of one object: in its line, or in the lines after it, one after the other. */
class Contents implements ContentSource {
  readonly line: number
  /** Of those in the line. */
  bytes = 0
  readonly #lines: Lines
  #added = 0
  #turn = 0
  /** Lines that still belong to the object. */
  #left = 0

  constructor(lines: Lines, line: number) {
    this.#lines = lines
    this.line = line
  }

  add({ size, base64, chunks }: ContentFields): Bytes {
    if (chunks !== undefined) {
      this.#left += chunks
      return this.#chunks(chunks, size, this.#added++)
    }
    const bytes = Buffer.from(base64 ?? '', 'base64')
    if (base64 === undefined || bytes.length !== size) throw badLine(this.line, `not the ${size} bytes that it claims`)
    this.bytes += size
    return bytes
  }

  /** Passes over what was not read. */
  async skip(): Promise<void> {
    for (; this.#left > 0; this.#left--) {
      const next = await this.#lines.peek()
      if (next?.bytes?.subarray(0, 9).toString() !== '{"chunk":') return
      await this.#lines.next()
    }
  }

  async *#chunks(count: number, size: number, turn: number): AsyncGenerator<Buffer> {
    if (turn !== this.#turn) throw new Error('contents are read in their order')
    let left = size
    for (let at = 0; at < count; at++) {
      const bytes = await this.#chunk()
      left -= bytes.length
      if (left < 0) break
      yield bytes
    }
    if (left !== 0) throw badLine(this.line, `not the ${size} bytes that it claims`)
    this.#turn += 1
  }

  async #chunk(): Promise<Buffer> {
    const next = await this.#lines.peek()
    const read = next === undefined ? { fault: 'the archive ends here' } : readLine(next)
    const number = next?.number ?? this.line
    if (!('chunk' in read)) throw badLine(number, 'fault' in read ? read.fault : 'a chunk is missing before it')
    await this.#lines.next()
    this.#left -= 1
    if (read.chunk.length > (pieceBytes * 4) / 3 + 4) throw badLine(number, 'a chunk that is too long')
    return Buffer.from(read.chunk, 'base64')
  }
}
