import { once } from 'node:events'
import {
  createServer as createHttp,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttps } from 'node:https'
import { createServer as createTcp, type Server, type Socket } from 'node:net'
import { createServer as createTls, type Server as TlsServer } from 'node:tls'
import { type WebSocket, WebSocketServer } from 'ws'
import { isSecure, type ListeningAddress } from '../addresses.ts'
import type { StackLimits } from '../limits.ts'
import type { TlsIdentity } from './tls-options.ts'
import { Unlistenable } from './unlistenable.ts'

/** What takes the connections. */
export interface ListenerUser {
  /** A peer has connected and has said nothing so far. False: it is turned away. */
  admits(socket: Socket): boolean
  onStream(socket: Socket, listener: Listener): void
  onWebSocket(socket: WebSocket, below: Socket, listener: Listener): void
}

/** One listening socket for connections: TCP, TLS, WebSocket or WebSocket over TLS. */
export class Listener {
  readonly listen: ListeningAddress
  readonly #server: Server
  #webSockets: WebSocketServer | undefined

  constructor(listen: ListeningAddress, user: ListenerUser, limits: StackLimits, tls: TlsIdentity | undefined) {
    this.listen = listen
    if (isSecure(listen.transport) && tls === undefined) throw new Unlistenable(listen, new Error('no certificate'))
    this.#server = this.#create(user, limits, tls)
    this.#server.prependListener('connection', (socket: Socket) => {
      if (!user.admits(socket)) socket.destroy()
    })
  }

  async start(): Promise<ListeningAddress> {
    try {
      const { address, port } = this.listen
      this.#server.listen({ host: address, port, ipv6Only: true, backlog: 1024 })
      await once(this.#server, 'listening')
    } catch (err) {
      throw new Unlistenable(this.listen, err)
    }
    // A connection that could not be taken, for want of file descriptors say, is the peer's loss and not ours.
    this.#server.on('error', () => {})
    const bound = this.#server.address()
    return { ...this.listen, port: typeof bound === 'object' && bound !== null ? bound.port : this.listen.port }
  }

  /** From now on new connections are shown this certificate. */
  renewTls(tls: TlsIdentity): void {
    if ('setSecureContext' in this.#server) (this.#server as TlsServer).setSecureContext(tls)
  }

  /** Takes no more connections; those there are stay. */
  stop(): void {
    this.#server.close()
    this.#webSockets?.close()
  }

  #create(user: ListenerUser, limits: StackLimits, tls: TlsIdentity | undefined): Server {
    const patience = limits.halfOpenMs === 0 ? {} : { handshakeTimeout: limits.halfOpenMs }
    switch (this.listen.transport) {
      case 'tcp':
        return createTcp({ noDelay: true }, (socket) => user.onStream(socket, this))
      case 'tls': {
        const server = createTls({ ...tls, ...patience }, (socket) => user.onStream(socket, this))
        return server.on('tlsClientError', (_err, socket) => socket.destroy())
      }
      case 'ws':
        return this.#serveWebSockets(createHttp(httpPatience(limits), askForUpgrade), user, limits)
      case 'wss': {
        const server = createHttps({ ...tls, ...patience, ...httpPatience(limits) }, askForUpgrade)
        return this.#serveWebSockets(server, user, limits)
      }
      case 'udp':
        throw new TypeError('UDP has no connections')
    }
  }

  /** RFC 7118 §4: the subprotocol `sip` must be offered. */
  #serveWebSockets(server: HttpServer, user: ListenerUser, limits: StackLimits): HttpServer {
    const webSockets = new WebSocketServer({
      server,
      perMessageDeflate: false,
      clientTracking: false,
      maxPayload: limits.messageBytes,
      handleProtocols: (offered) => offered.has('sip') && 'sip',
      verifyClient: ({ req }: { req: IncomingMessage }, decide: Decide) => decide(offersSip(req), 400),
    })
    webSockets.on('connection', (socket, request) => user.onWebSocket(socket, request.socket, this))
    webSockets.on('error', () => {})
    this.#webSockets = webSockets
    return server
  }
}

type Decide = (accepted: boolean, status: number) => void

const offersSip = (request: IncomingMessage) =>
  (request.headers['sec-websocket-protocol'] ?? '').split(',').some((name) => name.trim() === 'sip')

function httpPatience(limits: StackLimits) {
  const { halfOpenMs } = limits
  if (halfOpenMs === 0) return { headersTimeout: 0, requestTimeout: 0 }
  return { headersTimeout: halfOpenMs, requestTimeout: halfOpenMs, connectionsCheckingInterval: halfOpenMs / 2 }
}

/** HTTP without an upgrade to WebSocket has nothing to find here (RFC 9110 §15.5.22). */
function askForUpgrade(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, { Upgrade: 'websocket', Connection: 'close' }).end()
}
