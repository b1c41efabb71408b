import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { WebSocket } from 'ws'
import { readSipText, type SipText, SipTextStream } from './sip-text.ts'

export type WireTransport = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss'

export interface Place {
  readonly transport: WireTransport
  readonly address: string
  readonly port: number
}

/** One socket of a phone, connected to the server. */
export interface Wire {
  readonly transport: WireTransport
  readonly localAddress: string
  readonly localPort: number
  /** The host and port of a Via or Contact; a browser knows none (RFC 7118 §5.5). */
  readonly sentBy: string
  readonly closed: boolean
  send(bytes: Buffer): void
  close(): void
}

/** Where the phone itself is; any port, and the first address of the loopback, unless told otherwise. */
export interface LocalEnd {
  readonly port?: number | undefined
  readonly address?: string | undefined
}

export interface WireEvents {
  onMessage(message: SipText): void
  onPong?(): void
  /** A datagram that is not SIP, such as a STUN response. */
  onOther?(bytes: Buffer): void
  onClose?(): void
}

/** Opens a socket of the phone's own to `place`. */
export function openWire(place: Place, events: WireEvents, local: LocalEnd = {}): Promise<Wire> {
  if (place.transport === 'udp') return openUdp(place, events, local)
  if (place.transport === 'ws' || place.transport === 'wss') return openWebSocket(place, events)
  return openStream(place, events, local)
}

async function openUdp(place: Place, events: WireEvents, local: LocalEnd): Promise<Wire> {
  const socket = createSocket(place.address.includes(':') ? 'udp6' : 'udp4')
  socket.on('message', (bytes) => {
    const read = readSipText(bytes, true)
    if (read === undefined) events.onOther?.(bytes)
    else events.onMessage(read.message)
  })
  socket.on('error', () => {}) // a port that went away: the request then times out, which is what a phone sees
  socket.bind(local.port ?? 0, local.address ?? (place.address.includes(':') ? '::1' : '127.0.0.1'))
  await once(socket, 'listening')
  const bound = socket.address()
  let closed = false
  return {
    transport: 'udp',
    localAddress: bound.address,
    localPort: bound.port,
    sentBy: hostPort(bound.address, bound.port),
    get closed() {
      return closed
    },
    send: (bytes) => {
      if (!closed) socket.send(bytes, place.port, place.address)
    },
    close: () => {
      if (!closed) socket.close()
      closed = true
    },
  }
}

async function openStream(place: Place, events: WireEvents, local: LocalEnd): Promise<Wire> {
  const to = { host: place.address, port: place.port, ...(local.address && { localAddress: local.address }) }
  const socket: Socket =
    place.transport === 'tls' ? connectTls({ ...to, rejectUnauthorized: false }) : createConnection(to)
  await once(socket, place.transport === 'tls' ? 'secureConnect' : 'connect')
  const stream = new SipTextStream(() => events.onPong?.())
  socket.on('data', (bytes) => {
    for (const message of stream.read(bytes)) events.onMessage(message)
  })
  socket.on('error', () => {})
  socket.on('close', () => events.onClose?.())
  const address = socket.localAddress ?? ''
  const port = socket.localPort ?? 0
  return {
    transport: place.transport,
    localAddress: address,
    localPort: port,
    sentBy: hostPort(address, port),
    get closed() {
      return socket.destroyed
    },
    send: (bytes) => {
      socket.write(bytes)
    },
    close: () => {
      socket.destroy()
    },
  }
}

async function openWebSocket(place: Place, events: WireEvents): Promise<Wire> {
  const url = `${place.transport}://${hostPort(place.address, place.port)}/`
  const socket = new WebSocket(url, 'sip', { rejectUnauthorized: false })
  await once(socket, 'open')
  socket.on('message', (data: Buffer) => {
    if (data.equals(Buffer.from('\r\n'))) return events.onPong?.()
    const read = readSipText(data, true)
    if (read !== undefined) events.onMessage(read.message)
  })
  socket.on('error', () => {})
  socket.on('close', () => events.onClose?.())
  return {
    transport: place.transport,
    localAddress: '127.0.0.1',
    localPort: 0,
    sentBy: `${Math.random().toString(36).slice(2)}.invalid`,
    get closed() {
      return socket.readyState !== WebSocket.OPEN
    },
    send: (bytes) => socket.send(bytes, { binary: !isUtf8Text(bytes) }),
    close: () => socket.terminate(),
  }
}

const isUtf8Text = (bytes: Buffer): boolean => Buffer.from(bytes.toString('utf8'), 'utf8').equals(bytes)

export const hostPort = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
