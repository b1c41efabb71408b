import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { MalformedSip } from '../../protocols/sip/malformed-sip.ts'
import { type SipMessage, writeMessage } from '../../protocols/sip/message.ts'
import { type ReadLimits, readMessage } from '../../protocols/sip/read-message.ts'
import { type KeepAlive, StreamReader } from '../../protocols/sip/stream-reader.ts'
import { isStun, readBindingRequest, writeBindingAnswer } from '../../protocols/stun/binding.ts'
import { MalformedStun } from '../../protocols/stun/malformed-stun.ts'
import { type Hop, hostPort, isSecure, type ListeningAddress, plainAddress, type Transport } from '../addresses.ts'
import type { Counters } from '../counters.ts'
import type { StackLimits } from '../limits.ts'
import type { Sources } from '../sources.ts'
import type { TimerWheel } from '../timer-wheel.ts'
import type { Connection, ConnectionOptions, ConnectionUser } from './connection.ts'
import { type Flow, readUdpFlowName } from './flow.ts'
import { Listener, type ListenerUser } from './listener.ts'
import { StreamConnection } from './stream-connection.ts'
import { clientTls, type TlsIdentity, type TlsTrust } from './tls-options.ts'
import { type DatagramUser, type UdpFlow, UdpTransport } from './udp-transport.ts'
import { WebSocketConnection } from './websocket-connection.ts'

/** What takes the messages. */
export interface TransportUser {
  onMessage(message: SipMessage, flow: Flow): void
  onMalformed(malformed: MalformedSip, flow: Flow): void
  onFlowClosed(name: string): void
}

/** Sees the bytes of each message, for a log. */
export type Trace = (direction: 'in' | 'out', flow: Flow, bytes: Buffer) => void

export interface TransportOptions {
  readonly listen: readonly ListeningAddress[]
  readonly tls?: TlsIdentity | undefined
  readonly trust: TlsTrust
  readonly limits: StackLimits
  readonly wheel: TimerWheel
  readonly sources: Sources
  readonly counters: Counters
  readonly trace?: Trace | undefined
  readonly now: () => number
  readonly user: TransportUser
}

const ping = Buffer.from('\r\n\r\n')
const pong = Buffer.from('\r\n')
const closingMs = 500

/** All sockets: bytes in, messages out, and a flow to whoever is to be reached (RFC 3261 §18, RFC 5626). */
export class TransportLayer implements DatagramUser, ConnectionUser, ListenerUser {
  readonly #options: TransportOptions
  readonly #readLimits: ReadLimits
  readonly #udp: UdpTransport[] = []
  readonly #listeners: Listener[] = []
  /** By name. */
  readonly #connections = new Map<string, Connection>()
  readonly #readers = new WeakMap<Connection, StreamReader>()
  /** Connections that we opened, by where they lead (RFC 5923 §8). */
  readonly #opened = new Map<string, Connection>()
  readonly #openedKeys = new WeakMap<Connection, string>()
  #listening: readonly ListeningAddress[] = []
  #tls: TlsIdentity | undefined
  #count = 0
  #sweep: NodeJS.Timeout | undefined
  #onAllClosed: () => void = () => {}

  constructor(options: TransportOptions) {
    this.#options = options
    this.#tls = options.tls
    const { messageBytes, headerCount, headerBytes } = options.limits
    this.#readLimits = { maxBytes: messageBytes, maxHeaders: headerCount, maxHeaderLength: headerBytes }
  }

  get listening(): readonly ListeningAddress[] {
    return this.#listening
  }

  /** How many connections there are, either way. */
  get connections(): number {
    return this.#connections.size
  }

  async start(): Promise<readonly ListeningAddress[]> {
    const listening: ListeningAddress[] = []
    for (const listen of this.#options.listen) listening.push(await this.#listenOn(listen))
    this.#listening = listening
    this.#sweep = setInterval(() => this.#closeOverdue(), this.#sweepMs())
    this.#sweep.unref()
    return listening
  }

  renewTls(tls: TlsIdentity): void {
    this.#tls = tls
    for (const listener of this.#listeners) listener.renewTls(tls)
  }

  /** The flow of that name, if it is still there. A UDP flow always is, while its socket is. */
  flow(name: string): Flow | undefined {
    const connection = this.#connections.get(name)
    if (connection !== undefined) return connection
    const udp = readUdpFlowName(name)
    return udp && this.#udp.find((socket) => socket.prefix === udp.prefix)?.flowTo(udp.address, udp.port)
  }

  /** A flow to an address: a UDP socket that reaches it, a connection that is there, or one that is opened now. */
  flowTo(hop: Hop): Flow | undefined {
    if (hop.transport === 'udp') {
      return this.#udp.find((socket) => socket.reaches(hop.address))?.flowTo(hop.address, hop.port)
    }
    return this.#opened.get(openedKey(hop)) ?? this.#open(hop)
  }

  /** Takes nothing new. */
  stop(): void {
    for (const listener of this.#listeners) listener.stop()
  }

  /** Lets each peer take what waits for it, for a moment, and closes all. */
  async close(): Promise<void> {
    this.stop()
    for (const connection of this.#connections.values()) connection.end()
    for (const socket of this.#udp) socket.close()
    if (this.#connections.size > 0) await this.#allClosed()
    clearInterval(this.#sweep)
    for (const connection of [...this.#connections.values()]) connection.close()
  }

  #allClosed(): Promise<void> {
    return new Promise((resolve) => {
      const patience = setTimeout(resolve, closingMs)
      this.#onAllClosed = () => {
        clearTimeout(patience)
        resolve()
      }
    })
  }

  onDatagram(bytes: Buffer, flow: UdpFlow): void {
    const first = bytes[0] as number
    if (first < 2) this.#onStun(bytes, flow)
    else if (!isEmptyKeepAlive(bytes)) this.#onWhole(bytes, flow)
  }

  onDatagramError(): void {
    // What the kernel would not send is lost, as datagrams are; the transaction sends it again or gives up.
  }

  admits(socket: Socket): boolean {
    const source = this.#options.sources.of(plainAddress(socket.remoteAddress ?? ''))
    if (this.#options.sources.admitConnection(source)) {
      socket.once('close', () => this.#options.sources.releaseConnection(source))
      return true
    }
    this.#options.counters.dropped('connection-refused')
    return false
  }

  onStream(socket: Socket, listener: Listener): void {
    if (socket.destroyed) return
    const options = this.#optionsFor(listener.listen.transport, socket.remoteAddress, socket.remotePort)
    const connection = this.#add(new StreamConnection(options, socket))
    connection.owes()
    this.#readers.set(connection, new StreamReader(this.#readLimits))
  }

  onWebSocket(socket: WebSocket, below: Socket, listener: Listener): void {
    const options = this.#optionsFor(listener.listen.transport, below.remoteAddress, below.remotePort)
    this.#add(new WebSocketConnection(options, socket, below)).owes()
  }

  onBytes(connection: Connection, bytes: Buffer): void {
    const reader = this.#readers.get(connection)
    if (reader !== undefined) this.#onStreamBytes(connection, reader, bytes)
    else if (bytes.equals(ping)) connection.send(pong)
    else if (!isEmptyKeepAlive(bytes)) {
      connection.settles()
      this.#onWhole(bytes, connection)
    }
  }

  onClosed(connection: Connection): void {
    this.#connections.delete(connection.name)
    const opened = this.#openedKeys.get(connection)
    if (opened !== undefined) this.#opened.delete(opened)
    this.#options.user.onFlowClosed(connection.name)
    if (this.#connections.size === 0) this.#onAllClosed()
  }

  onSent(flow: Flow, bytes: Buffer): void {
    this.#options.counters.sent(flow.transport)
    this.#options.trace?.('out', flow, bytes)
  }

  onNotReading(): void {
    this.#options.counters.dropped('not-reading')
  }

  async #listenOn(listen: ListeningAddress): Promise<ListeningAddress> {
    if (listen.transport === 'udp') {
      const socket = new UdpTransport(listen, this)
      const bound = await socket.start()
      this.#udp.push(socket)
      return bound
    }
    const listener = new Listener(listen, this, this.#options.limits, this.#tls)
    const bound = await listener.start()
    this.#listeners.push(listener)
    return bound
  }

  #open(hop: Hop): Flow {
    const options = this.#optionsFor(hop.transport, hop.address, hop.port)
    const tls = isSecure(hop.transport) ? clientTls(hop.host, this.#options.trust, this.#tls) : undefined
    const connection = isWebSocket(hop.transport)
      ? WebSocketConnection.to(options, hop.host, tls)
      : StreamConnection.to(options, tls)
    if (!isWebSocket(hop.transport)) this.#readers.set(connection, new StreamReader(this.#readLimits))
    this.#opened.set(openedKey(hop), connection)
    this.#openedKeys.set(connection, openedKey(hop))
    return this.#add(connection)
  }

  #add<Kind extends Connection>(connection: Kind): Kind {
    this.#connections.set(connection.name, connection)
    return connection
  }

  #optionsFor(transport: Transport, address = '', port = 0): ConnectionOptions {
    const { limits, wheel, now } = this.#options
    // The number tells flows of one run apart, the random part those of different runs and nodes.
    const name = `${transport}/${++this.#count}-${randomBytes(6).toString('hex')}`
    return { name, transport, remoteAddress: plainAddress(address), remotePort: port, limits, wheel, now, user: this }
  }

  #onWhole(bytes: Buffer, flow: Flow): void {
    this.#options.trace?.('in', flow, bytes)
    let message: SipMessage
    try {
      message = readMessage(bytes, this.#readLimits)
    } catch (err) {
      if (!(err instanceof MalformedSip)) throw err
      this.#options.user.onMalformed(err, flow)
      return
    }
    this.#options.user.onMessage(message, flow)
  }

  #onStreamBytes(connection: Connection, reader: StreamReader, bytes: Buffer): void {
    try {
      for (const item of reader.read(bytes)) {
        if (!connection.open) return
        connection.settles()
        this.#onItem(connection, item)
      }
      if (reader.pending > 0) connection.owes()
    } catch (err) {
      if (!(err instanceof MalformedSip)) throw err
      // Where the next message begins is not known any more (RFC 3261 §18.3): answer, and hang up.
      this.#options.user.onMalformed(err, connection)
      connection.end()
    }
  }

  #onItem(connection: Connection, item: SipMessage | MalformedSip | KeepAlive): void {
    if (item === 'ping') connection.send(pong)
    else if (item instanceof MalformedSip) this.#options.user.onMalformed(item, connection)
    else if (item !== 'pong') {
      if (this.#options.trace) this.#options.trace('in', connection, writeMessage(item))
      this.#options.user.onMessage(item, connection)
    }
  }

  #onStun(bytes: Buffer, flow: UdpFlow): void {
    if (!isStun(bytes)) return
    try {
      const request = readBindingRequest(bytes)
      if (request) flow.send(writeBindingAnswer(request, { address: flow.remoteAddress, port: flow.remotePort }))
    } catch (err) {
      if (!(err instanceof MalformedStun)) throw err
    }
  }

  #sweepMs(): number {
    const { idleMs, halfOpenMs } = this.#options.limits
    const shortest = Math.min(idleMs || 60_000, halfOpenMs || 60_000)
    return Math.min(10_000, Math.max(20, shortest / 4))
  }

  #closeOverdue(): void {
    const now = this.#options.now()
    for (const connection of [...this.#connections.values()]) if (connection.overdue(now)) connection.close()
  }
}

/** Peers that know no STUN keep a flow alive with empty lines, or a byte or two of anything. */
const isEmptyKeepAlive = (bytes: Buffer) => bytes.length <= 4
const isWebSocket = (transport: Transport) => transport === 'ws' || transport === 'wss'
const openedKey = (hop: Hop) =>
  `${hop.transport}/${hostPort(hop.address, hop.port)}/${isSecure(hop.transport) ? hop.host : ''}`
