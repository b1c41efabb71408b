import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline'
import { Transform } from 'node:stream'
import { LineSplitter } from '../../protocols/lines/line-splitter.ts'
import type { Output } from './output.ts'

/** Where lines are typed. */
export type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean }

interface Needs {
  readonly input: Input
  readonly output: Output
  /** The screen, where a person sits at one: what is typed stays below what comes. */
  readonly screen: NodeJS.WritableStream | undefined
  /** Keys were pressed; whether something is typed and not sent. */
  readonly onTyping: (something: boolean) => void
  /** A line was longer than `mostOfLine`, and is not among those that are typed. */
  readonly onTooLong: () => void
}

/** Bytes of a line: no message of this client is longer. */
const mostOfLine = 1024 ** 2

const prompt = '> '

/** A terminal with a line to type below what is shown; or a pipe, without any of that. */
export class ChatTerminal {
  readonly #needs: Needs
  readonly #lines: Interface
  #isClosed = false
  #pipe: Transform | undefined

  constructor(needs: Needs) {
    const { input, screen, onTyping } = needs
    this.#needs = needs
    if (screen === undefined) this.#pipe = input.pipe(wholeLines(needs.onTooLong))
    this.#lines = createInterface({
      input: this.#pipe ?? input,
      ...(screen && { output: screen }),
      terminal: screen !== undefined,
      prompt,
      crlfDelay: Number.POSITIVE_INFINITY,
    })
    if (screen === undefined) return
    this.#lines.on('SIGINT', () => this.close())
    input.on('keypress', () => onTyping(this.#lines.line !== ''))
    this.#lines.prompt()
  }

  /** What is typed, until Ctrl-D, Ctrl-C, the end of the pipe or `close`. */
  async *typed(): AsyncGenerator<string> {
    for await (const line of this.#lines) {
      if (line.trim() !== '') yield line
      if (this.#needs.screen !== undefined) this.#lines.prompt()
    }
  }

  /** Shows a result above the line that is typed. */
  show(value: unknown, text: () => string): void {
    this.#clear()
    this.#needs.output.result(value, text)
    this.#again()
  }

  /** Says beside the line that somebody else types. */
  composing(who: string | undefined): void {
    this.#clear()
    this.#lines.setPrompt(who === undefined ? prompt : `(${who} is typing) ${prompt}`)
    this.#again()
  }

  /** Nothing is read any more, and the screen is as it was. */
  close(): void {
    if (this.#isClosed) return
    this.#clear()
    this.#isClosed = true
    this.#lines.close()
    if (this.#pipe === undefined) return
    this.#needs.input.unpipe(this.#pipe)
    this.#needs.input.pause()
  }

  #clear(): void {
    const { screen } = this.#needs
    if (screen === undefined || this.#isClosed) return
    cursorTo(screen, 0)
    moveCursor(screen, 0, -this.#lines.getCursorPos().rows)
    clearScreenDown(screen)
  }

  #again(): void {
    if (this.#needs.screen !== undefined && !this.#isClosed) this.#lines.prompt(true)
  }
}

/** Passes on what is complete: a line without end is not gathered by whoever reads lines. */
function wholeLines(onTooLong: () => void): Transform {
  const splitter = new LineSplitter(mostOfLine)
  const passOn = (stream: Transform, lines: Iterable<Buffer | undefined>) => {
    for (const line of lines) {
      if (line === undefined) onTooLong()
      else stream.push(Buffer.concat([line, newline]))
    }
  }
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      passOn(this, splitter.read(chunk))
      done()
    },
    flush(done) {
      passOn(this, splitter.end())
      done()
    },
  })
}

const newline = Buffer.from('\n')
