const newline = 0x0a

/** Cuts bytes into lines, of which none is held that is longer than `most` bytes. */
export class LineSplitter {
  readonly #most: number
  readonly #pieces: Buffer[] = []
  #length = 0

  constructor(most: number) {
    this.#most = most
  }

  /** The lines that `bytes` completes, without their ends; undefined for one that is too long. */
  *read(bytes: Buffer): Generator<Buffer | undefined> {
    let from = 0
    for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, from)) {
      this.#add(bytes.subarray(from, at))
      yield this.#take()
      from = at + 1
    }
    this.#add(bytes.subarray(from))
  }

  /** What comes after the last end of a line, where there is something. */
  *end(): Generator<Buffer | undefined> {
    if (this.#length > 0) yield this.#take()
  }

  #add(piece: Buffer): void {
    this.#length += piece.length
    if (this.#length > this.#most) this.#pieces.length = 0
    else if (piece.length > 0) this.#pieces.push(piece)
  }

  #take(): Buffer | undefined {
    const line = this.#length > this.#most ? undefined : Buffer.concat(this.#pieces)
    this.#pieces.length = 0
    this.#length = 0
    return line
  }
}
