import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** A command with a pipe to type into, whose lines are read as they come. */
export class TypedCommand {
  /** Exit status, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** What it said beside its results. */
  errors = ''
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: string[] = []
  #changed = () => {}

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    this.ended = once(child, 'close').then(([code, signal]) => {
      this.#changed()
      return code ?? signal
    })
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#lines.push(line)
      this.#changed()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      this.errors += chunk
      this.#changed()
    })
  }

  type(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  /** Types without an end of line; resolves when there is room for more. */
  async typeOn(text: string): Promise<void> {
    const { stdin } = this.#child
    if (!stdin.write(text)) await once(stdin, 'drain')
  }

  /** Bytes of it that are in memory. */
  memory(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1])
  }

  endInput(): void {
    this.#child.stdin.end()
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** The next line; the one after the last that was asked for. */
  async line(): Promise<string> {
    await this.#until(() => this.#lines.length > 0)
    return this.#lines.shift() ?? ''
  }

  /** Resolves once it has said so on standard error. */
  said(text: string): Promise<void> {
    return this.#until(() => this.errors.includes(text))
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#child.exitCode !== null) throw new Error(`it ended with ${this.#child.exitCode}: ${this.errors}`)
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
  }
}
