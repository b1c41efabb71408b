import { randomBytes } from 'node:crypto'
import { Failure } from '../../failure.ts'
import { writeByteRange } from '../../protocols/msrp/byte-range.ts'
import type { FailureReport } from '../../protocols/msrp/send-request.ts'
import { commentOf, type Status } from '../../protocols/msrp/status.ts'
import { ChunkWriter, type Destination, type Pending } from './chunk-writer.ts'

/** A message that this server sends itself. */
export interface OutgoingMessage {
  readonly contentType: string
  readonly body: Buffer | AsyncIterable<Buffer>
  /** Bytes of the body, where it is no Buffer and its size is known. */
  readonly size?: number
  readonly messageId?: string
  /** The peer is to report when it has all. */
  readonly successReport?: boolean
  readonly failureReport?: FailureReport
  /** More fields; the value is text. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
}

/** The session that a message goes out on. */
export interface SendingSession extends Destination {
  readonly ready: boolean
  readonly closed: boolean
  whenReady(): Promise<boolean>
}

/** A chunk is not larger than this, since some peers keep each one in memory. */
const chunkBytes = 64 * 1024

/** Sends a message in chunks, as fast as the peer takes them. Resolves with its status: 481 when the session is closed. */
export function sendMessage(to: SendingSession, message: OutgoingMessage, signal?: AbortSignal): Promise<Status> {
  const { body } = message
  const size = Buffer.isBuffer(body) ? body.length : message.size
  const fields = fieldsOf(message, size)
  const answer = new Answer(message.failureReport ?? 'yes')
  const writer = new ChunkWriter(to)
  writer.begin(fields, { start: 1, ...(size !== undefined && { total: size }) }, answer.pending)
  if (Buffer.isBuffer(body) && body.length <= chunkBytes && to.ready && !to.closed) {
    if (body.length > 0) writer.piece(body)
    writer.end('$')
    answer.ended()
  } else {
    sendPieces(to, writer, answer, body, signal).catch((err) => {
      writer.end('#')
      answer.fail(err)
    })
  }
  return answer.status
}

async function sendPieces(
  to: SendingSession,
  writer: ChunkWriter,
  answer: Answer,
  body: Buffer | AsyncIterable<Buffer>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const piece of Buffer.isBuffer(body) ? [body] : body) {
    for (let at = 0; at < piece.length; at += chunkBytes) {
      if (!(await to.whenReady())) return answer.answered(481)
      if (signal?.aborted || answer.done) return writer.end('#') // the peer wants no more of it, or we do not
      writer.interrupt()
      writer.piece(piece.subarray(at, at + chunkBytes))
    }
  }
  if (!(await to.whenReady())) return answer.answered(481)
  writer.end('$')
  answer.ended()
}

/** What becomes of a message, out of the responses to its parts. */
class Answer implements Pending {
  readonly status: Promise<Status>
  readonly partial: boolean
  readonly #wanted: boolean
  #resolve: (status: Status) => void = () => {}
  #reject: (err: unknown) => void = () => {}
  #parts = 0
  #ended = false
  done = false

  constructor(reports: FailureReport) {
    this.#wanted = reports === 'yes'
    this.partial = reports === 'partial'
    this.status = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** Undefined where no response will come. */
  get pending(): Pending | undefined {
    return this.#wanted || this.partial ? this : undefined
  }

  begun(): void {
    this.#parts++
  }

  answered(code: number): void {
    this.#parts--
    if (code !== 200) this.#finish(code)
    else this.#check()
  }

  /** All is written. */
  ended(): void {
    this.#ended = true
    this.#check()
  }

  fail(err: unknown): void {
    this.done = true
    this.#reject(err)
  }

  #check(): void {
    if (this.#ended && (!this.#wanted || this.#parts === 0)) this.#finish(200)
  }

  #finish(code: number): void {
    if (this.done) return
    this.done = true
    this.#resolve({ code, comment: commentOf(code) })
  }
}

/** Content-Type comes last (RFC 4975 §9). */
function fieldsOf(message: OutgoingMessage, size: number | undefined): string {
  const { messageId = randomBytes(10).toString('hex'), contentType, successReport, failureReport } = message
  const range = { start: 1, ...(size !== undefined && { end: size, total: size }) }
  const fields = [
    ['Message-ID', messageId],
    ['Byte-Range', writeByteRange(range)],
    ...(successReport ? [['Success-Report', 'yes']] : []),
    ...(failureReport === undefined ? [] : [['Failure-Report', failureReport]]),
    ...(message.headers ?? []),
    ['Content-Type', contentType],
  ]
  return fields.map(([name = '', value = '']) => fieldLine(name, value)).join('')
}

function fieldLine(name: string, value: string): string {
  if (/[\r\n]/.test(name + value)) throw new Failure('malformed', `${name} has a line break`)
  return `${name}: ${Buffer.from(value).toString('latin1')}\r\n`
}
