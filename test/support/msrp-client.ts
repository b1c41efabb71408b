import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { WebSocket } from 'ws'

/** A frame as it came, taken apart with nothing of the server's own code. */
export interface ReceivedFrame {
  readonly transactionId: string
  /** `SEND`, `REPORT`, or `200 OK`. */
  readonly what: string
  readonly fields: Readonly<Record<string, string>>
  readonly body: Buffer | undefined
  readonly flag: string
}

export interface ClientOptions {
  readonly port: number
  readonly transport?: 'tcp' | 'tls' | 'ws' | 'wss'
  /** The certificate that this client shows. */
  readonly cert?: Buffer
  readonly key?: Buffer
  /** That of a client that was connected before. */
  readonly path?: string
}

export interface SentChunk {
  readonly to: string
  readonly body?: string | Buffer
  readonly messageId?: string
  readonly transactionId?: string
  readonly range?: string
  readonly flag?: '$' | '+' | '#'
  readonly fields?: readonly string[]
  readonly contentType?: string
}

interface Pipe {
  write(bytes: Buffer): void
  end(): void
  pause(): void
  resume(): void
  readonly closed: Promise<void>
}

let count = 0

/** An MSRP client for tests: it writes what it is told to, and answers only when asked to. */
export class MsrpClient {
  readonly path: string
  readonly #frames: ReceivedFrame[] = []
  #waiting: ((frame: ReceivedFrame) => void)[] = []
  #text = Buffer.alloc(0)
  #pipe: Pipe | undefined
  /** Called for each frame; true: it is not kept for `receive`. */
  onFrame: (frame: ReceivedFrame) => boolean = () => false

  private constructor(path: string) {
    this.path = path
  }

  static async connect(options: ClientOptions): Promise<MsrpClient> {
    const { transport = 'tcp' } = options
    const scheme = transport === 'tls' || transport === 'wss' ? 'msrps' : 'msrp'
    const way = transport === 'ws' || transport === 'wss' ? 'ws' : 'tcp'
    const client = new MsrpClient(options.path ?? `${scheme}://client.invalid:9/c${++count};${way}`)
    client.#pipe = await (way === 'ws' ? openWebSocket : openStream)(options, (bytes) => client.#received(bytes))
    return client
  }

  get closed(): Promise<void> {
    return this.#opened.closed
  }

  /** The next frame, in the order of their coming. */
  receive(): Promise<ReceivedFrame> {
    const frame = this.#frames.shift()
    if (frame !== undefined) return Promise.resolve(frame)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  write(bytes: string | Buffer): void {
    this.#opened.write(Buffer.from(bytes as string, 'latin1'))
  }

  /** Writes a SEND and returns its transaction id. */
  send(chunk: SentChunk): string {
    const id = chunk.transactionId ?? `t${++count}xyz`
    const { body } = chunk
    const bytes = body === undefined ? undefined : Buffer.from(body as string)
    const fields = [
      `To-Path: ${chunk.to}`,
      `From-Path: ${this.path}`,
      `Message-ID: ${chunk.messageId ?? `m${++count}`}`,
      `Byte-Range: ${chunk.range ?? `1-${bytes?.length ?? 0}/${bytes?.length ?? 0}`}`,
      ...(chunk.fields ?? []),
    ]
    const head = `MSRP ${id} SEND\r\n${fields.join('\r\n')}\r\n`
    const end = `-------${id}${chunk.flag ?? '$'}\r\n`
    const parts =
      bytes === undefined
        ? [head]
        : [`${head}Content-Type: ${chunk.contentType ?? 'text/plain'}\r\n\r\n`, bytes, '\r\n']
    this.write(Buffer.concat([...parts, end].map((part) => Buffer.from(part as string))))
    return id
  }

  /** Answers a request. */
  respond(frame: ReceivedFrame, status = '200 OK'): void {
    const paths = `To-Path: ${frame.fields['from-path']}\r\nFrom-Path: ${this.path}`
    this.write(`MSRP ${frame.transactionId} ${status}\r\n${paths}\r\n-------${frame.transactionId}$\r\n`)
  }

  report(about: ReceivedFrame, range: string, status = '000 200 OK'): void {
    const id = `r${++count}xyz`
    const paths = `To-Path: ${about.fields['from-path']}\r\nFrom-Path: ${this.path}`
    const fields = `Message-ID: ${about.fields['message-id']}\r\nByte-Range: ${range}\r\nStatus: ${status}`
    this.write(`MSRP ${id} REPORT\r\n${paths}\r\n${fields}\r\n-------${id}$\r\n`)
  }

  pause(): void {
    this.#opened.pause()
  }

  resume(): void {
    this.#opened.resume()
  }

  async close(): Promise<void> {
    this.#opened.end()
    this.#opened.resume()
    await this.closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  get #opened(): Pipe {
    if (this.#pipe === undefined) throw new Error('not connected')
    return this.#pipe
  }

  #received(bytes: Buffer): void {
    this.#text = Buffer.concat([this.#text, bytes])
    for (let taken = takeFrame(this.#text); taken !== undefined; taken = takeFrame(this.#text)) {
      this.#text = this.#text.subarray(taken.length)
      this.#give(taken.frame)
    }
  }

  #give(frame: ReceivedFrame): void {
    if (this.onFrame(frame)) return
    const waiting = this.#waiting.shift()
    if (waiting) waiting(frame)
    else this.#frames.push(frame)
  }
}

function takeFrame(bytes: Buffer): { frame: ReceivedFrame; length: number } | undefined {
  const text = bytes.toString('latin1')
  const start = /^MSRP (\S+) ([^\r\n]*)\r\n/.exec(text)
  const [line = '', transactionId = '', what = ''] = start ?? []
  if (start === null) return undefined
  const mark = `\r\n-------${transactionId}`
  const at = text.indexOf(mark)
  const length = at + mark.length + 3
  if (at === -1 || bytes.length < length) return undefined
  const whole = text.slice(line.length, at)
  const blank = whole.indexOf('\r\n\r\n')
  const head = blank === -1 ? whole : whole.slice(0, blank)
  const fields = Object.fromEntries(
    head.split('\r\n').map((field) => {
      const [name = '', ...value] = field.split(': ')
      return [name.toLowerCase(), value.join(': ')]
    }),
  )
  const body = blank === -1 ? undefined : bytes.subarray(line.length + blank + 4, at)
  return { frame: { transactionId, what, fields, body, flag: text.charAt(length - 3) }, length }
}

async function openStream(options: ClientOptions, onBytes: (bytes: Buffer) => void): Promise<Pipe> {
  const { port, transport, cert, key } = options
  const secure = transport === 'tls'
  const where = { host: '127.0.0.1', port }
  const socket: Socket = secure
    ? connectTls({ ...where, rejectUnauthorized: false, ...(cert && { cert }), ...(key && { key }) })
    : connectTcp(where)
  await once(socket, secure ? 'secureConnect' : 'connect')
  socket.on('error', () => {})
  socket.on('data', onBytes)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return {
    write: (bytes) => socket.write(bytes),
    end: () => socket.end(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    closed,
  }
}

async function openWebSocket(options: ClientOptions, onBytes: (bytes: Buffer) => void): Promise<Pipe> {
  const { port, transport } = options
  const webSocket = new WebSocket(`${transport}://127.0.0.1:${port}`, 'msrp', { rejectUnauthorized: false })
  webSocket.on('message', (data) => onBytes(data as Buffer))
  await once(webSocket, 'open')
  webSocket.on('error', () => {})
  const closed = new Promise<void>((resolve) => webSocket.once('close', () => resolve()))
  return {
    write: (bytes) => webSocket.send(bytes),
    end: () => webSocket.close(),
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
    closed,
  }
}
