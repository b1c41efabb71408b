import type { ContentRange } from '../../protocols/http/byte-ranges.ts'
import type { ByteStore, ByteWriter } from './byte-store.ts'
import type { ContentFiles } from './content-files.ts'
import { Refusal, tooLarge } from './refusal.ts'
import type { StoredFile } from './stored-file.ts'

interface Needs {
  readonly files: Pick<ContentFiles, 'resume' | 'finish'>
  readonly bytes: Pick<ByteStore, 'writer'>
  readonly maxFileSize: number
}

/** The rest of a file of which the upload stopped: a PUT with Content-Range (GSMA RCC.07 §3.2.5.3.1.2). */
export class RangeUpload {
  readonly #needs: Needs

  constructor(needs: Needs) {
    this.#needs = needs
  }

  async take(owner: number, tid: string, range: ContentRange, body: AsyncIterable<Buffer>): Promise<StoredFile> {
    const total = this.#totalOf(range)
    const writing = await this.#needs.files.resume(owner, tid, total, range.start)
    if (writing === undefined) throw new Refusal(404, 'Not found', 'no upload with that tid has stopped')
    const writer = await this.#needs.bytes.writer(writing)
    await fill(writer, body, total - range.start)
    return await this.#needs.files.finish(writing)
  }

  /** The rest is the rest: a piece in the middle is of no use to anybody. */
  #totalOf({ end, size }: ContentRange): number {
    const total = size ?? end + 1
    if (total > this.#needs.maxFileSize) throw tooLarge()
    if (end !== total - 1) throw new Refusal(400, 'Malformed', 'the range has to go to the end of the file')
    return total
  }
}

async function fill(writer: ByteWriter, body: AsyncIterable<Buffer>, expected: number): Promise<void> {
  let left = expected
  try {
    for await (const bytes of body) {
      left -= bytes.length
      if (left < 0) throw new Refusal(400, 'Malformed', 'there is more than the range says')
      await writer.write(bytes)
    }
  } catch (err) {
    await writer.stop().catch(() => {}) // the reason is told
    throw err
  }
  await writer.stop()
  if (left > 0) throw new Refusal(400, 'Malformed', 'there is less than the range says')
}
