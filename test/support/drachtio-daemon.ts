import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { hostPort, type ListeningAddress } from '../../src/sip/addresses.ts'
import { certificate } from './certificate.ts'
import { type App, DialogTable } from './drachtio-dialogs.ts'
import { type Frame, FrameReader, frame, readAppMessage } from './drachtio-frames.ts'
import { DrachtioInbound } from './drachtio-inbound.ts'
import { DrachtioOutbound } from './drachtio-outbound.ts'
import { DaemonSip } from './drachtio-sip.ts'

export interface DaemonOptions {
  readonly secret?: string
  readonly listen?: readonly ListeningAddress[]
  readonly dns?: string | undefined
}

const version = 'v0.9.10-1-g9c2dd4cb6a'

/**
 * Stands in for drachtio-server 0.9.10 before drachtio-srf: its protocol towards apps, what it refuses, what it loses, and
 * real SIP towards phones. Frames as captured between the two are its own tests.
 */
export class DrachtioDaemon {
  readonly secret: string
  readonly #sip: DaemonSip
  readonly #server: Server
  readonly #apps = new Set<App>()
  readonly #table = new DialogTable()
  readonly #inbound: DrachtioInbound
  readonly #outbound: DrachtioOutbound
  #addresses: readonly ListeningAddress[] = []
  /** Takes connections and frames, and does nothing: a daemon that hangs. */
  isStalled = false

  constructor({ secret = 'secret', listen = everyTransport, dns }: DaemonOptions) {
    this.secret = secret
    this.#sip = new DaemonSip({
      listen,
      dns,
      tls: { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) },
      onRequest: (transaction) => this.#inbound.onRequest(transaction),
      onAck: (ack, checked) => this.#inbound.onAck(ack, checked),
    })
    this.#inbound = new DrachtioInbound({ sip: this.#sip, apps: this.#apps }, this.#table)
    this.#outbound = new DrachtioOutbound({ sip: this.#sip, port: () => this.#addresses[0]?.port }, this.#table)
    this.#server = createServer((socket) => this.#onApp(socket))
  }

  static async start(options: DaemonOptions = {}): Promise<DrachtioDaemon> {
    const daemon = new DrachtioDaemon(options)
    daemon.#addresses = await daemon.#sip.start()
    daemon.#server.listen(0, '127.0.0.1')
    await once(daemon.#server, 'listening')
    return daemon
  }

  /** The admin port. */
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  get hostPorts(): string {
    return this.#addresses.map(({ transport, address, port }) => `${transport}/${hostPort(address, port)}`).join(',')
  }

  /** How many apps are connected. */
  get apps(): number {
    return this.#apps.size
  }

  get dialogs(): number {
    return this.#table.dialogs.size
  }

  /** Cuts every app off, and keeps what SIP there is. */
  disconnectApps(): void {
    for (const { socket } of this.#apps) socket.destroy()
  }

  /** Forgets every dialog and transaction, as one does that was started anew. */
  forgetAll(): void {
    this.#table.clear()
    this.#inbound.clear()
    this.#outbound.clear()
  }

  async close(): Promise<void> {
    this.#server.close()
    this.disconnectApps()
    this.forgetAll()
    await this.#sip.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // Apps

  #onApp(socket: Socket): void {
    const app: App = { socket, routes: new Set() }
    const reader = new FrameReader()
    this.#apps.add(app)
    socket.on('data', (bytes) => {
      try {
        for (const one of reader.read(bytes)) if (!this.isStalled) this.#onFrame(app, one)
      } catch {
        socket.destroy()
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => this.#apps.delete(app))
  }

  #onFrame(app: App, one: Frame): void {
    const [type, value = ''] = one.meta
    const answer = (text: string) => app.socket.write(frame(`response|${one.id}|${text}`))
    switch (type) {
      case 'authenticate':
        if (value === this.secret) answer(`OK|${this.hostPorts}|${version}|${this.hostPorts}`)
        else {
          answer('NO|incorrect secret')
          app.socket.end()
        }
        return
      // Frames are obeyed whether the secret was right or not: that is how it is.
      case 'route':
        app.routes.add(value)
        answer('OK')
        return
      case 'remove_route':
        app.routes.clear()
        answer('OK')
        return
      case 'ping':
        answer('OK|pong')
        return
      case 'sip':
        this.#onSip(app, one)
        return
      default:
        answer('NO|unknown message type')
    }
  }

  #onSip(app: App, { id, meta, sip = Buffer.alloc(0) }: Frame): void {
    const [, txnId = '', dialogId = '', route = ''] = meta
    const answer = (text: string, sent?: Buffer) => app.socket.write(frame(`response|${id}|${text}`, sent))
    try {
      const message = readAppMessage(sip)
      if (message.start.startsWith('SIP/')) this.#inbound.respond(txnId, message, answer)
      else if (dialogId !== '') this.#outbound.sendWithin(app, dialogId, message, answer)
      else if (txnId !== '') this.#outbound.cancel(txnId, message, answer)
      else this.#outbound.sendNew(app, message, route, answer)
    } catch (err) {
      answer(`NOK|${(err as Error).message}`)
    }
  }
}

const everyTransport: readonly ListeningAddress[] = (['udp', 'tcp', 'tls', 'ws', 'wss'] as const).map((transport) => ({
  transport,
  address: '127.0.0.1',
  port: 0,
}))
