interface Options {
  readonly owner: number
  readonly channel: string
  /** By performance.now(). */
  readonly until: number
  readonly onOver: (pause: Pause) => void
}

/** What a node was not told of in between is found after so long. */
const lookAgainMs = 5_000

/** A poll between two looks at what is new. */
export class Pause {
  readonly owner: number
  readonly channel: string
  /** Resolves with whether the poll is to end as it is. */
  readonly over: Promise<boolean>
  isOver = false
  readonly #options: Options
  readonly #signal: AbortSignal
  readonly #timer: NodeJS.Timeout
  #resolve: (isEnd: boolean) => void = () => {}

  constructor(options: Options, signal: AbortSignal) {
    this.owner = options.owner
    this.channel = options.channel
    this.#options = options
    this.#signal = signal
    this.over = new Promise((resolve) => {
      this.#resolve = resolve
    })
    const left = options.until - performance.now()
    this.#timer = setTimeout(() => this.#finish(left <= lookAgainMs), Math.max(0, Math.min(left, lookAgainMs)))
    signal.addEventListener('abort', this.end)
    if (signal.aborted || left <= 0) this.end()
  }

  /** The poll looks again. */
  wake(): void {
    this.#finish(false)
  }

  /** The poll ends. */
  end = (): void => this.#finish(true)

  #finish(isEnd: boolean): void {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.#timer)
    this.#signal.removeEventListener('abort', this.end)
    this.#options.onOver(this)
    this.#resolve(isEnd)
  }
}
