/** What ends a frame: the message is complete, goes on in another chunk, or was given up (RFC 4975 §7.1). */
export type Continuation = '$' | '+' | '#'

export interface BodyPiece {
  readonly type: 'body'
  /** Points into what was read. */
  readonly bytes: Buffer
}

export interface FrameEnd {
  readonly type: 'end'
  readonly flag: Continuation
}

/** What stands before the body (RFC 4975 §9). Text is latin1: one character for each byte. */
export class FrameHead {
  readonly type = 'head'
  readonly transactionId: string
  /** SEND, REPORT and others; empty in a response. */
  readonly method: string
  /** 0 in a request. */
  readonly status: number
  readonly comment: string
  /** URIs with a space between them; the first is the next one to go to. */
  readonly toPath: string
  readonly fromPath: string
  /** The lines after From-Path, each with its CRLF. */
  readonly fields: string
  readonly hasBody: boolean
  /** What is wrong with a frame that can still be answered: it is 400 (RFC 4975 §10.3). */
  readonly fault: string | undefined

  constructor(start: StartLine, paths: Paths, fields: string, hasBody: boolean, fault?: string) {
    this.transactionId = start.transactionId
    this.method = start.method
    this.status = start.status
    this.comment = start.comment
    this.toPath = paths.toPath
    this.fromPath = paths.fromPath
    this.fields = fields
    this.hasBody = hasBody
    this.fault = fault
  }

  /** The first field of this name, which is given in lower case. */
  field(name: string): string | undefined {
    const { fields } = this
    for (let at = 0; at < fields.length; ) {
      const colon = at + name.length
      const end = fields.indexOf('\r\n', at)
      if (fields.charCodeAt(colon) === 58 && fields.slice(at, colon).toLowerCase() === name) {
        return trimBlanks(fields.slice(colon + 1, end))
      }
      at = end + 2
    }
    return undefined
  }
}

/** Without spaces and tabs around; `trim()` would take a byte A0 too, which may be part of a character. */
function trimBlanks(value: string): string {
  let [from, to] = [0, value.length]
  while (from < to && isBlank(value.charCodeAt(from))) from++
  while (to > from && isBlank(value.charCodeAt(to - 1))) to--
  return value.slice(from, to)
}

const isBlank = (code: number) => code === 32 || code === 9

export interface StartLine {
  readonly transactionId: string
  readonly method: string
  readonly status: number
  readonly comment: string
}

export interface Paths {
  readonly toPath: string
  readonly fromPath: string
}

/** The first URI of a path. */
export function firstOfPath(path: string): string {
  const space = path.indexOf(' ')
  return space === -1 ? path : path.slice(0, space)
}
