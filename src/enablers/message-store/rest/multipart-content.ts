import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { writeAttachment } from '../../../protocols/http/disposition.ts'
import { readContentType } from '../../../protocols/mime/content-type.ts'
import type { ByteRange, Content } from '../mailbox/content.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import type { Part, StoredObject } from '../mailbox/stored-object.ts'

/** A multipart payload, written from the parts that it is kept as. It may be read from any byte on. */
export function multipartContent(mailboxes: Pick<Mailboxes, 'part'>, object: StoredObject): Content {
  const { owner, id, contentType = 'multipart/mixed', parts } = object
  const boundary = boundaryOf(object)
  const pieces: Piece[] = parts.flatMap((part, at) => [
    textPiece(`${at === 0 ? '' : '\r\n'}--${boundary}\r\n${headOf(part)}\r\n`),
    { size: part.size, read: (range) => partPiece(mailboxes, owner, id, part.number, range) },
  ])
  pieces.push(textPiece(`\r\n--${boundary}--\r\n`))
  const size = pieces.reduce((sum, piece) => sum + piece.size, 0)
  const read = (range: ByteRange = { first: 0, last: size - 1 }) =>
    Readable.from(readPieces(pieces, range), { objectMode: false })
  const buffer = async () => Buffer.concat((await read().toArray()) as Buffer[])
  return { contentType: typeWith(contentType, boundary), size, read, buffer }
}

interface Piece {
  readonly size: number
  read(range: ByteRange): AsyncIterable<Buffer> | Iterable<Buffer>
}

function textPiece(text: string): Piece {
  const bytes = Buffer.from(text)
  return { size: bytes.length, read: ({ first, last }) => [bytes.subarray(first, last + 1)] }
}

async function* partPiece(
  mailboxes: Pick<Mailboxes, 'part'>,
  owner: number,
  id: string,
  number: number,
  range: ByteRange,
): AsyncGenerator<Buffer> {
  const content = await mailboxes.part(owner, id, number)
  if (content === undefined) throw new Error('a part went while it was read')
  yield* content.read(range)
}

async function* readPieces(pieces: readonly Piece[], { first, last }: ByteRange): AsyncGenerator<Buffer> {
  let at = 0
  for (const piece of pieces) {
    const [from, to] = [Math.max(first - at, 0), Math.min(last - at, piece.size - 1)]
    if (from <= to) yield* piece.read({ first: from, last: to })
    at += piece.size
  }
}

/** That of the client, or one that nobody who wrote the parts could know. */
function boundaryOf({ contentType = '', owner, id }: StoredObject): string {
  const given = readContentType(contentType).params.get('boundary')
  return given ?? createHash('sha256').update(`${owner} ${id}`).digest('hex').slice(0, 40)
}

const typeWith = (contentType: string, boundary: string): string =>
  /;\s*boundary\s*=/i.test(contentType) ? contentType : `${contentType}; boundary="${boundary}"`

function headOf({ contentType, contentId, contentLocation, disposition, fileName }: Part): string {
  const lines = [`Content-Type: ${contentType}`]
  if (contentId !== undefined) lines.push(`Content-ID: <${oneLine(contentId)}>`)
  if (contentLocation !== undefined) lines.push(`Content-Location: ${oneLine(contentLocation)}`)
  if (disposition !== undefined) {
    const [, params = ''] = /^attachment(.*)$/s.exec(writeAttachment(fileName)) ?? []
    lines.push(`Content-Disposition: ${oneLine(disposition)}${params}`)
  }
  return lines.map((line) => `${line}\r\n`).join('')
}

const oneLine = (text: string): string => text.replace(/[\r\n]+/g, ' ')
