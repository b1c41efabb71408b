import { readContentType } from '../../../protocols/mime/content-type.ts'
import { FormDataReader } from '../../../protocols/mime/form-data-reader.ts'
import { MalformedMime } from '../../../protocols/mime/malformed-mime.ts'
import { multipartLimits } from '../../../protocols/mime/multipart.ts'
import { nmsLimits } from '../../../protocols/nms/check-structure.ts'
import { NmsFault } from './nms-fault.ts'
import { Spool, type Spooled } from './spool.ts'
import { type TransferDecoder, transferDecoder } from './transfer-decoder.ts'

export interface UploadedPart {
  readonly contentType: string
  readonly contentId?: string
  readonly contentLocation?: string
  readonly disposition?: string
  readonly fileName?: string
  readonly content: Spooled
}

/** The payload of an object: of one piece, or the first-level parts of a multipart one. */
export interface UploadedContent {
  readonly contentType: string
  readonly contentLocation?: string
  readonly content?: Spooled
  readonly parts?: readonly UploadedPart[]
}

export interface Upload {
  readonly fieldsType: string
  readonly fields: Buffer
  /** In the order of the request; undefined: an object without content (NMS §6.9.5). */
  readonly contents: readonly (UploadedContent | undefined)[]
}

export interface UploadLimits {
  /** Of all contents together. */
  readonly bytes: number
  readonly contents: number
}

/** Milliseconds that any upload may take; after that, it has to have come with so many bytes in each. */
const patience = 15_000
const leastBytes = 16

type Headers = ReadonlyMap<string, string>

/**
 * Reads multipart/form-data: `root-fields`, then `attachments` (REST_NetAPI_Common §5.6.2, NMS §6.1.5, §6.9.5). Nothing is
 * stored before all of it has come and is what it says it is.
 */
export class UploadReader {
  readonly #limits: UploadLimits
  readonly #now: () => number
  readonly #spool: Spool
  readonly #form: FormDataReader
  readonly #fields: Buffer[] = []
  readonly #contents: (UploadedContent | undefined)[] = []
  #fieldsType: string | undefined
  #entry: Entry | undefined
  #bytes = 0

  constructor(contentType: string, directory: string, limits: UploadLimits, now: () => number) {
    this.#limits = limits
    this.#now = now
    this.#spool = new Spool(directory)
    this.#form = readerOf(contentType, limits.contents + 2)
  }

  async read(stream: AsyncIterable<Buffer>): Promise<Upload> {
    const began = this.#now()
    for await (const piece of stream) {
      this.#bytes += piece.length
      if (this.#bytes > this.#limits.bytes) throw new NmsFault(413, 'POL0001', ['too-large'])
      const late = this.#now() - began > patience + this.#bytes / leastBytes
      if (late) throw new NmsFault(408, 'SVC0001', ['too-slow'])
      for (const event of this.#form.read(piece)) {
        if (event.kind === 'part') this.#entry = this.#begin(event.headers)
        else if (event.kind === 'data') await this.#entry?.add(event.bytes)
        else this.#contents.push(...((await this.#entry?.end()) ?? []))
      }
    }
    if (!this.#form.complete) throw new MalformedMime('no closing boundary')
    if (this.#fieldsType === undefined) throw new MalformedMime('no root-fields')
    return { fieldsType: this.#fieldsType, fields: Buffer.concat(this.#fields), contents: this.#contents }
  }

  close(): Promise<void> {
    return this.#spool.close()
  }

  #begin(headers: Headers): Entry {
    const name = readContentType(headers.get('content-disposition') ?? '').params.get('name')
    if (this.#fieldsType === undefined) {
      if (name !== 'root-fields') throw new MalformedMime('the first entry has to be root-fields')
      this.#fieldsType = headers.get('content-type') ?? ''
      return new FieldsEntry(headers, this.#fields)
    }
    if (name !== 'attachments') throw new MalformedMime('an entry that is not attachments')
    if (this.#contents.length === this.#limits.contents) throw new MalformedMime('too many attachments')
    return isMultipart(headers) ? new PartsEntry(headers, this.#spool) : new WholeEntry(headers, this.#spool)
  }
}

/** One entry of the form while it comes. */
interface Entry {
  add(bytes: Buffer): Promise<void>
  /** The content, if the entry is one. */
  end(): Promise<readonly (UploadedContent | undefined)[]>
}

class FieldsEntry implements Entry {
  readonly #length: DeclaredLength
  readonly #pieces: Buffer[]
  constructor(headers: Headers, pieces: Buffer[]) {
    this.#length = new DeclaredLength(headers)
    this.#pieces = pieces
  }

  async add(bytes: Buffer): Promise<void> {
    this.#length.add(bytes)
    if (this.#length.seen > nmsLimits.bytes) throw new MalformedMime('root-fields too long')
    this.#pieces.push(bytes)
  }

  async end(): Promise<[]> {
    this.#length.end()
    return []
  }
}

class WholeEntry implements Entry {
  readonly #headers: Headers
  readonly #leaf: Leaf
  constructor(headers: Headers, spool: Spool) {
    this.#headers = headers
    this.#leaf = new Leaf(headers, spool)
  }

  add(bytes: Buffer): Promise<void> {
    return this.#leaf.add(bytes)
  }

  async end(): Promise<readonly (UploadedContent | undefined)[]> {
    const { content, contentType, contentLocation } = await this.#leaf.end()
    if (!this.#headers.has('content-type') && content.size === 0) return [undefined]
    return [{ content, contentType, ...(contentLocation !== undefined && { contentLocation }) }]
  }
}

class PartsEntry implements Entry {
  readonly #headers: Headers
  readonly #length: DeclaredLength
  readonly #reader: FormDataReader
  readonly #spool: Spool
  readonly #parts: UploadedPart[] = []
  #leaf: Leaf | undefined

  constructor(headers: Headers, spool: Spool) {
    this.#headers = headers
    this.#length = new DeclaredLength(headers)
    this.#reader = readerOf(headers.get('content-type') ?? '', multipartLimits.parts)
    this.#spool = spool
  }

  async add(bytes: Buffer): Promise<void> {
    this.#length.add(bytes)
    for (const event of this.#reader.read(bytes)) {
      if (event.kind === 'part') this.#leaf = new Leaf(event.headers, this.#spool)
      else if (event.kind === 'data') await this.#leaf?.add(event.bytes)
      else if (this.#leaf !== undefined) this.#parts.push(await this.#leaf.end())
    }
  }

  async end(): Promise<readonly UploadedContent[]> {
    this.#length.end()
    if (!this.#reader.complete) throw new MalformedMime('no closing boundary')
    if (this.#parts.length === 0) throw new MalformedMime('no part')
    const contentLocation = this.#headers.get('content-location')
    const contentType = safeType(this.#headers.get('content-type'))
    return [{ contentType, parts: this.#parts, ...(contentLocation !== undefined && { contentLocation }) }]
  }
}

/** Content of one piece. */
class Leaf {
  readonly #headers: Headers
  readonly #length: DeclaredLength
  readonly #decoder: TransferDecoder
  readonly #spool: Spool
  readonly #start: number
  constructor(headers: Headers, spool: Spool) {
    this.#headers = headers
    this.#start = spool.size
    this.#length = new DeclaredLength(headers)
    this.#decoder = transferDecoder(headers.get('content-transfer-encoding'))
    this.#spool = spool
  }

  async add(bytes: Buffer): Promise<void> {
    this.#length.add(bytes)
    await this.#keep(this.#decoder.read(bytes))
  }

  async end(): Promise<UploadedPart> {
    this.#length.end()
    await this.#keep(this.#decoder.end())
    const contentId = this.#headers.get('content-id')?.replace(/^<(.*)>$/, '$1')
    const contentLocation = this.#headers.get('content-location')
    const { type: disposition, params } = readContentType(this.#headers.get('content-disposition') ?? '')
    const fileName = params.get('filename')
    return {
      contentType: safeType(this.#headers.get('content-type')),
      ...(contentId !== undefined && { contentId: utf8(contentId) }),
      ...(contentLocation !== undefined && { contentLocation: utf8(contentLocation) }),
      ...(disposition !== '' && { disposition: utf8(disposition) }),
      ...(fileName !== undefined && { fileName: utf8(fileName).slice(0, mostFileName) }),
      content: this.#spool.since(this.#start),
    }
  }

  /** A copy: what is kept must not hold the whole piece that it came in. */
  async #keep(bytes: Buffer): Promise<void> {
    if (bytes.length > 0) await this.#spool.add(Buffer.from(bytes))
  }
}

const mostFileName = 255

/** A part with a Content-Length has as many bytes as that says. */
class DeclaredLength {
  readonly #declared: number | undefined
  seen = 0
  constructor(headers: Headers) {
    const text = headers.get('content-length')
    if (text !== undefined && !/^\d{1,15}$/.test(text)) throw new MalformedMime('not a Content-Length')
    this.#declared = text === undefined ? undefined : Number(text)
  }

  add(bytes: Buffer): void {
    this.seen += bytes.length
    if (this.#declared !== undefined && this.seen > this.#declared) throw new MalformedMime('longer than it says')
  }

  end(): void {
    if (this.#declared !== undefined && this.seen < this.#declared) throw new MalformedMime('shorter than it says')
  }
}

function readerOf(contentType: string, parts: number): FormDataReader {
  const boundary = readContentType(contentType).params.get('boundary')
  if (boundary === undefined) throw new MalformedMime('no boundary')
  return new FormDataReader(boundary, { parts, headerBytes: multipartLimits.headerBytes })
}

const isMultipart = (headers: Headers): boolean => /^\s*multipart\//i.test(headers.get('content-type') ?? '')
const utf8 = (latin1: string): string => Buffer.from(latin1, 'latin1').toString()

/** A media type that may stand in a header field; what is none is bytes (RFC 2046 §4.5.1). */
function safeType(contentType: string | undefined): string {
  const text = contentType?.trim() ?? 'text/plain'
  const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
  const fits = new RegExp(`^${token}/${token}\\s*(?:;[\\x20-\\x7e\\t]*)?$`).test(text)
  return fits && text.length <= 512 ? text : 'application/octet-stream'
}
