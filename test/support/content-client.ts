import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { readFileInfo } from '../../src/protocols/rcs-file/file-info.ts'
import { bearer, logIn } from './access-token.ts'

export interface ContentAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  readonly text: string
}

type Headers = Readonly<Record<string, string>>

export interface FormPart {
  readonly name: string
  readonly fileName?: string
  readonly type?: string
  readonly body: Buffer | string
  /** In place of those that the rest makes. */
  readonly head?: string
}

const boundary = '----of-a-test'
export const formDataType = `multipart/form-data; boundary=${boundary}`

/** A body of multipart/form-data. */
export function formOf(parts: readonly FormPart[]): Buffer {
  const pieces = parts.flatMap(({ name, fileName, type, body, head }) => {
    const named = fileName === undefined ? '' : `; filename="${fileName}"`
    const typed = type === undefined ? '' : `\r\nContent-Type: ${type}`
    const fields = head ?? `Content-Disposition: form-data; name="${name}"${named}${typed}`
    return [Buffer.from(`--${boundary}\r\n${fields}\r\n\r\n`), Buffer.from(body), Buffer.from('\r\n')]
  })
  return Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)])
}

/** `tid`, and a file with a preview where one is given. */
export const fileForm = (tid: string, file: Partial<FormPart> & Pick<FormPart, 'body'>, thumbnail?: Buffer) => [
  { name: 'tid', type: 'text/plain', body: tid },
  ...(thumbnail ? [{ name: 'Thumbnail', fileName: 't.jpg', type: 'image/jpeg', body: thumbnail }] : []),
  { name: 'File', fileName: 'photo.jpg', type: 'image/jpeg', ...file },
]

/** One request, its target as it is; the body may come as it likes. */
export function ask(
  base: string,
  method: string,
  path: string,
  headers: Headers = {},
  body?: Buffer | AsyncIterable<Buffer>,
): Promise<ContentAnswer> {
  const { hostname, port } = new URL(base)
  const length = Buffer.isBuffer(body) ? { 'content-length': String(body.length) } : {}
  return new Promise((resolve, reject) => {
    const sent = request(
      { agent: false, hostname, port, method, path, headers: { ...length, ...headers } },
      (response) => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('error', reject)
        response.on('end', () => {
          const whole = Buffer.concat(pieces)
          const { statusCode = 0, headers } = response
          resolve({ status: statusCode, headers, body: whole, text: whole.toString() })
        })
      },
    )
    sent.on('error', reject)
    sent.on('socket', (socket) => socket.on('error', reject)) // of a body that nobody wants, after the answer
    if (body === undefined || Buffer.isBuffer(body)) sent.end(body)
    else pipeline(Readable.from(body), sent).catch(reject)
  })
}

/** A client of the file content server that has logged in. */
export class ContentClient {
  readonly #http: string
  readonly headers: Headers

  private constructor(http: string, headers: Headers) {
    this.#http = http
    this.headers = headers
  }

  static async open(server: { readonly http: string }, user: string): Promise<ContentClient> {
    const { access } = await logIn(server, user)
    return new ContentClient(server.http, bearer(access))
  }

  post = (parts: readonly FormPart[]) => this.ask('POST', '/content', { 'content-type': formDataType }, formOf(parts))

  ask = (method: string, path: string, headers: Headers = {}, body?: Buffer | AsyncIterable<Buffer>) =>
    ask(this.#http, method, path, { ...this.headers, ...headers }, body)

  put = (tid: string, range: string, body: Buffer) =>
    this.ask('PUT', `/content?tid=${tid}`, { 'content-range': range }, body)

  uploadInfo = (tid: string) => this.ask('GET', `/content?tid=${tid}&get_upload_info`)
  downloadInfo = (tid: string) => this.ask('GET', `/content?tid=${tid}&get_download_info`)

  /** Puts a file up; the path of its link. */
  async up(file: Partial<FormPart> & Pick<FormPart, 'body'>, tid: string = randomUUID()): Promise<string> {
    const answer = await this.post(fileForm(tid, file))
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`)
    return linkIn(answer)
  }
}

/** The path of the link to the file, or to its preview. */
export function linkIn({ body }: ContentAnswer, type: 'file' | 'thumbnail' = 'file'): string {
  const found = readFileInfo(body).find((one) => one.type === type)
  return new URL(found?.url ?? '').pathname
}
