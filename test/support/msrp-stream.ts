import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A frame without its body. */
export interface StreamFrame {
  readonly id: string
  /** `SEND`, or `200 OK`. */
  readonly what: string
  readonly head: string
}

export interface StreamUser {
  onFrame(frame: StreamFrame): void
  onBody(bytes: Buffer): void
  onEnd(flag: string): void
}

let count = 0

/** A path of a client that nobody connects to. */
export const newPath = (): string => `msrp://client.invalid:9/f${++count};tcp`

/** An MSRP client for bodies that do not fit into memory; nothing of the server's own code is in it. */
export class MsrpStream {
  readonly path: string
  readonly socket: Socket
  #rest: Buffer = Buffer.alloc(0)
  /** What ends the body that is coming. */
  #mark: string | undefined
  user: StreamUser = { onFrame() {}, onBody() {}, onEnd() {} }

  private constructor(socket: Socket, path: string) {
    this.path = path
    this.socket = socket
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
    socket.on('error', () => socket.destroy())
  }

  static async open(port: number, path = newPath()): Promise<MsrpStream> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return new MsrpStream(socket.setNoDelay(true), path)
  }

  /** Resolves when there is room for more, or nobody to read it any more. */
  async write(...parts: readonly (string | Buffer)[]): Promise<void> {
    let room = true
    this.socket.cork()
    for (const part of parts) room = typeof part === 'string' ? this.socket.write(part, 'latin1') : this.#put(part)
    this.socket.uncork()
    if (!room && !this.socket.destroyed) await this.#drained()
  }

  async #drained(): Promise<void> {
    const done = new AbortController()
    await Promise.race(['drain', 'close'].map((name) => once(this.socket, name, done)))
    done.abort()
  }

  respond(frame: StreamFrame, status = '200 OK'): void {
    const from = /^From-Path: (\S+)/m.exec(frame.head)?.[1]
    const paths = `To-Path: ${from}\r\nFrom-Path: ${this.path}\r\n`
    this.socket.write(`MSRP ${frame.id} ${status}\r\n${paths}-------${frame.id}$\r\n`)
  }

  close(): void {
    this.socket.destroy()
  }

  #put(bytes: Buffer): boolean {
    return this.socket.write(bytes)
  }

  #read(bytes: Buffer): void {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    for (let left = -1; left !== rest.length; ) {
      left = rest.length
      rest = this.#mark === undefined ? this.#readHead(rest) : this.#readBody(rest, this.#mark)
    }
    this.#rest = rest
  }

  #readHead(bytes: Buffer): Buffer {
    const [blank, end] = [bytes.indexOf('\r\n\r\n'), bytes.indexOf('\r\n-------')]
    const eol = end === -1 ? -1 : bytes.indexOf('\r\n', end + 2)
    if (eol !== -1 && (blank === -1 || end < blank)) {
      this.user.onFrame(frameOf(bytes.toString('latin1', 0, end)))
      return bytes.subarray(eol + 2)
    }
    if (blank === -1) return bytes
    const frame = frameOf(bytes.toString('latin1', 0, blank))
    this.#mark = `\r\n-------${frame.id}`
    this.user.onFrame(frame)
    return bytes.subarray(blank + 4)
  }

  #readBody(bytes: Buffer, mark: string): Buffer {
    const end = bytes.indexOf(mark)
    const body = bytes.subarray(0, end === -1 ? Math.max(0, bytes.length - mark.length) : end)
    if (body.length > 0) this.user.onBody(body)
    if (end === -1 || bytes.length < end + mark.length + 3) return bytes.subarray(body.length)
    this.#mark = undefined
    this.user.onEnd(String.fromCharCode(bytes[end + mark.length] as number))
    return bytes.subarray(end + mark.length + 3)
  }
}

function frameOf(head: string): StreamFrame {
  const [, id = '', what = ''] = /^MSRP (\S+) ([^\r\n]*)/.exec(head) ?? []
  return { id, what, head }
}
