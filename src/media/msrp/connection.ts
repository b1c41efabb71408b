import {
  type BodyPiece,
  type Continuation,
  type FrameEnd,
  type FrameHead,
  firstOfPath,
} from '../../protocols/msrp/frame.ts'
import { FrameReader } from '../../protocols/msrp/frame-reader.ts'
import { MalformedMsrp } from '../../protocols/msrp/malformed-msrp.ts'
import { failureReportOf } from '../../protocols/msrp/send-request.ts'
import { writeResponse } from '../../protocols/msrp/write-frame.ts'
import type { DropReason, MsrpCounters } from './counters.ts'
import type { MsrpLimits } from './limits.ts'
import { ReadShare, type ReadTurns, type TurnTaker } from './read-turns.ts'
import type { Wire, WireUser } from './wire.ts'

/** A session, as its connection sees it: what comes for its path goes there. */
export interface FrameTarget {
  begin(head: FrameHead, connection: MsrpConnection): void
  piece(bytes: Buffer): void
  end(flag: Continuation): void
  /** The connection has room again for what is to be sent. */
  relieve(): void
  lost(): void
}

/** Who has begun a SEND and not ended it; anybody else who has a frame to send makes it pause (RFC 4975 §5.1). */
export interface OpenChunk {
  interrupt(): void
}

export interface ConnectionOptions {
  readonly host: ConnectionHost
  /** We opened it: it closes with its last session. */
  readonly outgoing: boolean
  readonly secure: boolean
  /** No more sessions may be put on it. */
  readonly onEnding: (() => void) | undefined
}

/** What all connections share: one object, since there are many of them. */
export interface ConnectionHost {
  readonly limits: MsrpLimits
  readonly counters: MsrpCounters
  readonly turns: ReadTurns
  readonly log: { error(fields: object, note: string): void }
  targetOf(toPath: string): FrameTarget | undefined
  onClosed(connection: MsrpConnection): void
}

/** How long a peer that was cut off may take to close its side. */
const lingerMs = 1000

/** Small parts wait for each other until the end of the tick; so much does not wait. */
const batchBytes = 16 * 1024

/** A read of this size is one of many; smaller ones need not wait for a turn. */
const bulkBytes = 8 * 1024

/** To-Paths remembered, so that a session's id need not be looked for in each frame. */
const rememberedPaths = 256

/** One connection with a peer, and the sessions that share it (RFC 4975 §5.4). */
export class MsrpConnection implements WireUser, TurnTaker {
  readonly #options: ConnectionOptions
  readonly #host: ConnectionHost
  readonly #reader: FrameReader
  readonly #wire: Wire
  readonly #share: ReadShare
  readonly #sessions = new Set<FrameTarget>()
  readonly #byPath = new Map<string, FrameTarget>()
  /** Those for whose sake nothing is read for now. */
  readonly #holds = new Set<object>()
  #input: Generator<FrameHead | BodyPiece | FrameEnd> | undefined
  #unread: Buffer[] = []
  #reading = false
  /** For whom the frame is that is being read. */
  #target: FrameTarget | undefined
  #open: OpenChunk | undefined
  readonly #parts: (string | Buffer)[] = []
  #partBytes = 0
  #silence: NodeJS.Timeout | undefined
  #used = false
  #watched = false
  #gone = false

  constructor(options: ConnectionOptions, toWire: (user: WireUser) => Wire) {
    this.#options = options
    this.#host = options.host
    this.#reader = new FrameReader(options.host.limits)
    this.#share = new ReadShare(options.host.turns, this)
    this.#wire = toWire(this)
    this.#wire.socket.on('timeout', () => this.drop('not-reading'))
    if (!options.outgoing) this.#awaitSession()
  }

  get wire(): Wire {
    return this.#wire
  }

  get secure(): boolean {
    return this.#options.secure
  }

  get gone(): boolean {
    return this.#gone
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  /** More waits for the peer than it should. */
  get clogged(): boolean {
    return this.#partBytes + this.#wire.waiting > this.#host.limits.queueBytes
  }

  bind(session: FrameTarget): void {
    clearTimeout(this.#silence)
    this.#used = true
    this.#sessions.add(session)
  }

  unbind(session: FrameTarget): void {
    this.#sessions.delete(session)
    for (const [path, target] of this.#byPath) if (target === session) this.#byPath.delete(path)
    if (this.#target === session) this.#target = undefined
    this.release(session)
    if (this.#sessions.size > 0 || this.#gone) return
    if (this.#options.outgoing) this.end()
    else this.#awaitSession()
  }

  /** Reads no more until released by the same `key`. */
  hold(key: object): void {
    if (this.#gone) return
    if (this.#holds.size === 0) this.#wire.pause()
    this.#holds.add(key)
  }

  release(key: object): void {
    if (!this.#holds.delete(key) || this.#holds.size > 0 || this.#gone) return
    this.#wire.resume()
    this.#read()
  }

  /** Answers a request that no session takes (RFC 4975 §7.2); a REPORT is never answered. */
  refuse(request: FrameHead, status: number): void {
    this.#host.counters.refused(status)
    if (request.method === 'REPORT' || failureReportOf(request) === 'no') return
    const { transactionId, fromPath, toPath } = request
    this.writeFrame(writeResponse(transactionId, status, firstOfPath(fromPath), firstOfPath(toPath)))
  }

  /** A frame without body. */
  writeFrame(text: string): void {
    this.#interrupt()
    this.#write(text)
    this.#endFrame()
  }

  writeFrameWithBody(head: string, body: Buffer, end: string): void {
    this.#interrupt()
    this.#write(head)
    this.#write(body)
    this.#write(end)
    this.#endFrame()
  }

  /** Begins a frame whose body goes on with `writeBody` until `endChunk`. */
  openChunk(chunk: OpenChunk, head: string): void {
    this.#interrupt()
    this.#open = chunk
    this.#write(head)
  }

  writeBody(bytes: Buffer): void {
    this.#write(bytes)
  }

  endChunk(end: string): void {
    this.#open = undefined
    this.#write(end)
    this.#endFrame()
  }

  /** Closes when all is written. */
  end(): void {
    if (this.#gone) return
    this.#options.onEnding?.()
    this.#flush()
    this.#wire.end()
    this.#watch()
  }

  /** As `end`, for a peer that may go on sending: what was written reaches it, and then it has little time left. */
  endFor(reason: DropReason): void {
    this.#host.counters.dropped(reason)
    this.#leave()
  }

  #leave(): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => this.#wire.destroy(), lingerMs)
    this.end()
  }

  drop(reason: DropReason): void {
    this.#host.counters.dropped(reason)
    this.#wire.destroy()
  }

  destroy(): void {
    this.#wire.destroy()
  }

  received(bytes: Buffer): void {
    if (bytes.length < bulkBytes || this.#share.spend(bytes.length)) {
      this.#unread.push(bytes)
      this.#read()
    } else {
      this.#unread.push(this.#wire.stop(bytes))
      this.#read()
      this.hold(this.#share)
    }
  }

  takeTurn(): void {
    this.release(this.#share)
  }

  drained(): void {
    if (this.#watched && !this.clogged) {
      this.#watched = false
      this.#wire.socket.setTimeout(0)
    }
    this.release(this)
    for (const session of this.#sessions) session.relieve()
  }

  closed(): void {
    if (this.#gone) return
    this.#gone = true
    clearTimeout(this.#silence)
    this.#input = undefined
    this.#unread = []
    this.#parts.length = 0
    this.#partBytes = 0
    this.#options.onEnding?.()
    this.#host.onClosed(this)
    for (const session of [...this.#sessions]) session.lost()
    this.#sessions.clear()
    this.#byPath.clear()
    this.#holds.clear()
  }

  /** RFC 4975 §5.4: what connects says for which session; who does not is not wanted. */
  #awaitSession(): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => (this.#used ? this.#leave() : this.drop('silent')), this.#host.limits.silentMs)
  }

  #read(): void {
    if (this.#reading) return
    this.#reading = true
    try {
      while (this.#holds.size === 0 && !this.#gone && this.#readOn()) if (this.clogged) this.#holdItself()
    } catch (err) {
      this.#fail(err)
    } finally {
      this.#reading = false
    }
  }

  /** False when all has been read. */
  #readOn(): boolean {
    if (this.#input === undefined) {
      const bytes = this.#unread.shift()
      if (bytes === undefined) return false
      this.#input = this.#reader.read(bytes)
    }
    const next = this.#input.next()
    if (next.done) this.#input = undefined
    else this.#take(next.value)
    return true
  }

  #take(frame: FrameHead | BodyPiece | FrameEnd): void {
    switch (frame.type) {
      case 'head':
        this.#begin(frame)
        return
      case 'body':
        this.#target?.piece(frame.bytes)
        return
      case 'end':
        this.#target?.end(frame.flag)
        this.#target = undefined
    }
  }

  #begin(head: FrameHead): void {
    const isResponse = head.method === ''
    const target = this.#byPath.get(head.toPath) ?? this.#find(head.toPath)
    if (isResponse) this.#host.counters.received('response')
    else if (target === undefined) this.refuse(head, 481)
    else if (head.fault !== undefined) this.refuse(head, 400)
    if (target === undefined || head.fault !== undefined) return
    this.#target = target
    target.begin(head, this)
  }

  #find(toPath: string): FrameTarget | undefined {
    const target = this.#host.targetOf(toPath)
    if (target !== undefined && this.#byPath.size < rememberedPaths) this.#byPath.set(toPath, target)
    return target
  }

  /** One who sends and does not read what it causes is not read either. */
  #holdItself(): void {
    this.hold(this)
  }

  #fail(err: unknown): void {
    if (err instanceof MalformedMsrp) {
      this.drop('malformed')
      return
    }
    this.#host.log.error({ part: 'msrp', err }, 'a connection ended by a fault of this server')
    this.#wire.destroy()
  }

  #interrupt(): void {
    this.#open?.interrupt()
  }

  #write(part: string | Buffer): void {
    if (this.#gone) return
    if (this.#parts.length === 0 && !this.#wire.framed) process.nextTick(flush, this)
    this.#parts.push(part)
    this.#partBytes += part.length
    if (this.#partBytes >= batchBytes && !this.#wire.framed) this.#flush()
  }

  #endFrame(): void {
    if (this.#wire.framed) this.#flush()
  }

  flush(): void {
    this.#flush()
  }

  #flush(): void {
    const parts = this.#parts
    if (parts.length === 0) return
    const wasClogged = this.clogged
    this.#partBytes = 0
    this.#wire.write(parts)
    parts.length = 0 // a new array each time would grow old with a body in it, out of reach of the quick collector
    if (this.clogged) this.#watch()
    else if (wasClogged) this.drained()
  }

  /** A peer that does not read for long is given up; bytes that it takes count as a sign of life. */
  #watch(): void {
    if (this.#watched) return
    this.#watched = true
    this.#wire.socket.setTimeout(this.#host.limits.stallMs)
  }
}

const flush = (connection: MsrpConnection) => connection.flush()
