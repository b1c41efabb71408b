import type { Socket } from 'node:net'
import type { RawData, WebSocket } from 'ws'
import { joined } from './stream-wire.ts'
import type { Wire, WireUser } from './wire.ts'

/** How long a peer may take to answer the closing handshake (RFC 6455 §7.1.1). */
const closeMs = 2000

/** MSRP over WebSocket (RFC 7977 §5): each frame is one binary message. */
export class WebSocketWire implements Wire {
  readonly socket: Socket
  readonly framed = true
  readonly #webSocket: WebSocket
  readonly #user: WireUser
  #closing: NodeJS.Timeout | undefined

  constructor(webSocket: WebSocket, socket: Socket, user: WireUser) {
    this.socket = socket
    this.#webSocket = webSocket
    this.#user = user
    webSocket.binaryType = 'nodebuffer'
    socket.setKeepAlive(true, 60_000)
    webSocket.on('message', (data: RawData) => user.received(data as Buffer))
    webSocket.on('error', () => webSocket.terminate())
    webSocket.on('close', () => {
      clearTimeout(this.#closing)
      user.closed()
    })
  }

  get waiting(): number {
    return this.#webSocket.bufferedAmount
  }

  /** `parts` are one frame. */
  write(parts: readonly (string | Buffer)[]): void {
    this.#webSocket.send(joined(parts, 0, parts.length), { binary: true }, () => {
      if (this.#webSocket.bufferedAmount === 0) this.#user.drained()
    })
  }

  pause(): void {
    this.#webSocket.pause()
  }

  /** A frame is one message: it is taken whole. */
  stop(bytes: Buffer): Buffer {
    this.#webSocket.pause()
    return bytes
  }

  resume(): void {
    this.#webSocket.resume()
  }

  end(): void {
    this.#closing ??= setTimeout(() => this.destroy(), closeMs)
    this.#webSocket.close(1000)
  }

  destroy(): void {
    this.#webSocket.terminate()
  }
}
