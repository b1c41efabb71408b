/** Which bytes of a message have come, in whatever order. */
export class Coverage {
  /** Pieces that do not touch, in order: from, and to before which. */
  readonly #pieces: [from: number, to: number][] = []

  /** The number of pieces that do not touch. */
  get count(): number {
    return this.#pieces.length
  }

  add(from: number, to: number): void {
    if (from >= to) return
    const at = this.#pieces.findIndex((piece) => piece[1] >= from)
    const first = at === -1 ? this.#pieces.length : at
    let last = first
    let [start, end] = [from, to]
    for (let piece = this.#pieces[last]; piece !== undefined && piece[0] <= to; piece = this.#pieces[++last]) {
      start = Math.min(start, piece[0])
      end = Math.max(end, piece[1])
    }
    this.#pieces.splice(first, last - first, [start, end])
  }

  /** Whether the first `total` bytes are all there. */
  covers(total: number): boolean {
    const first = this.#pieces[0]
    return total === 0 || (first !== undefined && first[0] === 0 && first[1] >= total)
  }
}
