import { type ByteRange, writeByteRange } from '../../protocols/msrp/byte-range.ts'
import type { Continuation, FrameHead } from '../../protocols/msrp/frame.ts'
import { MalformedMsrp } from '../../protocols/msrp/malformed-msrp.ts'
import { readMessageFields, wantsSuccessReport } from '../../protocols/msrp/send-request.ts'
import { readStatus, type Status, writeStatus } from '../../protocols/msrp/status.ts'
import { Coverage } from './coverage.ts'
import type { MsrpLimits } from './limits.ts'
import type { Chunk, Receiver } from './receiver.ts'

/** A message that begins to come. */
export interface IncomingMessage {
  readonly messageId: string
  readonly contentType: string
  /** Bytes of all of it, when the sender knows. */
  readonly size: number | undefined
  readonly head: FrameHead
}

/** What a REPORT tells about a message that was sent. */
export interface IncomingReport {
  readonly messageId: string
  readonly range: ByteRange
  readonly status: Status
}

/** Where the bytes of one message go. */
export interface MessageSink {
  /** Bytes that belong at `offset`, counted from 0; they may come in any order. A promise slows the sender. */
  write(bytes: Buffer, offset: number): void | Promise<void>
  /** All has come. The status is the sender's answer, once it is there: 200 when all is well. */
  complete(): number | Promise<number>
  /** It will not be complete: the sender gave up, or the session ended. */
  abandoned(): void
}

/** Takes in the messages of a session. */
export interface Intake {
  /** A sink, or the status with which the message is refused. */
  begin(message: IncomingMessage): MessageSink | number
  report?(report: IncomingReport): void
}

/** What the receiver needs of its session. */
export interface ReceivingSession {
  respond(request: FrameHead, status: number): void
  refuse(status: number): void
  report(fields: string): void
  holdFor(work: Promise<unknown>): void
}

interface Message {
  readonly sink: MessageSink
  readonly coverage: Coverage
  total: number | undefined
}

/** Pieces of one message that do not touch; a sender that leaves more holes is refused. */
const maxHoles = 1000

/** Tells apart the messages of a session, whose chunks come interleaved and in any order (RFC 4975 §5.1, §7.3.1). */
export class MessageReceiver implements Receiver {
  readonly #session: ReceivingSession
  readonly #intake: Intake
  readonly #limits: MsrpLimits
  readonly #messages = new Map<string, Message>()
  #chunk: Chunk | undefined
  #message: Message | undefined
  /** Where the next byte belongs, from 0. */
  #offset = 0

  constructor(session: ReceivingSession, intake: Intake, limits: MsrpLimits) {
    this.#session = session
    this.#intake = intake
    this.#limits = limits
  }

  begin(chunk: Chunk): number {
    const message = this.#messages.get(chunk.messageId) ?? this.#newMessage(chunk)
    if (typeof message === 'number') return message
    message.total ??= chunk.range.total
    this.#chunk = chunk
    this.#message = message
    this.#offset = chunk.range.start - 1
    return 200
  }

  piece(bytes: Buffer): void {
    const message = this.#message
    if (message === undefined) return
    if (message.total !== undefined && this.#offset + bytes.length > message.total) {
      this.#session.refuse(400)
      return
    }
    const done = message.sink.write(bytes, this.#offset)
    this.#cover(message, this.#offset, bytes.length)
    if (done !== undefined) this.#await(done)
  }

  end(flag: Continuation): void {
    const [chunk, message] = [this.#chunk, this.#message]
    this.#message = undefined
    if (chunk === undefined || message === undefined) return
    if (flag === '#') this.#abandon(chunk.messageId)
    else if (flag === '$') message.total ??= this.#offset
    if (flag === '#' || message.total === undefined || !message.coverage.covers(message.total)) {
      this.#session.respond(chunk.head, 200)
      return
    }
    this.#messages.delete(chunk.messageId)
    this.#complete(chunk, message, message.total)
  }

  /** What has come of the chunk counts; the message may go on in another one. */
  cut(): void {
    this.#message = undefined
  }

  report(head: FrameHead): void {
    const report = readReport(head)
    if (report !== undefined) this.#intake.report?.(report)
  }

  closed(): void {
    for (const { sink } of this.#messages.values()) sink.abandoned()
    this.#messages.clear()
    this.#message = undefined
  }

  #newMessage(chunk: Chunk): Message | number {
    if (this.#messages.size >= this.#limits.messagesAtOnce) return 413
    const { head, messageId, range } = chunk
    const contentType = head.field('content-type') ?? ''
    const sink = this.#intake.begin({ messageId, contentType, size: range.total, head })
    if (typeof sink === 'number') return sink
    const message = { sink, coverage: new Coverage(), total: range.total }
    this.#messages.set(messageId, message)
    return message
  }

  #cover(message: Message, offset: number, length: number): void {
    message.coverage.add(offset, offset + length)
    this.#offset = offset + length
    if (message.coverage.count > maxHoles) this.#fail(413)
  }

  /** Nothing more is read until the bytes are where they belong. */
  #await(done: Promise<void>): void {
    this.#session.holdFor(done.then(undefined, () => this.#fail(413)))
  }

  #fail(status: number): void {
    const chunk = this.#chunk
    if (chunk === undefined) return
    this.#session.refuse(status)
    this.#abandon(chunk.messageId)
  }

  #abandon(messageId: string): void {
    const message = this.#messages.get(messageId)
    this.#messages.delete(messageId)
    message?.sink.abandoned()
  }

  #complete(chunk: Chunk, message: Message, total: number): void {
    const status = message.sink.complete()
    if (typeof status === 'number') this.#answer(chunk, total, status)
    else {
      const answered = status.then(
        (later) => this.#answer(chunk, total, later),
        () => this.#answer(chunk, total, 413),
      )
      this.#session.holdFor(answered)
    }
  }

  /** RFC 4975 §7.1.3: a message that was asked to be is reported once it is all there. */
  #answer({ head, messageId }: Chunk, total: number, status: number): void {
    this.#session.respond(head, status)
    if (status !== 200 || !wantsSuccessReport(head)) return
    const range = writeByteRange({ start: 1, end: total, total })
    this.#session.report(`Message-ID: ${messageId}\r\nByte-Range: ${range}\r\nStatus: ${writeStatus(200)}\r\n`)
  }
}

function readReport(head: FrameHead): IncomingReport | undefined {
  try {
    return { ...readMessageFields(head), status: readStatus(head.field('status') ?? '') }
  } catch (err) {
    if (err instanceof MalformedMsrp) return undefined
    throw err
  }
}
