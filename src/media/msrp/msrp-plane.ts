import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import { Failure } from '../../failure.ts'
import { type MsrpUri, sessionIdOf } from '../../protocols/msrp/msrp-uri.ts'
import { hostFor, isSecure, type MsrpAddress, uriTransport } from './addresses.ts'
import { type ConnectionHost, MsrpConnection } from './connection.ts'
import { keyOf, openSocket, type Peer, peerOf } from './connector.ts'
import { type MsrpCounters, noCounters, Usage } from './counters.ts'
import { type Fingerprint, fingerprintOf } from './fingerprint.ts'
import { defaultLimits, type MsrpLimits } from './limits.ts'
import { Listener, type ListenerUser, type MsrpTls } from './listener.ts'
import { MsrpSession, type Remote, type SessionHost } from './msrp-session.ts'
import { ReadTurns } from './read-turns.ts'
import { Sockets } from './sockets.ts'
import { StreamWire } from './stream-wire.ts'
import { WebSocketWire } from './web-socket-wire.ts'
import type { Wire, WireUser } from './wire.ts'

export interface MsrpOptions {
  readonly listen: readonly MsrpAddress[]
  /** The host that others reach this server by, when it is not that of `listen`. */
  readonly advertise?: string | undefined
  readonly tls?: MsrpTls | undefined
  readonly limits?: Partial<MsrpLimits> | undefined
  /** Milliseconds of a clock that does not jump. */
  readonly now?: (() => number) | undefined
  readonly log: { error(fields: object, note: string): void }
  readonly counters?: MsrpCounters | undefined
}

/** Which way a session's own path is reached. */
export interface SessionKind {
  readonly secure: boolean
  readonly transport: 'tcp' | 'ws'
  /** Bytes of one message; more is 413. */
  readonly messageBytes?: number
}

type ToWire = (user: WireUser) => Wire

/** What closing may take for what is still to be written, in milliseconds. */
const closeWithin = 1000
const sweepEvery = 1000

/** MSRP for the parts above: own paths to write into session descriptions, and the sessions that come to them (RFC 4975). */
export class MsrpPlane implements ListenerUser {
  readonly sessions: Usage
  readonly connections: Usage
  readonly #options: MsrpOptions
  readonly #limits: MsrpLimits
  readonly #counters: MsrpCounters
  readonly #now: () => number
  readonly #listeners: readonly Listener[]
  readonly #sockets: Sockets
  readonly #sessionHost: SessionHost
  readonly #connectionHost: ConnectionHost
  readonly #byId = new Map<string, MsrpSession>()
  /** Connections that we opened, or are opening, by peer. */
  readonly #outgoing = new Map<string, Promise<MsrpConnection>>()
  readonly #open = new Set<MsrpConnection>()
  readonly #expecting = new Set<MsrpSession>()
  #addresses: readonly MsrpAddress[] = []
  #tls: MsrpTls | undefined
  #sweep: NodeJS.Timeout | undefined
  #closing = false

  constructor(options: MsrpOptions) {
    this.#options = options
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#counters = options.counters ?? noCounters
    this.#now = options.now ?? (() => performance.now())
    this.#tls = options.tls
    const shared = { limits: this.#limits, counters: this.#counters }
    this.#sessionHost = {
      ...shared,
      now: this.#now,
      connect: (to, remote) => this.#connect(to, remote),
      onExpecting: (expecting) => this.#expecting.add(expecting),
      onClosed: (closed) => this.#forget(closed),
    }
    this.#connectionHost = {
      ...shared,
      turns: new ReadTurns(),
      log: options.log,
      targetOf: (toPath) => this.#byId.get(sessionIdOf(toPath) ?? ''),
      onClosed: (closed) => this.#open.delete(closed),
    }
    this.sessions = new Usage(this.#limits.sessions)
    this.connections = new Usage(this.#limits.connections)
    this.#sockets = new Sockets(this.connections, this.#limits.connectionsPerSource)
    this.#listeners = options.listen.map((listen) => new Listener(listen, this, this.#limits, options.tls))
  }

  /** What a session description says of our certificate (RFC 8122). */
  get fingerprint(): Fingerprint | undefined {
    return this.#tls && fingerprintOf(this.#tls.cert)
  }

  async start(): Promise<readonly MsrpAddress[]> {
    this.#addresses = await Promise.all(this.#listeners.map((listener) => listener.start()))
    this.#sweep = setInterval(() => this.#expire(), sweepEvery)
    return this.#addresses
  }

  /** New connections are shown this certificate. */
  renewTls(tls: MsrpTls): void {
    this.#tls = tls
    for (const listener of this.#listeners) listener.renewTls(tls)
  }

  /** Ends all sessions, writes what is left to be written, and closes every connection. */
  async close(): Promise<void> {
    this.#closing = true
    clearInterval(this.#sweep)
    for (const listener of this.#listeners) listener.stop()
    for (const session of [...this.#byId.values()]) session.closeBy('shutdown')
    for (const connection of this.#open) connection.end()
    await Promise.race([this.#sockets.empty(), sleep(closeWithin, undefined, { ref: false })])
    await this.#sockets.destroyAll()
  }

  /** Whether there is a listener of this kind. */
  offers(kind: SessionKind): boolean {
    return this.#listenerFor(kind) !== undefined
  }

  /**
   * Reserves a session with a path of its own. Throws Failure('overloaded') when there are too many, and
   * Failure('not-acceptable') when nothing listens that way.
   */
  open(kind: SessionKind): MsrpSession {
    const listen = this.#listenerFor(kind)
    if (listen === undefined) throw new Failure('not-acceptable', 'no MSRP listener of this kind')
    if (this.#closing || !this.sessions.take()) throw new Failure('overloaded', 'message sessions', { retryAfter: 10 })
    const id = randomUUID() // Node keeps a store of these
    const host = hostFor(listen, this.#options.advertise)
    const session = new MsrpSession({
      id,
      path: `msrp${kind.secure ? 's' : ''}://${host}:${listen.port}/${id};${kind.transport}`,
      secure: kind.secure,
      messageBytes: kind.messageBytes ?? this.#limits.messageBytes,
      host: this.#sessionHost,
    })
    this.#byId.set(id, session)
    return session
  }

  admits(socket: Socket): boolean {
    if (!this.#closing && this.#sockets.add(socket)) return true
    this.#counters.dropped('over-limit')
    return false
  }

  onStream(socket: Socket, listen: MsrpAddress): void {
    this.#serve(isSecure(listen.transport), false, (user) => new StreamWire(socket, user))
  }

  onWebSocket(webSocket: WebSocket, below: Socket, listen: MsrpAddress): void {
    this.#serve(isSecure(listen.transport), false, (user) => new WebSocketWire(webSocket, below, user))
  }

  #serve(secure: boolean, outgoing: boolean, toWire: ToWire, onEnding?: () => void): MsrpConnection {
    const connection = new MsrpConnection({ host: this.#connectionHost, outgoing, secure, onEnding }, toWire)
    this.#open.add(connection)
    return connection
  }

  #listenerFor({ secure, transport }: SessionKind): MsrpAddress | undefined {
    return this.#addresses.find(
      (listen) => isSecure(listen.transport) === secure && uriTransport(listen.transport) === transport,
    )
  }

  #connect(to: MsrpUri, remote: Remote): Promise<MsrpConnection> {
    const peer = peerOf(to, remote.fingerprints, remote.address)
    const key = keyOf(peer)
    const known = this.#outgoing.get(key)
    if (known !== undefined) return known
    const opening = this.#openTo(peer, key)
    this.#outgoing.set(key, opening)
    opening.catch(() => this.#outgoing.delete(key))
    return opening
  }

  async #openTo(peer: Peer, key: string): Promise<MsrpConnection> {
    const socket = await openSocket(peer, this.#tls, this.#limits.connectMs)
    if (!this.admits(socket)) {
      socket.destroy()
      throw new Failure('overloaded', 'connections', { retryAfter: 10 })
    }
    const forget = () => this.#outgoing.delete(key)
    return this.#serve(peer.secure, true, (user) => new StreamWire(socket, user), forget)
  }

  #expire(): void {
    const now = this.#now()
    for (const session of this.#expecting) if (!session.expire(now)) this.#expecting.delete(session)
  }

  #forget(session: MsrpSession): void {
    this.#byId.delete(session.id)
    this.#expecting.delete(session)
    this.sessions.free()
  }
}
