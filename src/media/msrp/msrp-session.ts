import { randomUUID } from 'node:crypto'
import { Failure } from '../../failure.ts'
import { type Continuation, type FrameHead, firstOfPath } from '../../protocols/msrp/frame.ts'
import { MalformedMsrp } from '../../protocols/msrp/malformed-msrp.ts'
import { type MsrpUri, readMsrpUri } from '../../protocols/msrp/msrp-uri.ts'
import { failureReportOf, type MessageFields, readMessageFields } from '../../protocols/msrp/send-request.ts'
import type { Status } from '../../protocols/msrp/status.ts'
import { writeFrameEnd, writeFrameHead, writeResponse } from '../../protocols/msrp/write-frame.ts'
import type { Destination, Pending } from './chunk-writer.ts'
import type { FrameTarget, MsrpConnection } from './connection.ts'
import type { MsrpCounters } from './counters.ts'
import { type Fingerprint, showsOneOf } from './fingerprint.ts'
import { type Intake, MessageReceiver } from './intake.ts'
import type { MsrpLimits } from './limits.ts'
import { type OutgoingMessage, sendMessage } from './outgoing-message.ts'
import type { Receiver } from './receiver.ts'

/** Before a lost connection is opened again; each time after that, twice as long. */
const redialMs = 250

/** What the answer said of the other end. */
export interface Remote {
  /** The value of `a=path`, one URI each. */
  readonly path: readonly string[]
  /** What this server is (RFC 6135): active connects, passive waits. */
  readonly setup: 'active' | 'passive'
  /** Which certificate the peer must show (RFC 8122); any one of them. */
  readonly fingerprints?: readonly Fingerprint[]
  /** Where to connect to, when not where the path says (RFC 6714: the m= and c= lines). */
  readonly address?: { readonly host: string; readonly port: number }
  /** Bytes of one message that it may send; undefined: as many as the session was opened for. */
  readonly messageBytes?: number | undefined
}

/** Why a session ended. */
export type ClosedBy = 'close' | 'connection-lost' | 'oversize' | 'shutdown'

export interface SessionOptions {
  readonly id: string
  readonly path: string
  readonly secure: boolean
  /** Bytes of one message. */
  readonly messageBytes: number
  readonly host: SessionHost
}

/** What all sessions share: one object, since there are many of them. */
export interface SessionHost {
  readonly limits: MsrpLimits
  readonly counters: MsrpCounters
  now(): number
  connect(to: MsrpUri, remote: Remote): Promise<MsrpConnection>
  /** It has requests that wait for a response: call `expire` now and then. */
  onExpecting(session: MsrpSession): void
  onClosed(session: MsrpSession): void
}

interface Transaction {
  readonly pending: Pending
  /** When all of it was written; Infinity before. */
  since: number
}

/** One end of a message session: a path of our own, and the peer that sends to it (RFC 4975). */
export class MsrpSession implements FrameTarget, Destination {
  readonly path: string
  readonly id: string
  /** Called once, whatever ended it. */
  onClosed: ((by: ClosedBy) => void) | undefined
  /** The connection is gone; it may come back for `returnMs`. */
  onLost: (() => void) | undefined
  /** A request of the peer was answered with that status, which is not 200. */
  onRefused: ((status: number) => void) | undefined
  readonly #options: SessionOptions
  readonly #host: SessionHost
  readonly #transactionPrefix = randomUUID().replaceAll('-', '').slice(0, 20)
  readonly #transactions = new Map<string, Transaction>()
  #transactionCount = 0
  #remote: Remote | undefined
  #remotePath = ''
  #connection: MsrpConnection | undefined
  #receiver: Receiver | undefined
  #closed = false
  /** A SEND that came before the session could take it. */
  #early: FrameHead | undefined
  /** What the frame being read is: a chunk that the receiver has, one that was refused, or something without a body. */
  #taking: 'chunk' | 'refused' | 'nothing' = 'nothing'
  #request: FrameHead | undefined
  /** Bytes of the message up to here, and of refused chunks. */
  #position = 0
  #refusedBytes = 0
  #absence: NodeJS.Timeout | undefined
  #redialing: NodeJS.Timeout | undefined
  readonly #slowed = new Set<MsrpConnection>()
  #waiting: (() => void)[] = []

  constructor(options: SessionOptions) {
    this.#options = options
    this.#host = options.host
    this.id = options.id
    this.path = options.path
  }

  get remotePath(): string {
    return this.#remotePath
  }

  get connection(): MsrpConnection | undefined {
    return this.#connection
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Whether more can be sent now. A closed session takes anything, for nothing. */
  get ready(): boolean {
    const connection = this.#connection
    if (this.#closed) return true
    return connection !== undefined && !connection.clogged && this.#transactions.size < this.#host.limits.transactions
  }

  /** What the other end answered. Active: connects, and rejects with Failure('unreachable') when that cannot be. */
  async connect(remote: Remote): Promise<void> {
    const first = readRemote(remote)
    this.#remote = remote
    this.#remotePath = remote.path.join(' ')
    if (this.#connection !== undefined && !this.#suits(this.#connection)) this.#connection.drop('certificate')
    if (remote.setup === 'active' && this.#connection === undefined) await this.#connectTo(first, remote)
    this.#takeEarly()
  }

  /** Gives what comes to `receiver`. What came earlier waits until now. */
  attach(receiver: Receiver): void {
    this.#receiver = receiver
    this.#takeEarly()
  }

  /** Takes in the messages that come. */
  receive(intake: Intake): void {
    this.attach(new MessageReceiver(this, intake, this.#host.limits))
  }

  /** Resolves with the status that the peer gave, 408 when it gave none, 481 when the session ended. */
  send(message: OutgoingMessage, signal?: AbortSignal): Promise<Status> {
    return sendMessage(this, message, signal)
  }

  /** Resolves when more can be sent; false: the session is closed. */
  async whenReady(): Promise<boolean> {
    while (!this.ready) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return !this.#closed
  }

  /** Keeps `source` from sending until this session can take more. */
  slow(source: MsrpConnection): void {
    this.#slowed.add(source)
    source.hold(this)
  }

  /** Answers a request of the peer, wherever its connection is now; a success only to who wants to hear of it. */
  respond(request: FrameHead, status: number): void {
    const wanted = failureReportOf(request)
    if (status !== 200) this.#refused(status)
    if (wanted === 'no' || (wanted === 'partial' && status === 200)) return
    const { transactionId, fromPath } = request
    this.#connection?.writeFrame(writeResponse(transactionId, status, firstOfPath(fromPath), this.path))
  }

  #refused(status: number): void {
    this.#host.counters.refused(status)
    if (this.onRefused !== undefined) setImmediate(this.onRefused, status)
  }

  /** Reads nothing of the peer until `work` is done. */
  holdFor(work: Promise<unknown>): void {
    const connection = this.#connection
    connection?.hold(work)
    const release = () => connection?.release(work)
    work.then(release, release)
  }

  /** Refuses the chunk being read; its rest is passed over. */
  refuse(status: number): void {
    const request = this.#request
    if (request === undefined || this.#taking !== 'chunk') return
    this.#taking = 'refused'
    this.#receiver?.cut()
    this.respond(request, status)
  }

  /** A REPORT about what the peer sent. `fields` are whole lines. */
  report(fields: string): void {
    this.#writeRequest('REPORT', this.newTransactionId(), fields)
  }

  close(): void {
    this.closeBy('close')
  }

  closeBy(by: ClosedBy): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#absence)
    clearTimeout(this.#redialing)
    const connection = this.#connection
    this.#failAll(481)
    this.#cut()
    this.#receiver?.closed()
    this.#receiver = undefined
    this.#early = undefined
    this.#connection = undefined
    connection?.unbind(this)
    this.relieve()
    this.#host.onClosed(this)
    this.onClosed?.(by)
  }

  newTransactionId(): string {
    return `${this.#transactionPrefix}${(++this.#transactionCount).toString(36)}`
  }

  expect(transactionId: string, pending: Pending): void {
    if (this.#transactions.size === 0) this.#host.onExpecting(this)
    this.#transactions.set(transactionId, { pending, since: Number.POSITIVE_INFINITY })
  }

  sent(transactionId: string): void {
    const transaction = this.#transactions.get(transactionId)
    if (transaction !== undefined) transaction.since = this.#host.now()
  }

  /** Gives up requests that the peer has not answered in time. False: none is left (RFC 4975 §7.1). */
  expire(now: number): boolean {
    const { transactionMs } = this.#host.limits
    for (const [id, { pending, since }] of this.#transactions) {
      if (since === Number.POSITIVE_INFINITY) continue
      if (now - since < transactionMs) break
      this.#transactions.delete(id)
      if (!pending.partial) pending.answered(408)
    }
    if (this.#slowed.size > 0 || this.#waiting.length > 0) this.relieve()
    return this.#transactions.size > 0
  }

  begin(head: FrameHead, connection: MsrpConnection): void {
    this.#taking = 'nothing'
    if (head.method === '') {
      if (connection === this.#connection) this.#answered(head)
      return
    }
    const status = this.#connection === connection ? 200 : this.#bind(connection)
    if (status !== 200) connection.refuse(head, status)
    else if (head.method === 'SEND') this.#beginSend(head, connection)
    else if (head.method === 'REPORT') this.#beginReport(head)
    else connection.refuse(head, 501)
  }

  piece(bytes: Buffer): void {
    if (this.#taking === 'chunk') {
      this.#position += bytes.length
      if (this.#position <= this.#messageBytes) this.#receiver?.piece(bytes)
      else this.refuse(413)
    }
    if (this.#taking === 'refused') this.#passOver(bytes.length)
  }

  end(flag: Continuation): void {
    if (this.#taking === 'chunk') this.#receiver?.end(flag)
    this.#taking = 'nothing'
    this.#request = undefined
  }

  relieve(): void {
    if (!this.ready) return
    for (const source of [...this.#slowed]) {
      this.#slowed.delete(source)
      source.release(this)
    }
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  lost(): void {
    this.#connection = undefined
    this.#early = undefined
    this.#cut()
    this.#failAll(408)
    if (this.#closed) return
    this.#absence = setTimeout(() => this.closeBy('connection-lost'), this.#host.limits.returnMs)
    this.#redial(redialMs)
    this.onLost?.()
  }

  /** Who opened the connection opens it again (RFC 4145 §5). */
  #redial(wait: number): void {
    const remote = this.#remote
    if (remote?.setup !== 'active' || this.#closed) return
    this.#redialing = setTimeout(() => {
      if (this.#connection !== undefined) return
      this.#connectTo(readRemote(remote), remote).catch(() => this.#redial(2 * wait))
    }, wait)
  }

  /** 200: the connection is now that of this session. */
  #bind(connection: MsrpConnection): number {
    if (this.#connection !== undefined) return 506
    if (!this.#suits(connection)) return 403
    clearTimeout(this.#absence)
    this.#connection = connection
    connection.bind(this)
    this.relieve()
    return 200
  }

  /** Whether the connection is as the session description promised (RFC 4975 §14.1, RFC 8122 §6). */
  #suits(connection: MsrpConnection): boolean {
    if (connection.secure !== this.#options.secure) return false
    const fingerprints = this.#remote?.fingerprints
    return fingerprints === undefined || showsOneOf(connection.wire.socket, fingerprints)
  }

  async #connectTo(first: MsrpUri, remote: Remote): Promise<void> {
    const connection = await this.#host.connect(first, remote)
    if (this.#closed || this.#connection !== undefined) {
      connection.unbind(this)
      return
    }
    clearTimeout(this.#absence)
    this.#connection = connection
    connection.bind(this)
    this.probe()
    this.relieve()
  }

  /** A SEND without body: binds the connection at the other end, and keeps it open (RFC 4975 §5.4). */
  probe(): void {
    const id = this.newTransactionId()
    this.expect(id, probed)
    const range = '1-0/0'
    this.#writeRequest('SEND', id, `Message-ID: ${id}\r\nByte-Range: ${range}\r\n`)
    this.sent(id)
  }

  #writeRequest(method: string, transactionId: string, fields: string): void {
    const { remotePath: toPath, path: fromPath } = this
    const head = writeFrameHead({ method, transactionId, toPath, fromPath, fields, hasBody: false })
    this.#connection?.writeFrame(`${head}${writeFrameEnd(transactionId, '$', false)}`)
  }

  #beginSend(head: FrameHead, connection: MsrpConnection): void {
    this.#host.counters.received('SEND')
    if (!head.hasBody) this.respond(head, 200)
    else if (this.#receiver === undefined || this.#remote === undefined) {
      this.#early = head
      connection.hold(this)
    } else this.#beginChunk(head, this.#receiver)
  }

  #beginChunk(head: FrameHead, receiver: Receiver): void {
    const fields = messageFields(head)
    this.#request = head
    const status = fields === undefined ? 400 : this.#statusFor(fields)
    this.#taking = status === 200 ? 'chunk' : 'refused'
    if (fields === undefined || status !== 200) {
      this.respond(head, status)
      return
    }
    this.#position = fields.range.start - 1
    const answer = receiver.begin({ head, ...fields })
    if (answer !== 200) this.refuse(answer)
  }

  #statusFor({ range }: MessageFields): number {
    return Math.max(range.start - 1, range.end ?? 0, range.total ?? 0) > this.#messageBytes ? 413 : 200
  }

  get #messageBytes(): number {
    return this.#remote?.messageBytes ?? this.#options.messageBytes
  }

  #beginReport(head: FrameHead): void {
    this.#host.counters.received('REPORT')
    this.#receiver?.report(head)
  }

  #takeEarly(): void {
    const head = this.#early
    const receiver = this.#receiver
    if (head === undefined || receiver === undefined || this.#remote === undefined) return
    this.#early = undefined
    this.#beginChunk(head, receiver)
    this.#connection?.release(this)
  }

  #answered(head: FrameHead): void {
    const transaction = this.#transactions.get(head.transactionId)
    if (transaction === undefined) return
    this.#transactions.delete(head.transactionId)
    transaction.pending.answered(head.status)
    if (this.#slowed.size > 0 || this.#waiting.length > 0) this.relieve()
  }

  #failAll(status: number): void {
    const transactions = [...this.#transactions.values()]
    this.#transactions.clear()
    for (const { pending } of transactions) pending.answered(status)
  }

  #cut(): void {
    if (this.#taking === 'chunk') this.#receiver?.cut()
    this.#taking = 'nothing'
    this.#request = undefined
  }

  /** A sender that was told 413 is to stop; one that goes on and on is cut off. */
  #passOver(bytes: number): void {
    this.#refusedBytes += bytes
    if (this.#refusedBytes <= this.#host.limits.refusedBytes) return
    const connection = this.#connection
    const alone = connection?.sessionCount === 1
    this.closeBy('oversize')
    if (alone) connection.endFor('oversize')
  }
}

const probed: Pending = { partial: false, begun() {}, answered() {} }

function messageFields(head: FrameHead): MessageFields | undefined {
  try {
    return readMessageFields(head)
  } catch (err) {
    if (err instanceof MalformedMsrp) return undefined
    throw err
  }
}

function readRemote(remote: Remote): MsrpUri {
  try {
    return remote.path.map(readMsrpUri)[0] as MsrpUri
  } catch (cause) {
    throw new Failure('malformed', 'a=path', { cause })
  }
}
