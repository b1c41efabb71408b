import { Readable } from 'node:stream'
import type { Database } from '../../database/index.ts'
import type { ByteRange } from '../../protocols/http/byte-ranges.ts'
import type { ByteStore, ByteWriter } from './byte-store.ts'
import { ChunkWriter } from './chunk-writer.ts'
import { overtaken } from './refusal.ts'
import { chunkBytes, type FileKey, type StoredFile, type Writing } from './stored-file.ts'

const none = Buffer.alloc(0)

/** The bytes of files in the database, in chunks that go with the row of their file: any node takes the next one, and any serves it. */
export class ContentChunks implements ByteStore {
  readonly #database: Pick<Database, 'query'>

  constructor(database: Pick<Database, 'query'>) {
    this.#database = database
  }

  /** A chunk that is not full is to be written again with what comes. */
  async writer(writing: Writing): Promise<ByteWriter> {
    const last = Math.floor(writing.size / chunkBytes)
    const begun = writing.size % chunkBytes === 0 ? none : await this.#chunk(writing, last)
    return new ChunkWriter(this, writing, begun)
  }

  read(file: StoredFile, range: ByteRange): Readable {
    return Readable.from(this.#bytesOf(file, range), { objectMode: false })
  }

  /** Commits one chunk, with which the file has `size` bytes. Throws a Refusal where another request has taken over. */
  async write({ owner, id, writer }: Writing, number: number, bytes: Buffer, size: number): Promise<void> {
    const written = await this.#database.query(writeStatement, [owner, id, writer, number, size, bytes])
    if (written.length === 0) throw overtaken()
  }

  /** The next chunk is on its way while one is sent. */
  async *#bytesOf(key: FileKey, { start, end }: ByteRange): AsyncGenerator<Buffer> {
    const [first, last] = [Math.floor(start / chunkBytes), Math.floor(end / chunkBytes)]
    let next = this.#chunk(key, first)
    for (let number = first; number <= last; number++) {
      const chunk = await next
      if (number < last) {
        next = this.#chunk(key, number + 1)
        next.catch(() => {}) // whoever gives up half way leaves it unread
      }
      const base = number * chunkBytes
      yield chunk.subarray(Math.max(0, start - base), Math.min(chunk.length, end - base + 1))
    }
  }

  async #chunk({ owner, id }: FileKey, number: number): Promise<Buffer> {
    const [row] = await this.#database.query<{ bytes: Buffer }>(chunkStatement, [owner, id, number])
    if (row === undefined) throw new Error('the file was removed')
    return row.bytes
  }
}

const writeStatement = {
  name: 'content-write',
  text: `with held as (
      update content_files set size = $5 where owner = $1 and id = $2 and writer = $3 and not complete returning 1
    )
    insert into content_chunks (owner, file, number, bytes) select $1, $2, $4, $6 from held
    on conflict (owner, file, number) do update set bytes = excluded.bytes
    returning 1`,
}

const chunkStatement = {
  name: 'content-chunk',
  text: 'select bytes from content_chunks where owner = $1 and file = $2 and number = $3',
}
