import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { Failure } from '../../failure.ts'
import { type Dictionary, isDictionary, readBencode, writeBencode } from '../../protocols/bencode/bencode.ts'

export interface NgClientNeeds {
  readonly host: string
  readonly port: number
}

interface Request {
  readonly cookie: string
  readonly bytes: Buffer
  readonly resolve: (reply: Dictionary) => void
  readonly reject: (failure: Failure) => void
  sent: number
  timer: NodeJS.Timeout | undefined
}

/** Milliseconds to wait after each transmission; rtpengine answers in less than one. */
const usual = [200, 400, 800, 1_600]
/** When it did not answer the last time. */
const doubtful = [200, 400]
/** Requests on their way at once: no more than fit in the buffer of its socket. */
const window = 64
const maxWaiting = 20_000
/** What fits in a datagram. */
const maxBytes = 65_000
const retryAfter = 5

/**
 * The NG control protocol of rtpengine: bencode in datagrams, each with a cookie by which rtpengine tells a request that
 * is sent again from a new one, and the client which request a reply is of.
 */
export class NgClient {
  readonly #needs: NgClientNeeds
  readonly #sent = new Map<string, Request>()
  readonly #waiting: Request[] = []
  readonly #prefix = randomBytes(6).toString('hex')
  #count = 0
  #socket: Promise<Socket> | undefined
  #waits = usual
  #closed = false

  constructor(needs: NgClientNeeds) {
    this.#needs = needs
  }

  /** The reply to a command, whatever its result is. Rejects with Failure('overloaded') when there is none. */
  async request(keys: Dictionary): Promise<Dictionary> {
    if (this.#closed || this.#waiting.length >= maxWaiting) throw unavailable('takes no more requests')
    const cookie = `${this.#prefix}_${(this.#count++).toString(36)}`
    const bytes = Buffer.concat([Buffer.from(`${cookie} `), writeBencode(keys)])
    if (bytes.length > maxBytes) throw new Failure('not-acceptable', 'a session description longer than a datagram')
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ cookie, bytes, resolve, reject, sent: 0, timer: undefined })
      this.#sendNext()
    })
  }

  /** What is under way fails. */
  close(): void {
    this.#closed = true
    for (const cookie of this.#sent.keys()) this.#take(cookie)?.reject(unavailable('is no longer asked'))
    this.#failWaiting('is no longer asked')
    this.#dropSocket()
  }

  #sendNext(): void {
    if (this.#sent.size >= window) return
    const request = this.#waiting.shift()
    if (request === undefined) return
    this.#sent.set(request.cookie, request)
    this.#transmit(request)
  }

  #transmit(request: Request): void {
    const wait = this.#waits[request.sent++]
    if (wait === undefined) {
      this.#giveUp(request)
      return
    }
    request.timer = setTimeout(() => this.#transmit(request), wait)
    this.#socket ??= this.#open()
    this.#socket.then((socket) => socket.send(request.bytes, ignore), ignore)
  }

  /** It is away, and what waits would wait in vain. Its name may have another address by now: the next request looks. */
  #giveUp(request: Request): void {
    this.#waits = doubtful
    this.#dropSocket()
    this.#take(request.cookie)?.reject(unavailable('does not answer'))
    this.#failWaiting('does not answer')
  }

  #failWaiting(note: string): void {
    for (const waiting of this.#waiting.splice(0)) waiting.reject(unavailable(note))
  }

  async #open(): Promise<Socket> {
    const { host, port } = this.#needs
    try {
      const { address, family } = await lookup(host)
      return await this.#connected(createSocket(family === 6 ? 'udp6' : 'udp4'), address, port)
    } catch (err) {
      this.#socket = undefined
      throw err
    }
  }

  async #connected(socket: Socket, address: string, port: number): Promise<Socket> {
    socket.on('message', (bytes) => this.#receive(bytes))
    try {
      socket.connect(port, address)
      await once(socket, 'connect')
    } catch (err) {
      socket.close()
      throw err
    }
    socket.on('error', ignore) // ICMP says that nobody listens: it may come back before the last transmission
    return socket
  }

  #dropSocket(): void {
    this.#socket?.then((socket) => socket.close(), ignore)
    this.#socket = undefined
  }

  #receive(bytes: Buffer): void {
    const space = bytes.indexOf(' ')
    const request = this.#take(bytes.toString('latin1', 0, Math.max(space, 0)))
    if (request === undefined) return // the reply to a request that was sent twice, or nobody's
    this.#waits = usual
    this.#sendNext()
    try {
      const reply = readBencode(bytes.subarray(space + 1))
      if (isDictionary(reply)) request.resolve(reply)
      else request.reject(unavailable('answers with what is no dictionary'))
    } catch (err) {
      request.reject(unavailable('answers with what is not bencode', err))
    }
  }

  #take(cookie: string): Request | undefined {
    const request = this.#sent.get(cookie)
    clearTimeout(request?.timer)
    this.#sent.delete(cookie)
    return request
  }
}

const unavailable = (note: string, cause?: unknown) =>
  new Failure('overloaded', `rtpengine ${note}`, { retryAfter, cause })

function ignore(): void {}
