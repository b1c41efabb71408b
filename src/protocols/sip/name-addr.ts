import { skipSpace } from './characters.ts'
import { splitList } from './lists.ts'
import { MalformedSip } from './malformed-sip.ts'
import { type Params, readParams, writeParams } from './params.ts'
import { quote, skipQuoted, unquote } from './quoted-string.ts'

/** A value of From, To, Contact, Route and their like (RFC 3261 §20.10). The URI is as written. */
export interface NameAddr {
  /** Without quotes and escapes; empty when there is none. */
  readonly display: string
  readonly uri: string
  readonly params: Params
}

/** Reads one `name-addr` or `addr-spec` with its parameters. */
export function readNameAddr(value: string): NameAddr {
  const from = skipSpace(value, 0)
  if (value.charCodeAt(from) === 34) {
    const end = skipQuoted(value, from)
    const bracket = skipSpace(value, end)
    if (value.charCodeAt(bracket) !== 60) throw new MalformedSip('a display name without an address in brackets')
    return inBrackets(value, bracket, unquote(value.slice(from, end)))
  }
  const bracket = value.indexOf('<', from)
  const semicolon = value.indexOf(';', from)
  if (bracket === -1 || (semicolon !== -1 && semicolon < bracket)) return bare(value, from, semicolon)
  if (bracket === from) return inBrackets(value, bracket, '')
  const display = value.slice(from, bracket).trimEnd()
  if (!tokens.test(display)) throw new MalformedSip('a display name that is no token must be quoted')
  return inBrackets(value, bracket, display)
}

/** Tokens; many clients leave UTF-8 unquoted as well, which does no harm. */
const tokens = /^[A-Za-z0-9\-.!%*_+`'~\x80-\xff]+(?:[ \t]+[A-Za-z0-9\-.!%*_+`'~\x80-\xff]+)*$/

function inBrackets(value: string, bracket: number, display: string): NameAddr {
  const end = value.indexOf('>', bracket)
  if (end === -1) throw new MalformedSip('an address without its closing bracket')
  const uri = value.slice(bracket + 1, end)
  if (!absoluteUri.test(uri)) throw new MalformedSip('no URI in the brackets')
  return { display, uri, params: readParams(value, end + 1) }
}

/** Without brackets what follows a semicolon belongs to the header field, and `,` and `?` may not be there (§20). */
function bare(value: string, from: number, semicolon: number): NameAddr {
  const end = semicolon === -1 ? value.length : semicolon
  const uri = value.slice(from, end).trimEnd()
  if (!bareUri.test(uri)) throw new MalformedSip('an address that is no URI, or needs angle brackets')
  return { display: '', uri, params: readParams(value, end) }
}

const absoluteUri = /^[A-Za-z][A-Za-z0-9+\-.]*:[^\x00-\x20"<>\x7f]+$/
const bareUri = /^[A-Za-z][A-Za-z0-9+\-.]*:[^\x00-\x20"<>\x7f,?]+$/

/** All addresses of header lines that may each hold a comma-separated list. */
export function readNameAddrs(values: readonly string[]): NameAddr[] {
  const found: NameAddr[] = []
  for (const value of values) for (const item of splitList(value)) found.push(readNameAddr(item))
  return found
}

export function writeNameAddr(address: { readonly display?: string; readonly uri: string; readonly params?: Params }) {
  const display = address.display ? `${quote(address.display)} ` : ''
  return `${display}<${address.uri}>${address.params ? writeParams(address.params) : ''}`
}
