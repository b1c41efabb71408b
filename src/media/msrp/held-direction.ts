import type { Continuation, FrameHead } from '../../protocols/msrp/frame.ts'
import type { MsrpSession } from './msrp-session.ts'
import type { Chunk, Receiver } from './receiver.ts'

/** Keeps messages that pass. What it has of them is safe before they are whole at the other end. */
export interface Keeper {
  /** A status other than 200 refuses the chunk. */
  begin(chunk: Chunk): number
  /** A promise: no more is to come until then. */
  piece(bytes: Buffer): void | Promise<void>
  /** Resolves with 200 once all that has come is safe, as far as the message is whole; else with what its sender is told. */
  end(flag: Continuation): Promise<number>
  /** The chunk breaks off. */
  cut(): void
}

/** A chunk that is not through. */
interface Held {
  readonly chunk: Chunk
  readonly pieces: Buffer[]
  bytes: number
  /** Its head, and what has come of it, are with the other end already. */
  open: boolean
  flag: Continuation | undefined
  status: number | undefined
}

/** Of a chunk so much is held; what is longer goes on piece by piece, and only its end waits. */
const heldBytes = 64 * 1024
/** Of all that wait to be kept; then nothing more is read. */
const mostWaiting = 256
const mostBytes = 1024 * 1024

/**
 * One way of a relayed session, of which messages are kept before they pass: chunks go on in their order, each once it is
 * safe. Nothing of a message that is short passes before; of a longer one the end does not.
 */
export class HeldDirection implements Receiver {
  readonly #onward: Receiver
  readonly #from: MsrpSession
  readonly #keeperFor: () => Keeper | undefined
  /** In the order of their coming; the last one may not be all there. */
  #waiting: Held[] = []
  #bytes = 0
  #current: Held | undefined
  #keeper: Keeper | undefined
  #release: (() => void) | undefined
  /** Messages that began while nothing was kept go on as they began. */
  #unkept: string | undefined

  /** `keeperFor` is asked as each message begins; undefined: it is not kept. */
  constructor(onward: Receiver, from: MsrpSession, keeperFor: () => Keeper | undefined) {
    this.#onward = onward
    this.#from = from
    this.#keeperFor = keeperFor
  }

  begin(chunk: Chunk): number {
    const keeper = this.#unkept === chunk.messageId ? undefined : this.#keeperFor()
    this.#keeper = keeper
    if (keeper === undefined) this.#unkept = chunk.messageId
    const status = keeper?.begin(chunk) ?? 200
    if (status !== 200) return status
    if (keeper === undefined && this.#waiting.length === 0) return this.#onward.begin(chunk)
    this.#current = { chunk, pieces: [], bytes: 0, open: false, flag: undefined, status: undefined }
    this.#waiting.push(this.#current)
    return 200
  }

  piece(bytes: Buffer): void {
    const kept = this.#keeper?.piece(bytes)
    if (kept !== undefined) this.#from.holdFor(kept)
    const held = this.#current
    if (held === undefined || held.open) this.#onward.piece(bytes)
    else this.#hold(held, bytes)
  }

  end(flag: Continuation): void {
    const [held, keeper] = [this.#current, this.#keeper]
    this.#current = undefined
    this.#keeper = undefined
    if (flag !== '+') this.#unkept = undefined
    if (held === undefined) {
      this.#onward.end(flag)
      return
    }
    held.flag = flag
    if (keeper === undefined) this.#settle(held, 200)
    else
      keeper.end(flag).then(
        (status) => this.#settle(held, status),
        () => this.#settle(held, 413),
      )
    if (this.#waiting.length > mostWaiting) this.#pause()
  }

  cut(): void {
    const held = this.#current
    this.#keeper?.cut()
    this.#current = undefined
    this.#keeper = undefined
    if (held === undefined || held.open) this.#onward.cut()
    if (held !== undefined) this.#forget(held)
  }

  report(head: FrameHead): void {
    this.#onward.report(head)
  }

  closed(): void {
    this.#waiting = []
    this.#current = undefined
    this.#release?.()
    this.#onward.closed()
  }

  #hold(held: Held, bytes: Buffer): void {
    // A piece is a view of all that was read with it.
    held.pieces.push(Buffer.from(bytes))
    held.bytes += bytes.length
    this.#bytes += bytes.length
    if (held.bytes > heldBytes && this.#waiting[0] === held) this.#open(held)
    else if (this.#bytes > mostBytes) this.#pause()
  }

  #open(held: Held): void {
    held.open = true
    const status = this.#onward.begin(held.chunk)
    if (status !== 200) {
      this.#from.refuse(status)
      return
    }
    this.#passPieces(held)
  }

  #settle(held: Held, status: number): void {
    held.status = status
    while (this.#waiting[0]?.status !== undefined) this.#pass(this.#waiting.shift() as Held)
    const next = this.#waiting[0]
    if (next !== undefined && !next.open && next.bytes > heldBytes && next === this.#current) this.#open(next)
    if (this.#waiting.length <= mostWaiting / 2 && this.#bytes <= mostBytes / 2) this.#release?.()
  }

  #pass(held: Held): void {
    const { chunk, open, flag = '$', status } = held
    const begun = open ? 200 : this.#begin(chunk, status)
    if (status !== 200) this.#refuse(held)
    else if (begun === 200) {
      this.#passPieces(held)
      this.#onward.end(flag)
    } else this.#from.respond(chunk.head, begun)
    this.#bytes -= held.bytes
  }

  /** Of what is refused the other end hears only if it has the beginning. */
  #begin(chunk: Chunk, status: number | undefined): number {
    if (status !== 200 && chunk.range.start === 1) return 200
    return this.#onward.begin(chunk)
  }

  #refuse({ chunk, open, status = 413 }: Held): void {
    if (open || chunk.range.start > 1) this.#onward.cut()
    this.#from.respond(chunk.head, status)
  }

  #passPieces(held: Held): void {
    for (const piece of held.pieces) this.#onward.piece(piece)
    held.pieces.length = 0
  }

  #forget(held: Held): void {
    this.#waiting = this.#waiting.filter((one) => one !== held)
    this.#bytes -= held.bytes
  }

  /** Reads nothing more of the sender until enough is through. */
  #pause(): void {
    if (this.#release !== undefined) return
    const { connection } = this.#from
    const key = {}
    connection?.hold(key)
    this.#release = () => {
      this.#release = undefined
      connection?.release(key)
    }
  }
}
