import { isToken, skipSpace } from './characters.ts'
import type { Headers } from './headers.ts'
import { endOfItem } from './lists.ts'
import { MalformedSip } from './malformed-sip.ts'
import { type Params, readParams, writeParams } from './params.ts'
import { readHostPort } from './uri.ts'

/** One value of Via (RFC 3261 §20.42). */
export interface Via {
  /** Where it is not SIP/2.0: a version of later days, which the sender of a 505 has to give back. */
  readonly protocol?: string
  /** Upper case: UDP, TCP, TLS, WS, WSS … */
  readonly transport: string
  readonly host: string
  readonly port?: number
  readonly params: Params
}

/** Reads one Via value; a list is refused. */
export function readVia(value: string): Via {
  const semicolon = value.indexOf(';')
  const end = semicolon === -1 ? value.length : semicolon
  const space = value.indexOf(' ')
  if (!value.startsWith('SIP/2.0/') || space <= 8 || space >= end) return readSpacedVia(value, end)
  const transport = value.slice(8, space)
  if (!isToken(transport)) throw new MalformedSip('a Via without a transport')
  const { host, port } = readSentBy(value.slice(space + 1, end))
  const params = readParams(value, end)
  const known = transport.toUpperCase()
  return port === undefined ? { transport: known, host, params } : { transport: known, host, port, params }
}

const protocols = /^([^ \t/]+)[ \t]*\/[ \t]*([^ \t/]+)[ \t]*\/[ \t]*([^ \t/]+)[ \t]+(.+)$/

/** White space may stand around each slash, and protocol and version may be any token (RFC 3261 §25.1). */
function readSpacedVia(value: string, end: number): Via {
  const [, name = '', version = '', transport = '', by = ''] = protocols.exec(value.slice(0, end).trim()) ?? []
  if (![name, version, transport].every(isToken)) throw new MalformedSip('not a Via')
  const protocol = `${name}/${version}`.toUpperCase()
  return {
    ...(protocol !== 'SIP/2.0' && { protocol }),
    transport: transport.toUpperCase(),
    ...readSentBy(by),
    params: readParams(value, end),
  }
}

const spaces = /[ \t]/

/** White space may stand around the colon before the port. */
const readSentBy = (by: string) => readHostPort(spaces.test(by) ? withoutSpaces(by) : by)

const withoutSpaces = (by: string) =>
  by
    .split(':')
    .map((part) => part.trim())
    .join(':')

export function writeVia(via: Via): string {
  const port = via.port === undefined ? '' : `:${via.port}`
  return `${via.protocol ?? 'SIP/2.0'}/${via.transport} ${via.host}${port}${writeParams(via.params)}`
}

/** The Via that was added last. Throws MalformedSip when there is none or it cannot be read. */
export function readTopVia(headers: Headers): Via {
  const line = headers.get('via')
  if (line === undefined) throw new MalformedSip('no Via')
  return readVia(line.includes(',') ? line.slice(0, endOfItem(line, 0)) : line)
}

/** Takes the topmost Via away, be it a line of its own or the first of a list. */
export function removeTopVia(headers: Headers): void {
  const rest = afterTop(headers.get('via') ?? '')
  if (rest === '') headers.removeFirst('via')
  else headers.setFirst('via', rest)
}

/** Puts `via` in the place of the topmost one. */
export function replaceTopVia(headers: Headers, via: Via): void {
  const rest = afterTop(headers.get('via') ?? '')
  headers.setFirst('via', rest === '' ? writeVia(via) : `${writeVia(via)}, ${rest}`)
}

function afterTop(line: string): string {
  if (!line.includes(',')) return ''
  const end = endOfItem(line, 0)
  return line.slice(skipSpace(line, end + 1))
}
