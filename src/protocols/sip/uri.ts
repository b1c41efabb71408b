import { MalformedSip } from './malformed-sip.ts'
import { noParams, type Params, writeParams } from './params.ts'

/** A SIP, SIPS or tel: URI (RFC 3261 §19.1, RFC 3966), its parts as written. Of other schemes only `opaque` is read. */
export interface Uri {
  /** Lower case. */
  readonly scheme: string
  /** For tel: the number. */
  readonly user?: string
  readonly password?: string
  /** As written; an IPv6 reference keeps its brackets. Empty for tel: and other schemes. */
  readonly host: string
  readonly port?: number
  /** Names are lower case, with escapes undone. */
  readonly params: Params
  /** What follows `?`, without it. */
  readonly headers: string
  /** What follows the colon, for a scheme that is not read any further. */
  readonly opaque?: string
}

/** Reads a URI. Throws MalformedSip when it is none, or a sip:, sips: or tel: that does not follow its grammar. */
export function readUri(text: string): Uri {
  const colon = text.indexOf(':')
  const scheme = text.slice(0, colon === -1 ? 0 : colon).toLowerCase()
  if (scheme === 'sip' || scheme === 'sips') return readSipUri(text, scheme, colon + 1)
  if (scheme === 'tel') return readTelUri(text)
  if (!schemes.test(scheme) || !opaqueChars.test(text)) throw new MalformedSip('not a URI')
  return { scheme, host: '', params: noParams, headers: '', opaque: text.slice(colon + 1) }
}

const schemes = /^[a-z][a-z0-9+\-.]*$/
const opaqueChars = /^[^\x00-\x20"<>\x7f]+$/
const userChars = /^(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[0-9A-Fa-f]{2})+$/
const passwordChars = /^(?:[A-Za-z0-9\-_.!~*'()&=+$,]|%[0-9A-Fa-f]{2})*$/
const hosts = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_\-.]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\])$/
const paramChars = /^(?:[A-Za-z0-9\-_.!~*'()[\]/:&+$]|%[0-9A-Fa-f]{2})+$/
const headerChars = /^(?:[A-Za-z0-9\-_.!~*'()[\]/?:+$=&]|%[0-9A-Fa-f]{2})+$/
const telNumbers = /^(?:\+[0-9\-.()]+|[0-9A-Fa-f*#\-.()]+)$/

function readSipUri(text: string, scheme: string, from: number): Uri {
  const at = text.indexOf('@', from)
  const hostFrom = at === -1 ? from : at + 1
  const question = text.indexOf('?', hostFrom)
  const semicolon = text.indexOf(';', hostFrom)
  const paramsEnd = question === -1 ? text.length : question
  const hostEnd = semicolon === -1 || semicolon > paramsEnd ? paramsEnd : semicolon
  const { host, port } = readHostPort(text.slice(hostFrom, hostEnd))
  const headers = question === -1 ? '' : text.slice(question + 1)
  if (question !== -1 && !headerChars.test(headers)) throw new MalformedSip('not the headers of a SIP URI')
  return {
    scheme,
    ...(at !== -1 && readUserInfo(text.slice(from, at))),
    host,
    ...(port !== undefined && { port }),
    params: hostEnd === paramsEnd ? noParams : readUriParams(text.slice(hostEnd + 1, paramsEnd)),
    headers,
  }
}

function readUserInfo(text: string): { user: string; password?: string } {
  const colon = text.indexOf(':')
  const user = colon === -1 ? text : text.slice(0, colon)
  if (!userChars.test(user)) throw new MalformedSip('not the user part of a SIP URI')
  if (colon === -1) return { user }
  const password = text.slice(colon + 1)
  if (!passwordChars.test(password)) throw new MalformedSip('not the password of a SIP URI')
  return { user, password }
}

/** Reads `host [ ":" port ]`, as it stands in a URI and, without white space, in Via. */
export function readHostPort(text: string): { host: string; port?: number } {
  const colon = text.indexOf(':', text.charCodeAt(0) === 91 ? text.indexOf(']') : 0)
  const host = colon === -1 ? text : text.slice(0, colon)
  if (!hosts.test(host)) throw new MalformedSip('not a host')
  return colon === -1 ? { host } : { host, port: readPort(text.slice(colon + 1)) }
}

export function readPort(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY
  if (port > 65535) throw new MalformedSip('not a port')
  return port
}

function readUriParams(text: string): Params {
  const params = new Map<string, string | undefined>()
  for (const param of text.split(';')) {
    const equals = param.indexOf('=')
    const name = equals === -1 ? param : param.slice(0, equals)
    const value = equals === -1 ? undefined : param.slice(equals + 1)
    if (!paramChars.test(name) || (value !== undefined && !paramChars.test(value))) {
      throw new MalformedSip('not a parameter of a URI')
    }
    const folded = unescaped(name).toLowerCase()
    if (!params.has(folded)) params.set(folded, value)
  }
  return params
}

function readTelUri(text: string): Uri {
  const semicolon = text.indexOf(';')
  const user = text.slice(4, semicolon === -1 ? text.length : semicolon)
  if (!telNumbers.test(user) || digitsOf(user).replace('+', '') === '') throw new MalformedSip('not a telephone number')
  const params = semicolon === -1 ? noParams : readUriParams(text.slice(semicolon + 1))
  return { scheme: 'tel', user, host: '', params, headers: '' }
}

/** Undoes the escapes of characters that a URI may as well hold plain; the others keep theirs, in upper case. */
export function unescaped(text: string): string {
  if (!text.includes('%')) return text
  return text.replace(/%[0-9A-Fa-f]{2}/g, (written) => {
    const plain = String.fromCharCode(Number.parseInt(written.slice(1), 16))
    return /[A-Za-z0-9\-_.!~*'()]/.test(plain) ? plain : written.toUpperCase()
  })
}

export function writeUri(uri: Uri): string {
  if (uri.opaque !== undefined) return `${uri.scheme}:${uri.opaque}`
  const password = uri.password === undefined ? '' : `:${uri.password}`
  const user = uri.user === undefined ? '' : `${uri.user}${password}${uri.scheme === 'tel' ? '' : '@'}`
  const port = uri.port === undefined ? '' : `:${uri.port}`
  return `${uri.scheme}:${user}${uri.host}${port}${writeParams(uri.params)}${uri.headers && `?${uri.headers}`}`
}

/** Parameters that must be in both or in neither (RFC 3261 §19.1.4). */
const telling = ['user', 'ttl', 'method', 'maddr', 'transport'] as const

/** Whether two URIs are the same (RFC 3261 §19.1.4; for tel: RFC 3966 §4). Needless escapes do not matter. */
export function sameUri(a: Uri, b: Uri): boolean {
  if (a.scheme !== b.scheme) return false
  if (a.opaque !== undefined || b.opaque !== undefined) return a.opaque === b.opaque
  return sameAuthority(a, b) && sameParams(a, b) && sameHeaders(a.headers, b.headers)
}

function sameAuthority(a: Uri, b: Uri): boolean {
  if (a.scheme === 'tel') return digitsOf(a.user ?? '') === digitsOf(b.user ?? '')
  return (
    escapesFolded(a.user) === escapesFolded(b.user) &&
    escapesFolded(a.password) === escapesFolded(b.password) &&
    a.host.toLowerCase() === b.host.toLowerCase() &&
    a.port === b.port
  )
}

const escapesFolded = (text: string | undefined) => (text === undefined ? undefined : unescaped(text))
const valueFolded = (value: string | undefined) => unescaped(value ?? '').toLowerCase()

/** A telephone number without visual separators (RFC 3966 §5.1.1). */
export const digitsOf = (number: string): string => number.replace(/[-.()]/g, '').toLowerCase()

function sameParams(a: Uri, b: Uri): boolean {
  for (const name of telling) if (a.params.has(name) !== b.params.has(name)) return false
  for (const [name, value] of a.params) {
    if (b.params.has(name) && valueFolded(value) !== valueFolded(b.params.get(name))) return false
  }
  if (a.scheme !== 'tel') return true
  return a.params.size === b.params.size && [...a.params.keys()].every((name) => b.params.has(name))
}

/** Header components matter always, their order does not. */
function sameHeaders(a: string, b: string): boolean {
  if (a === b) return true
  const folded = (headers: string) => headers.split('&').map(headerFolded).sort().join('&')
  return folded(a) === folded(b)
}

function headerFolded(header: string): string {
  const equals = header.indexOf('=')
  return `${unescaped(header.slice(0, equals)).toLowerCase()}=${unescaped(header.slice(equals + 1))}`
}
