import { Failure } from '../../../failure.ts'
import { LineSplitter } from '../../../protocols/lines/line-splitter.ts'

/** No line of an archive is longer. */
export const mostLine = 16 * 1024 ** 2

/** A line of an archive, or undefined where it is too long to be one. */
export interface Line {
  readonly number: number
  readonly bytes: Buffer | undefined
}

/** The lines of an archive, one at a time, with a look ahead. */
export class Lines {
  readonly #lines: AsyncIterator<Line>
  #ahead: Line | undefined
  #isOver = false

  constructor(source: AsyncIterable<Buffer>, mostBytes = mostLine) {
    this.#lines = split(source, mostBytes)
  }

  /** The next line, which stays the next one; undefined at the end. */
  async peek(): Promise<Line | undefined> {
    if (this.#ahead === undefined && !this.#isOver) {
      const { done = false, value } = await this.#lines.next()
      this.#isOver = done
      this.#ahead = done ? undefined : value
    }
    return this.#ahead
  }

  async next(): Promise<Line | undefined> {
    const line = await this.peek()
    this.#ahead = undefined
    return line
  }

  /** Lets go of the source. */
  async close(): Promise<void> {
    this.#isOver = true
    await this.#lines.return?.()
  }
}

async function* split(source: AsyncIterable<Buffer>, mostBytes: number): AsyncGenerator<Line> {
  const splitter = new LineSplitter(mostBytes)
  let number = 0
  for await (const bytes of source) {
    for (const line of splitter.read(bytes)) yield { number: ++number, bytes: line }
  }
  for (const line of splitter.end()) yield { number: ++number, bytes: line }
}

/** What is wrong with an archive, by the number of the line. */
export const badLine = (number: number, reason: string): Failure =>
  new Failure('malformed', `line ${number}: ${reason}`)

/** The same for people who know the number already; anything else is thrown again. */
export function faultIn(err: unknown): string {
  if (err instanceof Failure && err.condition === 'malformed')
    return err.message.replace(/^malformed: (line \d+: )?/, '')
  throw err
}
