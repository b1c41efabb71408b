import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Timer, TimerTarget } from '../timer-wheel.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import type { ClientTls } from './tls-options.ts'

/** A TCP connection, with or without TLS (RFC 3261 §18, §26.2.1). */
export class StreamConnection extends Connection implements TimerTarget<'connect'> {
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  #opening: Timer | undefined

  /** `socket` may still be connecting: what is sent waits inside. */
  constructor(options: ConnectionOptions, socket: Socket) {
    super(options)
    this.#options = options
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => this.received(bytes))
    socket.on('error', () => this.close())
    socket.on('close', () => this.closed())
  }

  /** Opens a connection. */
  static to(options: ConnectionOptions, tls?: ClientTls): StreamConnection {
    const where = { host: options.remoteAddress, port: options.remotePort }
    const socket = tls === undefined ? connectTcp(where) : connectTls({ ...where, ...tls })
    const connection = new StreamConnection(options, socket)
    connection.#await(tls === undefined ? 'connect' : 'secureConnect')
    return connection
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress
  }

  get localPort(): number | undefined {
    return this.#socket.localPort
  }

  onTimer(): void {
    this.close()
  }

  protected finish(): void {
    this.#socket.end()
  }

  protected get waiting(): number {
    return this.#socket.writableLength
  }

  protected write(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  protected destroy(): void {
    this.#options.wheel.cancel(this.#opening)
    this.#socket.destroy()
  }

  protected override closed(): void {
    this.#options.wheel.cancel(this.#opening)
    super.closed()
  }

  #await(ready: 'connect' | 'secureConnect'): void {
    const { wheel, limits } = this.#options
    if (limits.connectMs === 0) return
    this.#opening = wheel.set(limits.connectMs, this, 'connect')
    this.#socket.once(ready, () => wheel.cancel(this.#opening))
  }
}
