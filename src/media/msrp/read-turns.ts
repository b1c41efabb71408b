/** Bytes that one connection may bring in a turn before others have theirs; less would cost more in pauses. */
const shareBytes = 1024 * 1024
/** Shares in a turn: with them all taken the event loop is busy for a few milliseconds. */
const sharesPerTurn = 8

/**
 * Shares out the turns of the event loop among connections that bring much at once: without this one turn reads all
 * that the kernel has of all of them, hundreds of megabytes.
 */
export class ReadTurns {
  readonly #waiting: ReadShare[] = []
  #turn = 0
  #granted = 0
  #scheduled = false

  get turn(): number {
    return this.#turn
  }

  /** False: all shares of this turn are taken; the share is resumed in a later one. */
  claim(share: ReadShare): boolean {
    this.#schedule()
    if (this.#granted < sharesPerTurn && this.#waiting.length === 0) {
      this.#grant(share)
      return true
    }
    this.#waiting.push(share)
    return false
  }

  #grant(share: ReadShare): void {
    this.#granted++
    share.renew(this.#turn, shareBytes)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(nextTurn, this)
  }

  next(): void {
    this.#scheduled = false
    this.#granted = 0
    this.#turn++
    while (this.#granted < sharesPerTurn) {
      const share = this.#waiting.shift()
      if (share === undefined) return
      this.#schedule()
      this.#grant(share)
      share.resume()
    }
  }
}

const nextTurn = (turns: ReadTurns) => turns.next()

/** Who reads, and goes on when its turn has come. */
export interface TurnTaker {
  takeTurn(): void
}

/** What one connection may still read in this turn. */
export class ReadShare {
  readonly #turns: ReadTurns
  readonly #of: TurnTaker
  #turn = -1
  #left = 0
  #waits = false

  constructor(turns: ReadTurns, of: TurnTaker) {
    this.#turns = turns
    this.#of = of
  }

  /** So much has come. False: that is all for now; `takeTurn` is called when more may come. */
  spend(bytes: number): boolean {
    if (this.#waits) return false
    this.#left = this.#turn === this.#turns.turn ? this.#left - bytes : 0
    if (this.#left > 0) return true
    this.#waits = !this.#turns.claim(this)
    return !this.#waits
  }

  renew(turn: number, bytes: number): void {
    this.#turn = turn
    this.#left = bytes
    this.#waits = false
  }

  resume(): void {
    this.#of.takeTurn()
  }
}
