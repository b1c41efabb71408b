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
import { type MsrpAddress, MsrpUnlistenable } from './addresses.ts'
import type { MsrpLimits } from './limits.ts'

/** The certificate that this server shows, to those who connect and to those it connects to. PEM. */
export interface MsrpTls {
  readonly cert: Buffer
  readonly key: Buffer
}

/** What takes the connections. */
export interface ListenerUser {
  /** A peer has connected and has said nothing so far. False: it is turned away. */
  admits(socket: Socket): boolean
  onStream(socket: Socket, listen: MsrpAddress): void
  onWebSocket(webSocket: WebSocket, below: Socket, listen: MsrpAddress): void
}

/** So much is held of what a stream has to give while it is paused, beside what is being read. */
const heldBytes = 2048

/** A certificate is asked for and not judged: the session description says which one it must be (RFC 8122 §6). */
const askForCertificate = { requestCert: true, rejectUnauthorized: false }

/** One listening socket: TCP, TLS, WebSocket or WebSocket over TLS. */
export class Listener {
  readonly #listen: MsrpAddress
  readonly #server: Server
  #webSockets: WebSocketServer | undefined

  constructor(listen: MsrpAddress, user: ListenerUser, limits: MsrpLimits, tls: MsrpTls | undefined) {
    this.#listen = listen
    this.#server = this.#create(user, limits, tls)
    this.#server.prependListener('connection', (socket: Socket) => {
      if (!user.admits(socket)) socket.destroy()
    })
  }

  async start(): Promise<MsrpAddress> {
    try {
      const { address, port } = this.#listen
      this.#server.listen({ host: address, port, ipv6Only: true, backlog: 1024 })
      await once(this.#server, 'listening')
    } catch (err) {
      throw new MsrpUnlistenable(this.#listen, err)
    }
    // A connection that could not be taken, for want of file descriptors say, is the peer's loss and not ours.
    this.#server.on('error', () => {})
    const bound = this.#server.address()
    return { ...this.#listen, port: typeof bound === 'object' && bound !== null ? bound.port : this.#listen.port }
  }

  /** From now on new connections are shown this certificate. */
  renewTls(tls: MsrpTls): void {
    if ('setSecureContext' in this.#server) (this.#server as TlsServer).setSecureContext(tls)
  }

  /** Takes no more connections; those there are stay. */
  stop(): void {
    this.#server.close()
    this.#webSockets?.close()
  }

  #create(user: ListenerUser, limits: MsrpLimits, tls: MsrpTls | undefined): Server {
    const listen = this.#listen
    const secured = { ...tls, ...askForCertificate, handshakeTimeout: limits.silentMs }
    switch (listen.transport) {
      case 'tcp':
        return createTcp({ highWaterMark: heldBytes }, (socket) => user.onStream(socket, listen))
      case 'tls': {
        const server = createTls(secured, (socket) => user.onStream(socket, listen))
        return server.on('tlsClientError', (_err, socket) => socket.destroy())
      }
      case 'ws':
        return this.#serveWebSockets(createHttp(patience(limits), askForUpgrade), user, limits)
      case 'wss':
        return this.#serveWebSockets(createHttps({ ...secured, ...patience(limits) }, askForUpgrade), user, limits)
    }
  }

  /** RFC 7977 §4.1: the subprotocol `msrp` must be offered. */
  #serveWebSockets(server: HttpServer, user: ListenerUser, limits: MsrpLimits): HttpServer {
    const webSockets = new WebSocketServer({
      server,
      perMessageDeflate: false,
      clientTracking: false,
      maxPayload: limits.webSocketBytes,
      handleProtocols: (offered) => offered.has('msrp') && 'msrp',
      verifyClient: ({ req }: { req: IncomingMessage }, decide: Decide) => decide(offersMsrp(req), 400),
    })
    webSockets.on('connection', (socket, request) => user.onWebSocket(socket, request.socket, this.#listen))
    webSockets.on('error', () => {})
    this.#webSockets = webSockets
    return server
  }
}

type Decide = (accepted: boolean, status: number) => void

const offersMsrp = (request: IncomingMessage) =>
  (request.headers['sec-websocket-protocol'] ?? '').split(',').some((name) => name.trim() === 'msrp')

const patience = ({ silentMs }: MsrpLimits) => ({
  headersTimeout: silentMs,
  requestTimeout: silentMs,
  connectionsCheckingInterval: Math.max(1, silentMs / 2),
})

/** HTTP without an upgrade to WebSocket has nothing to find here (RFC 9110 §15.5.22). */
function askForUpgrade(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, { Upgrade: 'websocket', Connection: 'close' }).end()
}
