import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type Challenge, readChallenge, writeCredentials } from '../support/phone-digest.ts'
import { readSipText, SipText } from '../support/sip-text.ts'

export interface LoadOptions {
  readonly domain: string
  readonly server: { readonly address: string; readonly port: number }
  /** Names of the users; the password of NAME is NAME-secret. */
  readonly users: readonly string[]
}

export interface LoadCounts {
  sent: number
  acknowledged: number
  /** Answered otherwise, or not at all. */
  failed: number
  delivered: number
  /** Delivered once more: the answer to the first was lost, or the server was. */
  again: number
  retransmissions: number
}

interface UnderWay {
  readonly bytes: Buffer
  readonly sentAt: number
  tries: number
  resendAt: number
  readonly onFinal: (response: SipText | undefined) => void
}

const t1 = 500
const t2 = 4000
const timeout = 64 * t1
const mostTimes = 20_000
/** How long a delivered message is known, to tell a second copy. */
const remembered = 50_000

/**
 * Many phones on one UDP socket, and one sender whom the server trusts. What it keeps is bounded by what is under way, so
 * that it can run for hours.
 */
export class UdpLoad {
  readonly counts: LoadCounts = { sent: 0, acknowledged: 0, failed: 0, delivered: 0, again: 0, retransmissions: 0 }
  readonly #options: LoadOptions
  readonly #socket: Socket
  readonly #underWay = new Map<string, UnderWay>()
  /** Messages that were acknowledged and not delivered yet, or the other way round. */
  readonly #acknowledged = new Set<string>()
  readonly #delivered = new Set<string>()
  readonly #challenges = new Map<string, Challenge>()
  readonly #resending: NodeJS.Timeout
  readonly #run = Math.random().toString(36).slice(2)
  #times: number[] = []
  #next = 0

  static async open(options: LoadOptions): Promise<UdpLoad> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4_194_304, sendBufferSize: 4_194_304 })
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new UdpLoad(options, socket)
  }

  private constructor(options: LoadOptions, socket: Socket) {
    this.#options = options
    this.#socket = socket
    socket.on('message', (bytes) => this.#take(bytes))
    socket.on('error', () => {}) // the server is away for a moment: what was sent is sent again
    this.#resending = setInterval(() => this.#resend(), 100)
  }

  /** Acknowledged with a 2xx, and not at any device yet. */
  get waiting(): number {
    return this.#acknowledged.size
  }

  /** Milliseconds from a message to its answer, since it was asked the time before. */
  takeTimes(): number[] {
    const times = this.#times
    this.#times = []
    return times
  }

  /** Registers, or with 0 seconds unregisters, a user. Rejects when the server refuses. */
  async register(user: string, seconds: number): Promise<void> {
    for (let tries = 0; tries < 3; tries++) {
      const response = await this.#transact(
        'REGISTER',
        `sip:${this.#options.domain}`,
        this.#registration(user, seconds),
      )
      if (response?.status === 200) return
      const challenge = response?.header('WWW-Authenticate')
      if (challenge === undefined) throw new Error(`${user} could not register: ${response?.start ?? 'no answer'}`)
      this.#challenges.set(user, readChallenge(challenge))
    }
    throw new Error(`${user} could not register: wrong credentials`)
  }

  /** Sends a message from one user to another; counts what becomes of it. */
  message(from: string, to: string): void {
    const { domain } = this.#options
    const id = `${this.#run}-${this.#next++}`
    const fields: [string, string][] = [
      ['From', `<sip:${from}@${domain}>;tag=${id}`],
      ['To', `<sip:${to}@${domain}>`],
      ['Call-ID', id],
      ['CSeq', '1 MESSAGE'],
      ['P-Asserted-Identity', `<sip:${from}@${domain}>`],
      ['Content-Type', 'text/plain;charset=UTF-8'],
    ]
    const sentAt = Date.now()
    this.counts.sent++
    const body = Buffer.from(`Hello from the load generator, message ${id}.`)
    void this.#transact('MESSAGE', `sip:${to}@${domain}`, fields, body).then((response) => {
      if (this.#times.length < mostTimes) this.#times.push(Date.now() - sentAt)
      this.#answered(id, response?.status ?? 408)
    })
  }

  close(): void {
    clearInterval(this.#resending)
    for (const { onFinal } of this.#underWay.values()) onFinal(undefined)
    this.#underWay.clear()
    this.#socket.close()
  }

  #registration(user: string, seconds: number): [string, string][] {
    const { domain } = this.#options
    const challenge = this.#challenges.get(user)
    const uri = `sip:${domain}`
    const request = { method: 'REGISTER', uri, username: user, password: `${user}-secret` }
    return [
      ['From', `<sip:${user}@${domain}>;tag=${this.#run}`],
      ['To', `<sip:${user}@${domain}>`],
      ['Call-ID', `${this.#run}-${user}`],
      ['CSeq', `${this.#next++} REGISTER`],
      ['Contact', `<sip:${user}@127.0.0.1:${this.#port}>;expires=${seconds}`],
      ...(challenge ? [['Authorization', writeCredentials(challenge, request)] as [string, string]] : []),
    ]
  }

  get #port(): number {
    return this.#socket.address().port
  }

  #transact(method: string, uri: string, fields: [string, string][], body?: Buffer): Promise<SipText | undefined> {
    const branch = `z9hG4bK${this.#run}${this.#next++}`
    const via: [string, string] = ['Via', `SIP/2.0/UDP 127.0.0.1:${this.#port};branch=${branch};rport`]
    const bytes = new SipText(`${method} ${uri} SIP/2.0`, [via, ['Max-Forwards', '70'], ...fields], body).toBytes()
    const now = Date.now()
    return new Promise((resolve) => {
      this.#underWay.set(branch, { bytes, sentAt: now, tries: 1, resendAt: now + t1, onFinal: resolve })
      this.#send(bytes)
    })
  }

  #send(bytes: Buffer): void {
    this.#socket.send(bytes, this.#options.server.port, this.#options.server.address)
  }

  #resend(): void {
    const now = Date.now()
    for (const [branch, request] of this.#underWay) {
      if (now - request.sentAt > timeout) this.#finish(branch, undefined)
      else if (now >= request.resendAt) {
        this.counts.retransmissions++
        request.resendAt = now + Math.min(t2, t1 * 2 ** request.tries++)
        this.#send(request.bytes)
      }
    }
  }

  #take(bytes: Buffer): void {
    const read = readSipText(bytes, true)
    if (read === undefined) return
    const { message } = read
    if (message.isRequest) this.#receive(message)
    else if (message.status >= 200) this.#finish(branchOf(message), message)
  }

  #finish(branch: string, response: SipText | undefined): void {
    const request = this.#underWay.get(branch)
    this.#underWay.delete(branch)
    request?.onFinal(response)
  }

  #answered(id: string, status: number): void {
    if (status >= 300) {
      this.counts.failed++
      return
    }
    this.counts.acknowledged++
    if (!this.#delivered.has(id)) this.#acknowledged.add(id)
  }

  #receive(request: SipText): void {
    const copied = request.headers.filter(([name]) => /^(via|from|to|call-id|cseq)$/i.test(name))
    const tagged = copied.map(([name, value]) => [name, /^to$/i.test(name) ? `${value};tag=load` : value] as const)
    this.#send(new SipText('SIP/2.0 200 OK', tagged).toBytes())
    if (request.method === 'MESSAGE') this.#deliver(request.header('Call-ID') ?? '')
  }

  #deliver(id: string): void {
    if (this.#delivered.has(id)) {
      this.counts.again++
      return
    }
    this.counts.delivered++
    this.#acknowledged.delete(id)
    this.#delivered.add(id)
    const [oldest = ''] = this.#delivered
    if (this.#delivered.size > remembered) this.#delivered.delete(oldest)
  }
}

const branchOf = (message: SipText): string => /branch=([^;,\s]+)/i.exec(message.header('Via') ?? '')?.[1] ?? ''
