/** Bytes that are not a session description. Says which line is wrong, so that a Warning can (RFC 3261 §20.43). */
export class MalformedSdp extends Error {
  /** Counted from 1; one more than there are when a line is missing at the end. */
  readonly line: number
  /** The line as it came (latin1), '' when it is missing. */
  readonly text: string
  readonly reason: string
  constructor(line: number, text: string, reason: string) {
    super(`session description, line ${line}: ${reason}`)
    this.name = 'MalformedSdp'
    this.line = line
    this.text = text
    this.reason = reason
  }
}
