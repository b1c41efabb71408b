import { Readable } from 'node:stream'
import { readRanges, writeContentRange } from '../../../protocols/http/byte-ranges.ts'
import { writeAttachment } from '../../../protocols/http/disposition.ts'
import { mediaType } from '../../../protocols/mime/content-type.ts'
import type { ByteRange, Content } from '../mailbox/content.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import type { StoredObject } from '../mailbox/stored-object.ts'
import { multipartContent } from './multipart-content.ts'
import { NmsFault } from './nms-fault.ts'
import type { NmsAnswer, NmsCall, NmsOperations } from './nms-operation.ts'
import { findObject, unknownObject } from './object-operations.ts'
import { isInline } from './present-object.ts'

interface Needs {
  readonly mailboxes: Pick<Mailboxes, 'find' | 'content' | 'part' | 'textsOf'>
}

/** The payload of an object and its parts (NMS §6.5, §6.6). */
export class ContentOperations {
  readonly #needs: Needs
  constructor(needs: Needs) {
    this.#needs = needs
  }

  readonly operations: NmsOperations = {
    findPayload: (call) => this.#payload(call),
    findPayloadPart: (call) => this.#part(call),
  }

  async #payload(call: NmsCall): Promise<NmsAnswer> {
    const { mailboxes } = this.#needs
    const object = await findObject(mailboxes, call)
    const content = (await this.#isShown(object)) ? undefined : await mailboxes.content(call.owner, object.id)
    if (content === undefined) throw unknownObject(call)
    const isInParts = content.size === 0 && object.parts.length > 0
    return contentAnswer(call, isInParts ? multipartContent(mailboxes, object) : content, undefined)
  }

  /** Whether the payload is the attribute TextContent instead (NMS §5.1.9). */
  async #isShown(object: StoredObject): Promise<boolean> {
    if (!isInline(object)) return false
    return (await this.#needs.mailboxes.textsOf(object.owner, [object.id])).has(object.id)
  }

  async #part(call: NmsCall): Promise<NmsAnswer> {
    const object = await findObject(this.#needs.mailboxes, call)
    const [, digits] = /^part(\d{1,4})$/.exec(call.params.payloadPartId ?? '') ?? []
    const part = object.parts.find(({ number }) => number === Number(digits))
    const content = part && (await this.#needs.mailboxes.part(call.owner, object.id, part.number))
    if (part === undefined || content === undefined) throw unknownObject(call)
    return contentAnswer(call, content, part.fileName)
  }
}

/** Types that a browser runs or looks into; they are given away as bytes. */
const active = /html|xml|svg|script|pdf|flash|java|css|xul|mathml|wasm|manifest/

/** Nothing is ever shown as what its sender says it is: it is kept, not sniffed, and has no rights where it is opened. */
function contentAnswer(call: NmsCall, content: Content, fileName: string | undefined): NmsAnswer {
  const { size, contentType } = content
  const type =
    active.test(mediaType(contentType)) && !isOfMessages(contentType) ? 'application/octet-stream' : contentType
  const headers = {
    'content-type': type,
    'content-disposition': writeAttachment(fileName),
    'content-security-policy': "sandbox; default-src 'none'",
    'accept-ranges': 'bytes',
  }
  const range = rangeIn(call, size)
  if (range === undefined) return whole(call, content, headers)
  const { start: first, end: last } = range
  const about = { 'content-range': writeContentRange(range, size), 'content-length': String(last - first + 1) }
  return { status: 206, headers: { ...headers, ...about }, content: bytesFor(call, content, { first, last }) }
}

/** Formats of messaging, which no browser knows. */
const isOfMessages = (contentType: string): boolean => /^application\/(vnd\.|im-|group-state)/i.test(contentType)

function whole(call: NmsCall, content: Content, headers: Readonly<Record<string, string>>): NmsAnswer {
  const about = { ...headers, 'content-length': String(content.size) }
  return { status: 200, headers: about, content: bytesFor(call, content) }
}

/** Who asks for the header fields alone gets the very same ones. */
const bytesFor = ({ method }: NmsCall, content: Content, range?: ByteRange): Readable =>
  method === 'HEAD' ? Readable.from([]) : content.read(range)

/** One range, as clients that go on with a download ask for; of more the answer is the whole (RFC 9110 §14.2). */
function rangeIn({ headers }: NmsCall, size: number) {
  if (headers.range === undefined || headers['if-range'] !== undefined) return undefined
  const ranges = readRanges(headers.range, size)
  if (ranges === 'unsatisfiable') {
    throw new NmsFault(416, 'SVC0002', ['Range'], { headers: { 'content-range': `bytes */${size}` } })
  }
  return ranges?.length === 1 ? ranges[0] : undefined
}
