import { randomBytes, randomUUID } from 'node:crypto'
import { type Challenge, readChallenge, writeCredentials } from './phone-digest.ts'
import { SipText } from './sip-text.ts'
import { type LocalEnd, openWire, type Place, type Wire } from './wire.ts'

export interface PhoneOptions {
  readonly user: string
  readonly domain: string
  readonly password?: string
  readonly place: Place
  readonly local?: LocalEnd
}

/** Header fields of a request; they replace the phone's own of that name, `undefined` leaves one out. */
export type HeaderFields = Readonly<Record<string, string | readonly string[] | undefined>>

export interface RequestOptions {
  readonly headers?: HeaderFields
  readonly contentType?: string
  readonly body?: Buffer | string
  readonly from?: string
  readonly to?: string
  /** False: a challenge is returned and not answered. */
  readonly authenticate?: boolean
  /** The request as it goes out; again when it is repeated with credentials. */
  readonly onSent?: (request: SipText) => void
  readonly onProvisional?: (response: SipText) => void
}

export interface RegisterOptions extends RequestOptions {
  readonly expires?: number
  /** The whole value of Contact. */
  readonly contact?: string
  /** Parameters behind the phone's own contact, such as `+g.3gpp.icsi-ref="…"`. */
  readonly params?: readonly string[]
  readonly instance?: string
  readonly regId?: number
}

export interface Reply {
  readonly status: number
  readonly reason?: string
  readonly headers?: HeaderFields
  readonly body?: Buffer
}

/** What a phone does with a request: a status, a whole reply, or no answer at all. */
export type Answer = (request: SipText) => number | Reply | 'silence' | Promise<number | Reply | 'silence'>

interface Waiter {
  readonly matches: (message: SipText) => boolean
  readonly resolve: (message: SipText) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

const patience = 30_000
const firstRetransmission = 500 // T1, RFC 3261 §17.1.2.2
const slowestRetransmission = 4_000 // T2

/** A SIP client with a socket of its own. It answers what it receives with `answer`, 200 unless told otherwise. */
export class Phone {
  readonly aor: string
  readonly user: string
  readonly domain: string
  /** Every request received, in order; a retransmission counts once. */
  readonly received: SipText[] = []
  /** Double CRLF keep-alives that were answered, and datagrams that are not SIP. */
  pongs = 0
  readonly others: Buffer[] = []
  answer: Answer = () => 200
  readonly #password: string | undefined
  readonly #wire: Wire
  readonly #closed: Promise<void>
  readonly #unread: SipText[] = []
  readonly #waiters = new Set<Waiter>()
  readonly #sent = new Map<string, (response: SipText) => void>()
  readonly #failed = new Map<string, (error: Error) => void>()
  readonly #provisional = new Map<string, (response: SipText) => void>()
  readonly #answered = new Map<string, Buffer | undefined>()
  readonly #invites = new Map<string, SipText>()
  readonly #challenges = new Map<string, Challenge>()
  readonly #registrationId = randomUUID()
  #cseq = 1
  #open = true

  /** Opens the phone's socket. */
  static async open(options: PhoneOptions): Promise<Phone> {
    const holder: { phone?: Phone } = {}
    let closed = () => {}
    const closing = new Promise<void>((resolve) => {
      closed = resolve
    })
    const wire = await openWire(
      options.place,
      {
        onMessage: (message) => holder.phone?.onMessage(message),
        onPong: () => holder.phone?.onPong(),
        onOther: (bytes) => holder.phone?.others.push(bytes),
        onClose: () => closed(),
      },
      options.local,
    )
    const phone = new Phone(options, wire, closing)
    holder.phone = phone
    return phone
  }

  private constructor(options: PhoneOptions, wire: Wire, closed: Promise<void>) {
    this.user = options.user
    this.domain = options.domain
    this.aor = `sip:${options.user}@${options.domain}`
    this.#password = options.password
    this.#wire = wire
    this.#closed = closed
  }

  get localPort(): number {
    return this.#wire.localPort
  }
  /** The URI of this phone's Contact. */
  get contact(): string {
    const transport = this.#wire.transport === 'wss' ? 'ws' : this.#wire.transport
    return `sip:${this.user}@${this.#wire.sentBy}${transport === 'udp' ? '' : `;transport=${transport}`}`
  }
  /** Resolves when the server closed the connection. */
  get disconnected(): Promise<void> {
    return this.#closed
  }

  register(options: RegisterOptions = {}): Promise<SipText> {
    const expires = options.expires ?? 600
    const params = [...(options.params ?? [])]
    if (options.instance !== undefined) params.push(`+sip.instance="<${options.instance}>"`)
    if (options.regId !== undefined) params.push(`reg-id=${options.regId}`)
    const contact = options.contact ?? [`<${this.contact}>`, ...params].join(';')
    return this.request('REGISTER', `sip:${this.domain}`, {
      ...options,
      to: options.to ?? `<${this.aor}>`,
      headers: {
        'Call-ID': this.#registrationId,
        Contact: contact,
        Expires: String(expires),
        Supported: 'path, outbound',
        ...options.headers,
      },
    })
  }

  /** Takes this phone's own binding away. */
  unregister(options: RegisterOptions = {}): Promise<SipText> {
    return this.register({ ...options, expires: 0 })
  }

  /** A pager message (RFC 3428); resolves to the final response. */
  message(to: string, body: Buffer | string, options: RequestOptions = {}): Promise<SipText> {
    return this.request('MESSAGE', to, { contentType: 'text/plain;charset=UTF-8', ...options, body })
  }

  /** Any request outside a dialog, with credentials when the server asks for them. */
  async request(method: string, uri: string, options: RequestOptions = {}): Promise<SipText> {
    const callId = randomUUID()
    for (let tries = 0; ; tries++) {
      const request = this.#build(method, uri, callId, options)
      options.onSent?.(request)
      if (options.onProvisional) this.#provisional.set(transactionOf(request), options.onProvisional)
      const response = await this.transact(request)
      if (response.status !== 401 && response.status !== 407) return response
      if (this.#password === undefined || options.authenticate === false || tries === 3) return response
      const refused = this.#challenges.get(challengedBy(response)) !== undefined && tries > 0
      const challenge = readChallenge(response.header(challengedBy(response)) ?? '')
      if (refused && !challenge.stale) return response
      this.#challenges.set(challengedBy(response), challenge)
    }
  }

  /** Sends a request as it stands, retransmits it over UDP, and resolves to its final response. */
  transact(request: SipText, timeout = patience + 5_000): Promise<SipText> {
    const transaction = transactionOf(request)
    if (request.method === 'INVITE') this.#invites.set(branchOf(request), request)
    const stop = this.#retransmit(request.toBytes())
    let timer: NodeJS.Timeout | undefined
    const final = new Promise<SipText>((resolve, reject) => {
      const late = () => reject(new Error(`${this.aor}: no final response to ${request.start} for ${timeout} ms`))
      timer = setTimeout(late, timeout)
      this.#sent.set(transaction, resolve)
      this.#failed.set(transaction, reject)
    })
    return unwatched(
      final.finally(() => {
        stop()
        clearTimeout(timer)
        this.#sent.delete(transaction)
        this.#failed.delete(transaction)
        this.#provisional.delete(transaction)
      }),
    )
  }

  /** Bytes as they are, for torture. */
  raw(bytes: Buffer | string): void {
    this.#wire.send(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** The next request of that method that nobody has taken yet. */
  receive(method: string, where: (message: SipText) => boolean = () => true, timeout = patience): Promise<SipText> {
    const matches = (message: SipText) => message.method === method && where(message)
    const at = this.#unread.findIndex(matches)
    if (at !== -1) return Promise.resolve(this.#unread.splice(at, 1)[0] as SipText)
    const received = new Promise<SipText>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter)
        reject(new Error(`${this.aor} waited ${timeout} ms for ${method}; received: ${this.#summary()}`))
      }, timeout)
      const waiter: Waiter = { matches, resolve, reject, timer }
      this.#waiters.add(waiter)
    })
    return unwatched(received)
  }

  /** Ends the phone's socket without a word to the server, as a device that lost its network. */
  close(): void {
    this.#open = false
    this.#wire.close()
    const gone = new Error(`${this.aor} was closed`)
    for (const waiter of this.#waiters) {
      clearTimeout(waiter.timer)
      waiter.reject(gone)
    }
    this.#waiters.clear()
    for (const fail of this.#failed.values()) fail(gone)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  /** @internal the wire calls these */
  onMessage(message: SipText): void {
    if (message.isRequest) {
      this.#onRequest(message).catch((error) => {
        if (this.#open) throw error // what an answer was still about when the phone was closed is nobody's affair
      })
    } else if (message.status < 200) this.#provisional.get(transactionOf(message))?.(message)
    else {
      if (message.status >= 300 && cseqMethodOf(message) === 'INVITE') this.#acknowledge(message)
      this.#sent.get(transactionOf(message))?.(message)
    }
  }
  onPong(): void {
    this.pongs += 1
  }

  async #onRequest(request: SipText): Promise<void> {
    const key = `${branchOf(request)} ${request.method}`
    if (this.#answered.has(key)) {
      const again = this.#answered.get(key)
      if (again !== undefined) this.raw(again)
      return
    }
    this.#answered.set(key, undefined)
    if (request.method === 'ACK') {
      this.#hand(request)
      return
    }
    this.received.push(request)
    this.#hand(request)
    const reply = await this.answer(request)
    if (reply === 'silence' || !this.#open) return
    const bytes = responseTo(request, typeof reply === 'number' ? { status: reply } : reply).toBytes()
    this.#answered.set(key, bytes)
    this.raw(bytes)
  }

  #hand(request: SipText): void {
    const waiter = [...this.#waiters].find((one) => one.matches(request))
    if (waiter === undefined) {
      this.#unread.push(request)
      return
    }
    clearTimeout(waiter.timer)
    this.#waiters.delete(waiter)
    waiter.resolve(request)
  }

  /** A refusal ends the INVITE transaction (RFC 3261 §17.1.1.3). */
  #acknowledge(refusal: SipText): void {
    const invite = this.#invites.get(branchOf(refusal))
    if (invite === undefined) return
    const lines = invite.headers.filter(([name]) => /^(via|max-forwards|from|call-id|route)$/i.test(name))
    const number = Number.parseInt(invite.header('CSeq') ?? '', 10)
    const own = [['To', refusal.header('To') ?? ''] as const, ['CSeq', `${number} ACK`] as const]
    this.raw(new SipText(`ACK ${invite.uri} SIP/2.0`, [...lines, ...own]).toBytes())
  }

  #build(method: string, uri: string, callId: string, options: RequestOptions): SipText {
    const from = options.from ?? `<${this.aor}>`
    const fields = new Map<string, readonly [string, string | readonly string[] | undefined]>()
    const set = (name: string, value: string | readonly string[] | undefined) =>
      fields.set(name.toLowerCase(), [name, value])
    set('Via', `SIP/2.0/${this.#wire.transport.toUpperCase()} ${this.#wire.sentBy};branch=${newBranch()};rport`)
    set('Max-Forwards', '70')
    set('From', from.includes(';tag=') ? from : `${from};tag=${randomBytes(6).toString('hex')}`)
    set('To', options.to ?? `<${uri}>`)
    set('Call-ID', callId)
    set('CSeq', `${this.#cseq++} ${method}`)
    if (options.contentType !== undefined) set('Content-Type', options.contentType)
    for (const [name, challenge] of this.#challenges) {
      if (options.authenticate === false || (name === 'WWW-Authenticate') !== (method === 'REGISTER')) continue
      set(credentialsFor[name] ?? '', this.#credentials(challenge, method, uri))
    }
    for (const [name, value] of Object.entries(options.headers ?? {})) set(name, value)
    const lines = [...fields.values()].flatMap(([name, value]) => asList(value).map((one) => [name, one] as const))
    return new SipText(`${method} ${uri} SIP/2.0`, lines, Buffer.from(options.body ?? ''))
  }

  #credentials(challenge: Challenge, method: string, uri: string): string {
    return writeCredentials(challenge, { method, uri, username: this.user, password: this.#password ?? '' })
  }

  #retransmit(bytes: Buffer): () => void {
    this.raw(bytes)
    if (this.#wire.transport !== 'udp') return () => {}
    let wait = firstRetransmission
    const again = () => {
      this.raw(bytes)
      wait = Math.min(wait * 2, slowestRetransmission)
      timer = setTimeout(again, wait)
    }
    let timer = setTimeout(again, wait)
    return () => clearTimeout(timer)
  }

  #summary(): string {
    return this.received.map((message) => message.start).join(', ') || 'nothing'
  }
}

const credentialsFor: Readonly<Record<string, string>> = {
  'WWW-Authenticate': 'Authorization',
  'Proxy-Authenticate': 'Proxy-Authorization',
}
const challengedBy = (response: SipText): string =>
  response.status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate'
export const newBranch = (): string => `z9hG4bK${randomBytes(9).toString('hex')}`
const branchOf = (message: SipText): string => /branch=([^;,\s]+)/i.exec(message.header('Via') ?? '')?.[1] ?? ''
const cseqMethodOf = (message: SipText): string => (message.header('CSeq') ?? '').split(' ')[1] ?? ''
/** A CANCEL has the branch of the INVITE that it is for. */
const transactionOf = (message: SipText): string => `${branchOf(message)} ${cseqMethodOf(message)}`
const asList = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === 'string' ? [value] : value

/** The response of a UAS (RFC 3261 §8.2.6.2). */
export function responseTo(request: SipText, reply: Reply): SipText {
  const copied = request.headers.filter(([name]) => /^(via|from|call-id|cseq)$/i.test(name))
  const to = request.header('To') ?? ''
  const tagged = /;tag=/i.test(to) || reply.status === 100 ? to : `${to};tag=${randomBytes(6).toString('hex')}`
  const own = Object.entries(reply.headers ?? {}).flatMap(([name, value]) =>
    asList(value).map((v) => [name, v] as const),
  )
  const reason = reply.reason ?? (reply.status < 300 ? 'OK' : 'Failure')
  return new SipText(`SIP/2.0 ${reply.status} ${reason}`, [...copied, ['To', tagged], ...own], reply.body)
}

/** A test may end before what it began without waiting for it; whoever does wait is told of a failure all the same. */
function unwatched<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
