import { isUtf8 } from 'node:buffer'
import type { LookupFunction } from 'node:net'
import { type RawData, WebSocket } from 'ws'
import { familyOf, hostPort } from '../addresses.ts'
import type { Timer, TimerTarget } from '../timer-wheel.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import type { ClientTls } from './tls-options.ts'

/** What the socket below a WebSocket tells. */
export interface LocalEnd {
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
}

/** SIP over WebSocket (RFC 7118): one message in each frame, in a text frame where all of it is UTF-8. */
export class WebSocketConnection extends Connection implements TimerTarget<'connect'> {
  readonly #socket: WebSocket
  readonly #local: LocalEnd
  readonly #options: ConnectionOptions
  #opening: Timer | undefined
  /** What is sent before the handshake is through. */
  #early: Buffer[] = []

  constructor(options: ConnectionOptions, socket: WebSocket, local: LocalEnd = {}) {
    super(options)
    this.#options = options
    this.#socket = socket
    this.#local = local
    socket.on('message', (data) => this.received(bytesOf(data)))
    socket.on('ping', () => this.received(nothing))
    socket.on('error', () => this.close())
    socket.on('close', () => this.closed())
  }

  /** Opens a connection. `host` is what goes into the Host header field. */
  static to(options: ConnectionOptions, host: string, tls?: ClientTls): WebSocketConnection {
    const url = `${options.transport}://${hostPort(host, options.remotePort)}/`
    const { remoteAddress, limits } = options
    const socket = new WebSocket(url, 'sip', {
      perMessageDeflate: false,
      maxPayload: limits.messageBytes,
      followRedirects: false,
      // The name has been resolved already, as RFC 3263 wants it.
      lookup: lookupOf(remoteAddress),
      ...tls,
    })
    const connection = new WebSocketConnection(options, socket)
    connection.#await()
    return connection
  }

  get localAddress(): string | undefined {
    return this.#local.localAddress
  }

  get localPort(): number | undefined {
    return this.#local.localPort
  }

  onTimer(): void {
    this.close()
  }

  protected finish(): void {
    this.#socket.close(1001)
  }

  protected get waiting(): number {
    return this.#socket.bufferedAmount + this.#early.reduce((sum, bytes) => sum + bytes.length, 0)
  }

  protected write(bytes: Buffer): void {
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#early.push(bytes)
    else this.#socket.send(bytes, { binary: !isUtf8(bytes) })
  }

  protected destroy(): void {
    this.#options.wheel.cancel(this.#opening)
    this.#socket.terminate()
  }

  protected override closed(): void {
    this.#options.wheel.cancel(this.#opening)
    super.closed()
  }

  #await(): void {
    const { wheel, limits } = this.#options
    if (limits.connectMs !== 0) this.#opening = wheel.set(limits.connectMs, this, 'connect')
    this.#socket.once('open', () => {
      wheel.cancel(this.#opening)
      for (const bytes of this.#early.splice(0)) this.write(bytes)
    })
  }
}

const nothing = Buffer.alloc(0)

/** A lookup that has one answer. */
function lookupOf(address: string): LookupFunction {
  const family = familyOf(address)
  return (_host, options, callback) =>
    options.all ? callback(null, [{ address, family }]) : callback(null, address, family)
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}
