import { type ByteRange, writeByteRange } from '../../protocols/msrp/byte-range.ts'
import type { Continuation } from '../../protocols/msrp/frame.ts'
import { writeFrameEnd, writeFrameHead } from '../../protocols/msrp/write-frame.ts'
import type { MsrpConnection, OpenChunk } from './connection.ts'

/** Waits for the responses to the parts of a chunk. */
export interface Pending {
  /** True: no response is as good as 200 (Failure-Report: partial). */
  readonly partial: boolean
  /** One more part is on its way. */
  begun(): void
  /** A part was answered, or will not be: 408, 481. */
  answered(status: number): void
}

/** Where chunks go. */
export interface Destination {
  readonly connection: MsrpConnection | undefined
  readonly path: string
  readonly remotePath: string
  newTransactionId(): string
  expect(transactionId: string, pending: Pending): void
  /** All of the request has been written: from now on time counts. */
  sent(transactionId: string): void
}

/** Up to this size a chunk is not interrupted (RFC 4975 §7.1.1), and written at once. */
const smallBytes = 2048
/** A peer on WebSocket has each frame whole in its memory. */
const framedBytes = 64 * 1024

const nothing = Buffer.alloc(0)

/** Writes a chunk, in as many SENDs as others leave it room for (RFC 4975 §5.1). */
export class ChunkWriter implements OpenChunk {
  readonly #to: Destination
  #fields = ''
  #range: ByteRange = { start: 1 }
  #pending: Pending | undefined
  /** Where the next byte belongs, from 1. */
  #position = 1
  #held: Buffer = nothing
  /** The connection that has, or had, a part of this chunk. */
  #connection: MsrpConnection | undefined
  #transactionId = ''
  #isOpen = false
  #partBytes = 0

  constructor(to: Destination) {
    this.#to = to
  }

  /** `fields` are whole lines, with the Byte-Range that `range` is. */
  begin(fields: string, range: ByteRange, pending: Pending | undefined): void {
    this.#fields = fields
    this.#range = range
    this.#pending = pending
    this.#position = range.start
    this.#held = nothing
    this.#connection = undefined
    this.#isOpen = false
  }

  piece(bytes: Buffer): void {
    if (this.#isOpen) this.#write(bytes)
    else if (this.#connection === undefined && this.#held.length + bytes.length <= smallBytes) {
      this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    } else this.#writeFirst(bytes)
  }

  end(flag: Continuation): void {
    if (this.#isOpen) this.#endPart(flag)
    else if (this.#connection === undefined) this.#writeWhole(flag)
    else if (flag !== '+' && this.#openPart()) this.#endPart(flag)
    this.#held = nothing
    this.#pending = undefined
  }

  /** Lets others write: the rest follows in another SEND. */
  interrupt(): void {
    if (this.#isOpen) this.#endPart('+')
  }

  #writeWhole(flag: Continuation): void {
    const { connection } = this.#to
    if (connection === undefined) {
      this.#pending?.answered(408)
      return
    }
    const id = this.#newRequest()
    const head = this.#headOf(id, this.#fields)
    connection.writeFrameWithBody(head, this.#held, writeFrameEnd(id, flag, true))
    if (this.#pending !== undefined) this.#to.sent(id)
  }

  #writeFirst(bytes: Buffer): void {
    if (!this.#openPart()) return
    const held = this.#held
    this.#held = nothing
    if (held.length > 0) this.#write(held)
    this.#write(bytes)
  }

  #write(bytes: Buffer): void {
    const connection = this.#connection as MsrpConnection
    connection.writeBody(bytes)
    this.#position += bytes.length
    this.#partBytes += bytes.length
    if (connection.wire.framed && this.#partBytes >= framedBytes) this.interrupt()
  }

  /** False: the connection went, and what it had of the chunk with it. */
  #openPart(): boolean {
    const { connection } = this.#to
    if (connection === undefined || (this.#connection ?? connection) !== connection) {
      this.#pending?.answered(408)
      return false
    }
    const { total } = this.#range
    const range = writeByteRange({ start: this.#position, ...(total !== undefined && { total }) })
    if (this.#connection === undefined) this.#fields = withoutByteRange(this.#fields)
    this.#connection = connection
    this.#transactionId = this.#newRequest()
    this.#partBytes = 0
    this.#isOpen = true
    connection.openChunk(this, this.#headOf(this.#transactionId, `Byte-Range: ${range}\r\n${this.#fields}`))
    return true
  }

  #endPart(flag: Continuation): void {
    this.#isOpen = false
    this.#connection?.endChunk(writeFrameEnd(this.#transactionId, flag, true))
    if (this.#pending !== undefined) this.#to.sent(this.#transactionId)
  }

  #newRequest(): string {
    const id = this.#to.newTransactionId()
    if (this.#pending !== undefined) {
      this.#pending.begun()
      this.#to.expect(id, this.#pending)
    }
    return id
  }

  #headOf(transactionId: string, fields: string): string {
    const { remotePath: toPath, path: fromPath } = this.#to
    return writeFrameHead({ method: 'SEND', transactionId, toPath, fromPath, fields, hasBody: true })
  }
}

const withoutByteRange = (fields: string) => fields.replace(/^byte-range:[^\r\n]*\r\n/im, '')
