import { Readable } from 'node:stream'
import type { Knex } from 'knex'
import type { Database } from '../../../database/index.ts'
import { Failure } from '../../../failure.ts'
import { entitiesIn } from '../../../protocols/cpm/message-object.ts'
import { SipRequest } from '../../../protocols/sip/message.ts'
import { readMessage } from '../../../protocols/sip/read-message.ts'
import type { ByteRange, Content } from './content.ts'
import type { Bytes, NewContent, Part } from './stored-object.ts'

/** Bytes that stay with their object; more go into chunks. */
const mostInline = 65_536
const chunkBytes = 262_144

export const isInline = (content: Bytes): content is Buffer => Buffer.isBuffer(content) && content.length <= mostInline

/** Bytes that no object has yet. */
export interface Placed {
  readonly contentType: string
  readonly size: number
  readonly inline: Buffer | null
  /** Of its chunks. */
  readonly contents: string | null
}

interface ContentRow {
  readonly content_type: string | null
  readonly content: Buffer | null
  readonly contents: string | null
  readonly request: Buffer | null
  readonly size: number
  readonly parts: readonly Part[]
}

interface PartRow {
  readonly content_type: string
  readonly content: Buffer | null
  readonly contents: string | null
  readonly size: number
}

/** Payloads and parts. What is large is written and read in chunks, so that memory never holds it. */
export class Contents {
  readonly #database: Database
  readonly #newId: () => string
  constructor(database: Database, newId: () => string) {
    this.#database = database
    this.#newId = newId
  }

  /** Throws `mailbox-full` as soon as it is more than `room`; nothing of it is left then. */
  async place(owner: number, { contentType, content }: NewContent, room: number): Promise<Placed> {
    if (Buffer.isBuffer(content) && content.length > room) throw new Failure('mailbox-full')
    if (isInline(content)) {
      return { contentType, size: content.length, inline: content, contents: null }
    }
    const contents = this.#newId()
    const pieces = Buffer.isBuffer(content) ? [content] : content
    try {
      return { contentType, ...(await this.#write(owner, contents, pieces, room)) }
    } catch (err) {
      await this.#remove(owner, [contents])
      throw err
    }
  }

  /** What was placed for objects that did not come about; what belongs to one stays. */
  async abandon(owner: number, placed: readonly Placed[]): Promise<void> {
    await this.#remove(owner, chunksOf(placed))
  }

  /** From now on it belongs to an object, with whose transaction this is committed. */
  async settle(trx: Knex.Transaction, owner: number, placed: readonly Placed[]): Promise<void> {
    const contents = chunksOf(placed)
    if (contents.length > 0) await trx('staged_chunks').where({ owner }).whereIn('content', contents).delete()
  }

  async ofObject(owner: number, id: string): Promise<Content | undefined> {
    const [row] = await this.#database.query<ContentRow>(payloadStatement, [owner, id])
    if (row === undefined || row.content_type === null) return undefined
    const inline = row.content ?? (row.contents === null && row.request !== null ? requestIn(row.request).body : null)
    const parts = row.request === null ? row.parts.reduce((sum, { size }) => sum + size, 0) : 0
    const size = inline?.length ?? row.size - parts
    return this.#content(owner, { contentType: row.content_type, size, inline, contents: row.contents })
  }

  async ofPart(owner: number, id: string, number: number): Promise<Content | undefined> {
    const [row] = await this.#database.query<PartRow>(partStatement, [owner, id, number])
    if (row !== undefined) {
      const { content_type: contentType, content: inline, contents, size } = row
      return this.#content(owner, { contentType, size, inline, contents })
    }
    const [object] = await this.#database.query<ContentRow>(payloadStatement, [owner, id])
    if (object?.request == null || object.parts.every((part) => part.number !== number)) return undefined
    const entity = entitiesIn(requestIn(object.request)).find(({ part }) => part.number === number)
    if (entity === undefined) return undefined
    const { part, body } = entity
    return this.#content(owner, { contentType: part.contentType, size: body.length, inline: body, contents: null })
  }

  async #write(owner: number, contents: string, pieces: Iterable<Buffer> | AsyncIterable<Buffer>, room: number) {
    let [size, number, held] = [0, 0, 0]
    let waiting: Buffer[] = []
    const flush = async (all: boolean) => {
      const bytes = Buffer.concat(waiting)
      let at = 0
      for (; bytes.length - at >= chunkBytes || (all && at < bytes.length); at += chunkBytes) {
        await this.#writeChunk(owner, contents, number++, bytes.subarray(at, at + chunkBytes))
      }
      waiting = at < bytes.length ? [bytes.subarray(at)] : []
      held = Math.max(bytes.length - at, 0)
    }
    for await (const piece of pieces) {
      size += piece.length
      if (size > room) throw new Failure('mailbox-full')
      waiting.push(piece)
      held += piece.length
      if (held >= chunkBytes) await flush(false)
    }
    if (number === 0 && size <= mostInline) return { size, inline: Buffer.concat(waiting), contents: null }
    await flush(true)
    return { size, inline: null, contents }
  }

  async #writeChunk(owner: number, contents: string, number: number, bytes: Buffer): Promise<void> {
    if (number === 0) await this.#database.query(stageStatement, [owner, contents])
    await this.#database.query(chunkStatement, [owner, contents, number, bytes])
  }

  async #remove(owner: number, contents: readonly string[]): Promise<void> {
    if (contents.length > 0) await this.#database.query(unstageStatement, [owner, contents])
  }

  #content(owner: number, { contentType, size, inline, contents }: Placed): Content {
    const read = (range: ByteRange = { first: 0, last: size - 1 }) => {
      if (inline !== null)
        return Readable.from(range.last < range.first ? [] : [inline.subarray(range.first, range.last + 1)])
      return Readable.from(contents === null ? [] : this.#chunks(owner, contents, range), { objectMode: false })
    }
    const buffer = async (most: number) => {
      if (size > most) throw new Failure('size-exceeded')
      return inline ?? Buffer.concat((await read().toArray()) as Buffer[])
    }
    return { contentType, size, read, buffer }
  }

  async *#chunks(owner: number, contents: string, { first, last }: ByteRange): AsyncGenerator<Buffer> {
    for (let number = Math.floor(first / chunkBytes); number * chunkBytes <= last; number++) {
      const [row] = await this.#database.query<{ bytes: Buffer }>(readStatement, [owner, contents, number])
      if (row === undefined) return // removed meanwhile
      const at = number * chunkBytes
      yield row.bytes.subarray(Math.max(first - at, 0), last - at + 1)
    }
  }
}

/** The request that a message was kept as. */
export function requestIn(bytes: Buffer): SipRequest {
  const message = readMessage(bytes, { maxBytes: 0, maxHeaders: 0, maxHeaderLength: 0 })
  if (message instanceof SipRequest) return message
  throw new Error('a message is kept as a response')
}

const chunksOf = (placed: readonly Placed[]): string[] =>
  placed.map(({ contents }) => contents).filter((contents) => contents !== null)

const payloadStatement = {
  name: 'mailbox-payload',
  text: `select content_type, content, contents, size, parts, case when content is null and contents is null then request end as request
    from messages where owner = $1 and id = $2 and folder is not null`,
}
const partStatement = {
  name: 'mailbox-part',
  text: `select p.content_type, p.content, p.contents, p.size from message_parts p
    where p.owner = $1 and p.message = $2 and p.number = $3`,
}
const stageStatement = { name: 'mailbox-stage', text: 'insert into staged_chunks (owner, content) values ($1, $2)' }
const chunkStatement = {
  name: 'mailbox-chunk',
  text: 'insert into chunks (owner, content, number, bytes) values ($1, $2, $3, $4)',
}
const readStatement = {
  name: 'mailbox-read-chunk',
  text: 'select bytes from chunks where owner = $1 and content = $2 and number = $3',
}
const unstageStatement = {
  name: 'mailbox-unstage',
  text: `with staged as (delete from staged_chunks where owner = $1 and content = any ($2::uuid[]) returning content)
    delete from chunks c using staged s where c.owner = $1 and c.content = s.content`,
}
