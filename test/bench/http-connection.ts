import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface HttpAnswer {
  readonly status: number
  /** Status line and header fields. */
  readonly head: string
  readonly bodyLength: number
  /** Up to 1 MiB of it. */
  readonly body: Buffer
}

interface Waiting {
  readonly resolve: (answer: HttpAnswer) => void
  readonly reject: (err: Error) => void
}

const mostKept = 1024 * 1024
const endOfHead = Buffer.from('\r\n\r\n')

/** One keep-alive connection, with one request at a time: as little as a client can do, so that the server is what is measured. */
export class HttpConnection {
  readonly #socket: Socket
  #waiting: Waiting | undefined
  #pieces: Buffer[] = []
  #answer: Omit<HttpAnswer, 'body'> | undefined
  #missing = 0
  #body: Buffer[] = []

  static async open(port: number): Promise<HttpConnection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new HttpConnection(socket)
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (bytes) => this.#take(bytes))
    socket.on('error', (err) => this.#fail(err))
    socket.on('close', () => this.#fail(new Error('the server has closed the connection')))
  }

  /** `head` without the last empty line. */
  exchange(head: string, body: Buffer): Promise<HttpAnswer> {
    const length = body.length === 0 ? '' : `Content-Length: ${body.length}\r\n`
    this.#socket.cork()
    this.#socket.write(`${head}${length}\r\n`, 'latin1')
    if (body.length > 0) this.#socket.write(body)
    this.#socket.uncork()
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  close(): void {
    this.#waiting = undefined
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    if (this.#answer === undefined) this.#takeHead(bytes)
    else this.#takeBody(bytes)
  }

  #takeHead(bytes: Buffer): void {
    const all = this.#pieces.length === 0 ? bytes : Buffer.concat([...this.#pieces, bytes])
    const end = all.indexOf(endOfHead)
    if (end < 0) {
      this.#pieces.push(bytes)
      return
    }
    this.#pieces = []
    const head = all.toString('latin1', 0, end)
    const bodyLength = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
    this.#answer = { status: Number(head.slice(9, 12)), head, bodyLength }
    this.#missing = bodyLength
    this.#takeBody(all.subarray(end + endOfHead.length))
  }

  #takeBody(bytes: Buffer): void {
    this.#missing -= bytes.length
    if ((this.#answer?.bodyLength ?? 0) <= mostKept) this.#body.push(bytes)
    if (this.#missing > 0) return
    const [waiting, answer, body] = [this.#waiting, this.#answer, Buffer.concat(this.#body)]
    this.#waiting = undefined
    this.#answer = undefined
    this.#body = []
    if (answer !== undefined) waiting?.resolve({ ...answer, body })
  }

  #fail(err: Error): void {
    this.#waiting?.reject(err)
    this.#waiting = undefined
  }
}
