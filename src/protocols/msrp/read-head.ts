import { type Continuation, FrameHead, type Paths, type StartLine } from './frame.ts'
import { MalformedMsrp } from './malformed-msrp.ts'

/** RFC 4975 §9 has 4 to 32 characters; peers are known to send a UUID. */
const startLine = /MSRP ([\w.\-+%=]{1,64}) (?:([A-Z]{1,32})|(\d{3})(?: ([^\r\n]*))?)\r\n/y
const paths = /To-Path:[ \t]*([^\r\n]+)\r\nFrom-Path:[ \t]*([^\r\n]+)\r\n/iy
const lines = /^(?:[A-Za-z][\w!#$%&'*+\-.^`|~]*:[^\r\n]*\r\n)*$/
const toPath = /^To-Path:[ \t]*([^\r\n]+)/im
const fromPath = /^From-Path:[ \t]*([^\r\n]+)/im

/** A head, and the flag of its end-line when no body follows. */
export interface ReadHead {
  readonly head: FrameHead
  readonly flag: Continuation | undefined
}

/**
 * Reads all that stands before the body (RFC 4975 §9): `text` goes to the empty line, or to the end-line where there is
 * no body. Throws MalformedMsrp when there is nobody to answer.
 */
export function readHead(text: string): ReadHead {
  const start = readStartLine(text)
  const end = text.lastIndexOf('\r\n', text.length - 3) + 2
  const hasBody = text.endsWith('\r\n\r\n')
  const flag = hasBody ? undefined : readEndLine(text.slice(end), start.transactionId)
  const from = startLine.lastIndex
  paths.lastIndex = from
  const found = paths.exec(text)
  if (found === null) return { head: headInDoubt(start, text.slice(from, end), hasBody), flag }
  const fields = text.slice(paths.lastIndex, end)
  const fault = lines.test(fields) ? undefined : 'a header field that is none'
  const path: Paths = { toPath: found[1] as string, fromPath: found[2] as string }
  return { head: new FrameHead(start, path, fields, hasBody, fault), flag }
}

function readStartLine(text: string): StartLine {
  startLine.lastIndex = 0
  const found = startLine.exec(text)
  if (found === null) throw new MalformedMsrp('not MSRP')
  return {
    transactionId: found[1] as string,
    method: found[2] ?? '',
    status: found[3] === undefined ? 0 : Number(found[3]),
    comment: found[4] ?? '',
  }
}

/** No header field begins with a dash: a line that does is the end-line, or nothing. */
function readEndLine(line: string, transactionId: string): Continuation {
  const flag = line.charAt(7 + transactionId.length)
  if (line !== `-------${transactionId}${flag}\r\n` || !isContinuation(flag)) throw new MalformedMsrp('no end-line')
  return flag
}

const isContinuation = (flag: string): flag is Continuation => flag === '$' || flag === '+' || flag === '#'

/** To-Path and From-Path come first, in this order (RFC 4975 §7.1). With both at hand the sender can be told. */
function headInDoubt(start: StartLine, fields: string, hasBody: boolean): FrameHead {
  const to = toPath.exec(fields)?.[1]
  const from = fromPath.exec(fields)?.[1]
  if (to === undefined || from === undefined) throw new MalformedMsrp('no To-Path or From-Path')
  return new FrameHead(start, { toPath: to, fromPath: from }, fields, hasBody, 'To-Path and From-Path come first')
}
