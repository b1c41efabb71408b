import { readContentType } from '../../protocols/mime/content-type.ts'
import { FormDataReader } from '../../protocols/mime/form-data-reader.ts'
import { MalformedMime } from '../../protocols/mime/malformed-mime.ts'
import type { ByteStore, ByteWriter } from './byte-store.ts'
import type { ContentFiles } from './content-files.ts'
import { Refusal } from './refusal.ts'
import type { Role, StoredFile } from './stored-file.ts'

interface Needs {
  readonly files: Pick<ContentFiles, 'begin' | 'finish' | 'discard' | 'remove'>
  readonly bytes: Pick<ByteStore, 'writer'>
  readonly maxFileSize: number
  readonly maxThumbnailSize: number
}

/** The body ended before its time. */
class Cut extends Refusal {
  constructor() {
    super(400, 'Malformed', 'the last boundary is missing')
  }
}

const limits = { parts: 8, headerBytes: 4_096 }
/** Of all parts that are no file, together. */
const fieldBytes = 16_384
const roles: Readonly<Record<string, Role>> = { file: 'file', thumbnail: 'thumbnail' }
const usualType = 'application/octet-stream'

/** The upload that a user makes with one POST: `tid`, `Thumbnail` where there is one, `File` (GSMA RCC.07 §3.2.5.3.1.1). */
export class FormUpload {
  readonly #needs: Needs
  readonly #owner: number
  /** Bytes that the request says it has. */
  readonly #announced: number | undefined
  readonly #reader: FormDataReader
  #thumbnail: StoredFile | undefined
  #tid: string | undefined
  #field: { readonly name: string; text: string } | undefined
  #fieldBytes = 0
  /** Of the part that comes, or of the file, which is whole when the form is. */
  #writer: ByteWriter | undefined
  #role: Role | undefined
  #ended = false

  constructor(needs: Needs, owner: number, contentType: string, announced: number | undefined) {
    this.#needs = needs
    this.#owner = owner
    this.#announced = announced
    const { type, params } = readContentType(contentType)
    if (type !== 'multipart/form-data') throw new Refusal(415, 'Unsupported content', 'send multipart/form-data')
    this.#reader = new FormDataReader(params.get('boundary') ?? '', limits)
  }

  /** Takes the whole body; resolves with the preview and the file. What came of the file is kept where the body stops. */
  async take(body: AsyncIterable<Buffer>): Promise<readonly StoredFile[]> {
    try {
      for await (const bytes of body) await this.#read(bytes)
      if (!this.#reader.complete) throw new Cut()
      if (this.#writer === undefined || this.#role !== 'file') throw new Refusal(400, 'Malformed', 'there is no File')
      const file = await this.#needs.files.finish(this.#writer.writing)
      return this.#thumbnail === undefined ? [file] : [this.#thumbnail, file]
    } catch (err) {
      await this.#leave(err).catch(() => {}) // the reason is told
      throw err
    }
  }

  async #read(bytes: Buffer): Promise<void> {
    for (const event of this.#reader.read(bytes)) {
      if (event.kind === 'part') await this.#begin(event.headers)
      else if (event.kind === 'data') await this.#add(event.bytes)
      else await this.#end()
    }
  }

  async #begin(headers: ReadonlyMap<string, string>): Promise<void> {
    const { params } = readContentType(headers.get('content-disposition') ?? '')
    const name = textOf(params.get('name') ?? '').toLowerCase()
    const role = Object.hasOwn(roles, name) ? roles[name] : undefined
    if (role === undefined) this.#field = { name, text: '' }
    else await this.#beginFile(role, headers.get('content-type'), nameIn(params))
  }

  async #beginFile(role: Role, contentType: string | undefined, name: string | undefined): Promise<void> {
    if (this.#tid === undefined) throw new Refusal(400, 'Malformed', 'tid has to come before the file')
    if (this.#role === 'file' || (role === 'thumbnail' && this.#thumbnail !== undefined)) {
      throw new Refusal(400, 'Malformed', 'one Thumbnail, then one File')
    }
    const most = role === 'file' ? this.#mostOfFile() : this.#needs.maxThumbnailSize
    const exact = role === 'file' && this.#announced !== undefined
    const about = { owner: this.#owner, tid: this.#tid, role, name, contentType: typeIn(contentType) }
    const writing = await this.#needs.files.begin({ ...about, most, exact })
    this.#role = role
    this.#ended = false
    this.#writer = await this.#needs.bytes.writer(writing)
  }

  #mostOfFile(): number {
    const { maxFileSize, maxThumbnailSize } = this.#needs
    const announced = this.#announced ?? 0
    if (announced > maxFileSize + maxThumbnailSize + fieldBytes * 2) {
      throw new Refusal(413, 'Too large', 'the file is too large')
    }
    return this.#announced === undefined ? maxFileSize : Math.min(maxFileSize, announced)
  }

  async #add(bytes: Buffer): Promise<void> {
    if (this.#writer !== undefined && !this.#ended) return await this.#writer.write(bytes)
    this.#fieldBytes += bytes.length
    if (this.#fieldBytes > fieldBytes) throw new Refusal(413, 'Too large', 'the form is too large')
    if (this.#field !== undefined) this.#field.text += bytes.toString('latin1')
  }

  async #end(): Promise<void> {
    if (this.#field?.name === 'tid') this.#tid ??= tidIn(this.#field.text)
    else if (this.#writer !== undefined && !this.#ended) await this.#endFile(this.#writer)
    this.#field = undefined
  }

  async #endFile(writer: ByteWriter): Promise<void> {
    this.#ended = true
    await writer.stop()
    if (this.#role === 'file') return
    this.#thumbnail = await this.#needs.files.finish(writer.writing)
    this.#writer = undefined
  }

  /** A file of which the rest did not come stays for the client to go on with; of what broke a rule nothing stays. */
  async #leave(reason: unknown): Promise<void> {
    const writer = this.#writer
    const broken = (reason instanceof Refusal || reason instanceof MalformedMime) && !(reason instanceof Cut)
    if (broken && this.#thumbnail !== undefined) await this.#needs.files.remove(this.#thumbnail)
    if (writer === undefined) return
    await writer.stop().catch(() => {}) // the reason is told
    if (broken || this.#role !== 'file') await this.#needs.files.discard(writer.writing)
    else if (this.#ended) await this.#needs.files.finish(writer.writing)
  }
}

/** What stands in a form is UTF-8 (RFC 7578 §5.1), and the header fields were read as latin1. */
const textOf = (latin1: string) => Buffer.from(latin1, 'latin1').toString('utf8')

/** Without what is a path on the machine of the sender, and no longer than file names are. */
function nameIn(params: ReadonlyMap<string, string>): string | undefined {
  const extended = /^UTF-8'[^']*'(.*)$/i.exec(params.get('filename*') ?? '')?.[1]
  const name = extended === undefined ? textOf(params.get('filename') ?? '') : decoded(extended)
  const whole = Buffer.from(name).toString() // half of a surrogate pair is no text
  const last = whole
    .replace(/[\x00-\x1f\x7f]/g, '')
    .split(/[/\\]/)
    .at(-1)
    ?.slice(0, 255)
  return last === '' || last === '.' || last === '..' ? undefined : last
}

function decoded(escaped: string): string {
  try {
    return decodeURIComponent(escaped)
  } catch {
    return ''
  }
}

const mediaType = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/

function typeIn(value: string | undefined): string {
  const { type } = readContentType(value ?? usualType)
  return mediaType.test(type) ? type : usualType
}

/** The transaction id that a client gives to an upload: mostly a UUID. */
export function tidIn(text: string): string {
  const tid = text.trim()
  if (!/^[\x21-\x7e]{1,128}$/.test(tid))
    throw new Refusal(400, 'Malformed', 'tid is 1 to 128 characters without spaces')
  return tid
}
