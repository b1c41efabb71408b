import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { familyOf, isAnyAddress, type ListeningAddress, plainAddress } from '../addresses.ts'
import { type Flow, udpFlowPrefix } from './flow.ts'
import { Unlistenable } from './unlistenable.ts'

/** What takes the datagrams. */
export interface DatagramUser {
  onDatagram(bytes: Buffer, flow: UdpFlow): void
  onDatagramError(err: Error): void
  onSent(flow: UdpFlow, bytes: Buffer): void
}

/** The kernel grants what it allows; bursts of some thousand messages fit then. */
const bufferBytes = 8 * 1024 * 1024
/** The most that fits a datagram over IPv4, and near enough over IPv6. */
const mostBytes = 65_507

/** One UDP socket. A peer is reached through a flow, which is made for the asking. */
export class UdpTransport {
  readonly #listen: ListeningAddress
  readonly #user: DatagramUser
  readonly #socket: Socket
  #prefix = ''
  #port = 0
  #open = false

  constructor(listen: ListeningAddress, user: DatagramUser) {
    this.#listen = listen
    this.#user = user
    const family = familyOf(listen.address)
    this.#socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      ipv6Only: family === 6,
      // Addresses only, looked up on the spot: the default asks the resolver for each datagram.
      lookup: (host, _options, callback) => callback(null, host, family),
    })
    this.#socket.on('message', (bytes, remote) => this.#onMessage(bytes, remote))
  }

  get address(): string {
    return this.#listen.address
  }

  get port(): number {
    return this.#port
  }

  get open(): boolean {
    return this.#open
  }

  /** Begins the name of each flow here. */
  get prefix(): string {
    return this.#prefix
  }

  async start(): Promise<ListeningAddress> {
    try {
      const listening = once(this.#socket, 'listening') // asked first: with such a lookup it comes within `bind`
      this.#socket.bind({ port: this.#listen.port, address: this.#listen.address })
      await listening
    } catch (err) {
      this.#socket.close()
      throw new Unlistenable(this.#listen, err)
    }
    this.#socket.on('error', (err) => this.#user.onDatagramError(err))
    this.#growBuffers()
    this.#port = this.#socket.address().port
    this.#prefix = udpFlowPrefix(this.#listen.address, this.#port)
    this.#open = true
    return { transport: 'udp', address: this.#listen.address, port: this.#port }
  }

  /** Whether a datagram from here can get to `address`: loopback and the rest do not mix. */
  reaches(address: string): boolean {
    if (familyOf(address) !== familyOf(this.#listen.address)) return false
    return isAnyAddress(this.#listen.address) || isLoopback(this.#listen.address) === isLoopback(address)
  }

  flowTo(address: string, port: number): UdpFlow {
    return new UdpFlow(this, address, port)
  }

  send(bytes: Buffer, flow: UdpFlow): boolean {
    if (!this.#open || bytes.length > mostBytes) return false
    this.#socket.send(bytes, flow.remotePort, flow.remoteAddress)
    this.#user.onSent(flow, bytes)
    return true
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#socket.close()
  }

  #growBuffers(): void {
    try {
      this.#socket.setRecvBufferSize(bufferBytes)
      this.#socket.setSendBufferSize(bufferBytes)
    } catch {
      // Some kernels refuse what is beyond their bound instead of granting the bound; their default serves as well.
    }
  }

  #onMessage(bytes: Buffer, remote: RemoteInfo): void {
    this.#user.onDatagram(bytes, new UdpFlow(this, remote.address, remote.port))
  }
}

/** A pair of UDP addresses (RFC 5626 §3.3). Made for each datagram, so it holds nothing that can be had on demand. */
export class UdpFlow implements Flow {
  readonly transport = 'udp'
  readonly reliable = false
  readonly #socket: UdpTransport
  readonly remoteAddress: string
  readonly remotePort: number

  constructor(socket: UdpTransport, remoteAddress: string, remotePort: number) {
    this.#socket = socket
    this.remoteAddress = remoteAddress
    this.remotePort = remotePort
  }

  get name(): string {
    const address = this.remoteAddress.includes(':') ? `[${this.remoteAddress}]` : this.remoteAddress
    return `${this.#socket.prefix}${address}:${this.remotePort}`
  }

  get localAddress(): string {
    return this.#socket.address
  }

  get localPort(): number {
    return this.#socket.port
  }

  get open(): boolean {
    return this.#socket.open
  }

  /** The same socket to another port or address. */
  at(port: number, address = this.remoteAddress): UdpFlow {
    if (port === this.remotePort && address === this.remoteAddress) return this
    return new UdpFlow(this.#socket, address, port)
  }

  send(bytes: Buffer): boolean {
    return this.#socket.send(bytes, this)
  }

  watch(): void {}
  unwatch(): void {}
  close(): void {}
}

const isLoopback = (address: string) => address.startsWith('127.') || plainAddress(address) === '::1'
