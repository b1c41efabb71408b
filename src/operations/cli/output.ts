/** Where results go: lines for people, or one JSON value a line for machines. Logs and faults go to standard error. */
export class Output {
  readonly #stream: NodeJS.WritableStream
  readonly json: boolean
  constructor(stream: NodeJS.WritableStream, json: boolean) {
    this.#stream = stream
    this.json = json
  }

  line(text: string): void {
    this.#stream.write(`${text}\n`)
  }

  /** The same result in both forms. */
  result(value: unknown, text: () => string): void {
    this.line(this.json ? JSON.stringify(value) : text())
  }
}

const controls = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g

/** What strangers sent must not steer the terminal, nor look like a second line. */
export function printable(text: string): string {
  return text.replace(/\r?\n/g, '⏎').replace(controls, '\u{fffd}')
}
