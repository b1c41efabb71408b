import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readContentRange } from '../../protocols/http/byte-ranges.ts'
import { MalformedMime } from '../../protocols/mime/malformed-mime.ts'
import { fileInfoType, writeFileInfo, writeResumeInfo } from '../../protocols/rcs-file/file-info.ts'
import type { ByteStore } from './byte-store.ts'
import type { ContentFiles } from './content-files.ts'
import { type Download, downloadOf } from './download.ts'
import { FormUpload, tidIn } from './form-upload.ts'
import { type Pace, pacedBody } from './paced-body.ts'
import { RangeUpload } from './range-upload.ts'
import { Refusal } from './refusal.ts'
import { type FileKey, readLink, type StoredFile, writeLink } from './stored-file.ts'
import type { Transfers } from './transfers.ts'

interface Principal {
  readonly id: number
}

interface Challenge {
  readonly status: 401 | 403
  readonly challenges: readonly string[]
}

interface Sent {
  readonly method: string
  readonly url: string
  readonly address: string
  readonly authorization: string | undefined
}

interface Needs {
  readonly files: ContentFiles
  readonly bytes: ByteStore
  readonly transfers: Transfers
  /** Who sends it, by digest or with an access token. */
  readonly principalOf: (sent: Sent) => Promise<Principal | Challenge>
  /** Where clients reach the server; else where this request came in. */
  readonly url: string | undefined
  readonly maxFileSize: number
  readonly maxThumbnailSize: number
  /** Whether a link is all that it takes. */
  readonly downloads: 'link' | 'authenticated'
  readonly pace: Pace
}

const root = '/content'
const infoType = `${fileInfoType}; charset=utf-8`
/** Of a body that nobody wants, so that its sender gets to read the answer. */
const mostUnwanted = 4_194_304
const unwantedFor = 15_000

/** The file content server: file transfer over HTTP (GSMA RCC.07 §3.2.5.3). */
export class ContentServer {
  readonly #needs: Needs

  constructor(needs: Needs) {
    this.#needs = needs
  }

  readonly routes = async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, body, done) => done(null, body)) // it is read as it comes
    app.setErrorHandler((err, request, reply) => answerError(err, request, reply))
    const options = { config: { takesItsTime: true }, bodyLimit: Number.MAX_SAFE_INTEGER }
    app.route({ ...options, method: 'POST', url: root, handler: (request, reply) => this.#post(request, reply) })
    app.route({ ...options, method: 'PUT', url: root, handler: (request, reply) => this.#put(request, reply) })
    app.get(root, (request, reply) => this.#tell(request, reply))
    const [url, exposeHeadRoute] = [`${root}/:link`, false]
    app.get(url, { exposeHeadRoute }, (request, reply) => this.#get(request, reply))
    app.head(url, (request, reply) => this.#get(request, reply))
    app.delete(url, (request, reply) => this.#delete(request, reply))
  }

  /** The first POST of a client is empty: it finds out whether it has to prove who it is. */
  async #post(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { id } = await this.#userOf(request)
    const announced = lengthOf(request)
    if (announced === 0) return reply.code(204).send()
    const upload = new FormUpload(this.#needs, id, request.headers['content-type'] ?? '', announced)
    const whole = await this.#during(id, () => upload.take(pacedBody(request.raw, this.#needs.pace)))
    return this.#sendInfo(request, reply, whole)
  }

  async #put(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { id } = await this.#userOf(request)
    const tid = tidIn(queryOf(request).get('tid') ?? '')
    const range = readContentRange(String(request.headers['content-range'] ?? ''))
    if (range === undefined) throw new Refusal(400, 'Malformed', 'Content-Range says where the bytes belong')
    const upload = new RangeUpload(this.#needs)
    await this.#during(id, () => upload.take(id, tid, range, pacedBody(request.raw, this.#needs.pace)))
    return this.#sendInfo(request, reply, await this.#needs.files.ofUpload(id, tid))
  }

  /** What is there of an upload, or what came of it. */
  async #tell(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { id } = await this.#userOf(request)
    const query = queryOf(request)
    const tid = tidIn(query.get('tid') ?? '')
    const files = await this.#needs.files.ofUpload(id, tid)
    const file = files.find(({ role }) => role === 'file')
    if (query.has('get_download_info') && file?.complete) return this.#sendInfo(request, reply, files)
    if (!query.has('get_upload_info') || file === undefined || file.size === 0) throw unknown('no such upload is here')
    const url = `${this.#baseOf(request)}?tid=${encodeURIComponent(tid)}`
    return reply.type('application/xml').send(writeResumeInfo({ start: 0, end: file.size - 1, url }))
  }

  async #get(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (this.#needs.downloads === 'authenticated') await this.#userOf(request)
    const file = await this.#needs.files.find(keyIn(request))
    if (file === undefined) throw unknown('the link leads nowhere, or no more')
    const download = downloadOf(file, wishesOf(request))
    reply.code(download.status).headers(download.headers)
    if (request.method === 'HEAD' || download.body.length === 0) return reply.send()
    const over = this.#needs.transfers.download(request.ip)
    reply.raw.once('close', over)
    if (reply.raw.destroyed) over() // whoever asked is gone already
    return reply.send(this.#bodyOf(file, download))
  }

  async #delete(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { id } = await this.#userOf(request)
    const key = keyIn(request)
    if (key.owner !== id || !(await this.#needs.files.remove(key))) throw unknown('no such file of yours is here')
    return reply.code(204).send()
  }

  #bodyOf(file: StoredFile, { body }: Download): Readable {
    const [first] = body
    if (body.length === 1 && first && !Buffer.isBuffer(first)) return this.#needs.bytes.read(file, first)
    return Readable.from(this.#piecesOf(file, body), { objectMode: false })
  }

  async *#piecesOf(file: StoredFile, body: Download['body']): AsyncGenerator<Buffer> {
    for (const piece of body) {
      if (Buffer.isBuffer(piece)) yield piece
      else yield* this.#needs.bytes.read(file, piece) as AsyncIterable<Buffer>
    }
  }

  async #userOf({ method, url, ip, headers }: FastifyRequest): Promise<Principal> {
    const sent = { method, url, address: ip, authorization: headers.authorization }
    const user = await this.#needs.principalOf(sent)
    if ('challenges' in user) throw new Unproven(user)
    return user
  }

  async #during<T>(user: number, work: () => Promise<T>): Promise<T> {
    const over = this.#needs.transfers.upload(user)
    try {
      return await work()
    } finally {
      over()
    }
  }

  #sendInfo(request: FastifyRequest, reply: FastifyReply, files: readonly StoredFile[]): FastifyReply {
    const base = this.#baseOf(request)
    const infos = files
      .filter(({ complete }) => complete)
      .sort((a, b) => b.role.localeCompare(a.role)) // the preview first
      .map((file) => ({
        ...{ type: file.role, size: file.size, contentType: file.contentType, until: file.until },
        ...(file.role === 'file' && { name: file.name ?? 'file' }),
        url: `${base}/${writeLink(file)}`,
      }))
    return reply.type(infoType).send(writeFileInfo(infos))
  }

  #baseOf({ socket }: FastifyRequest): string {
    const { localAddress = '', localPort } = socket
    const host = localAddress.includes(':') ? `[${localAddress}]` : localAddress
    return `${this.#needs.url ?? `http://${host}:${localPort}`}${root}`
  }
}

/** Who did not show that they are a user. */
class Unproven extends Refusal {
  readonly challenges: readonly string[]
  constructor({ status, challenges }: Challenge) {
    super(status, status === 401 ? 'Not authenticated' : 'Forbidden')
    this.challenges = challenges
  }
}

const unknown = (detail: string) => new Refusal(404, 'Not found', detail)

function keyIn({ params }: FastifyRequest): FileKey {
  const key = readLink((params as { link: string }).link)
  if (key === undefined) throw unknown('the link leads nowhere, or no more')
  return key
}

const queryOf = ({ url }: FastifyRequest) => new URLSearchParams(url.slice(url.indexOf('?') + 1))

/** Undefined where the body has no length that is known before it ends. */
function lengthOf({ headers }: FastifyRequest): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined
  return Number(headers['content-length'] ?? 0)
}

function wishesOf({ headers }: FastifyRequest) {
  const ifRange = headers['if-range']
  return {
    range: headers.range,
    ifRange: Array.isArray(ifRange) ? ifRange.join() : ifRange,
    ifNoneMatch: headers['if-none-match'],
  }
}

function answerError(err: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  letGo(request)
  if (err instanceof MalformedMime) return answerError(new Refusal(400, 'Malformed', err.message), request, reply)
  if (isDiskFull(err)) return answerError(new Refusal(507, 'No room left', 'the disk is full'), request, reply)
  if (!(err instanceof Refusal)) throw err
  if (err instanceof Unproven) reply.header('www-authenticate', [...err.challenges])
  const { status, title, message: detail } = err
  const problem = detail === '' ? { status, title } : { status, title, detail }
  return reply
    .code(status)
    .headers(err.headers)
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send(problem)
}

const isDiskFull = (err: unknown) => err instanceof Error && 'code' in err && err.code === 'ENOSPC'

/** What still comes of a body is thrown away, a little of it and for a while; then the connection is cut. */
function letGo({ raw }: FastifyRequest): void {
  if (raw.complete || raw.destroyed) return
  const timer = setTimeout(() => raw.socket.destroy(), unwantedFor)
  for (const over of ['end', 'close']) raw.once(over, () => clearTimeout(timer))
  let left = mostUnwanted
  raw.on('data', (bytes: Buffer) => {
    left -= bytes.length
    if (left < 0) raw.socket.destroy()
  })
}
