import { hash } from 'node:crypto'
import { skipSpace, skipWhile, tokenChars, valueChars } from './characters.ts'
import { MalformedSip } from './malformed-sip.ts'
import { quote, skipQuoted, unquote } from './quoted-string.ts'

/** RFC 8760 §2. */
export type DigestAlgorithm = 'MD5' | 'SHA-256'

/** A WWW-Authenticate or Proxy-Authenticate of the Digest scheme (RFC 7616 §3.3). */
export interface Challenge {
  readonly realm: string
  readonly nonce: string
  /** As written; MD5 when it was left out. An algorithm that is not known here is for the client to pass over. */
  readonly algorithm: string
  /** Lower case; empty for a server of RFC 2069. */
  readonly qop: readonly string[]
  readonly opaque?: string
  readonly stale: boolean
}

/** An Authorization or Proxy-Authorization of the Digest scheme (RFC 7616 §3.4). */
export interface Credentials {
  readonly username: string
  readonly realm: string
  readonly nonce: string
  readonly uri: string
  readonly response: string
  readonly algorithm: string
  readonly opaque?: string
  readonly qop?: string
  /** As written: eight hexadecimal digits. */
  readonly nc?: string
  readonly cnonce?: string
}

/** Reads a challenge; undefined when it is of another scheme. */
export function readChallenge(value: string): Challenge | undefined {
  const params = readDigestParams(value)
  if (params === undefined) return undefined
  const opaque = params.get('opaque')
  return {
    realm: needed(params, 'realm'),
    nonce: needed(params, 'nonce'),
    algorithm: params.get('algorithm') ?? 'MD5',
    qop: (params.get('qop') ?? '').toLowerCase().split(',').map(trimmed).filter(Boolean),
    ...(opaque !== undefined && { opaque }),
    stale: params.get('stale')?.toLowerCase() === 'true',
  }
}

const trimmed = (text: string) => text.trim()

export function writeChallenge(challenge: Challenge): string {
  return [
    `Digest realm=${quote(challenge.realm)}`,
    `nonce=${quote(challenge.nonce)}`,
    ...(challenge.opaque === undefined ? [] : [`opaque=${quote(challenge.opaque)}`]),
    `algorithm=${challenge.algorithm}`,
    ...(challenge.qop.length === 0 ? [] : [`qop="${challenge.qop.join(',')}"`]),
    ...(challenge.stale ? ['stale=true'] : []),
  ].join(', ')
}

const optional = ['opaque', 'qop', 'nc', 'cnonce'] as const

/** Reads credentials; undefined when they are of another scheme. */
export function readCredentials(value: string): Credentials | undefined {
  const params = readDigestParams(value)
  if (params === undefined) return undefined
  const credentials: Record<string, string> = {
    username: params.get('username') ?? extended(params.get('username*')) ?? needed(params, 'username'),
    realm: needed(params, 'realm'),
    nonce: needed(params, 'nonce'),
    uri: needed(params, 'uri'),
    response: needed(params, 'response'),
    algorithm: params.get('algorithm') ?? 'MD5',
  }
  for (const name of optional) {
    const given = params.get(name)
    if (given !== undefined) credentials[name] = given
  }
  return credentials as unknown as Credentials
}

/** RFC 8187: `UTF-8''J%C3%A4s%C3%B8n`; here the bytes stay latin1, as in all header text. */
function extended(value: string | undefined): string | undefined {
  const [, escaped] = /^UTF-8'[^']*'(.*)$/i.exec(value ?? '') ?? []
  return escaped?.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

export function writeCredentials(credentials: Credentials): string {
  return [
    `Digest username=${quote(credentials.username)}`,
    `realm=${quote(credentials.realm)}`,
    `nonce=${quote(credentials.nonce)}`,
    `uri=${quote(credentials.uri)}`,
    `response="${credentials.response}"`,
    `algorithm=${credentials.algorithm}`,
    ...(credentials.cnonce === undefined ? [] : [`cnonce=${quote(credentials.cnonce)}`]),
    ...(credentials.opaque === undefined ? [] : [`opaque=${quote(credentials.opaque)}`]),
    ...(credentials.qop === undefined ? [] : [`qop=${credentials.qop}`]),
    ...(credentials.nc === undefined ? [] : [`nc=${credentials.nc}`]),
  ].join(', ')
}

/** The parameters after `Digest`, unquoted, by lower-case name (RFC 7235 §2.1, empty list elements allowed). */
function readDigestParams(value: string): Map<string, string> | undefined {
  const start = skipSpace(value, 0)
  if (value.slice(start, start + 7).toLowerCase() !== 'digest ') return undefined
  const params = new Map<string, string>()
  for (let at = skipSeparators(value, start + 7); at < value.length; ) {
    const equals = skipSpace(value, skipWhile(value, at, tokenChars))
    const name = value.slice(at, equals).trimEnd().toLowerCase()
    if (name === '' || value.charCodeAt(equals) !== 61) throw new MalformedSip('not the parameters of Digest')
    const from = skipSpace(value, equals + 1)
    const end = value.charCodeAt(from) === 34 ? skipQuoted(value, from) : skipWhile(value, from, bareChars)
    if (end === from) throw new MalformedSip('a Digest parameter without a value')
    if (params.has(name)) throw new MalformedSip('a Digest parameter comes twice')
    params.set(name, unquote(value.slice(from, end)))
    at = skipSpace(value, end)
    if (at < value.length && value.charCodeAt(at) !== 44) throw new MalformedSip('Digest parameters without a comma')
    at = skipSeparators(value, at)
  }
  return params
}

/** Peers write base64 unquoted at times. */
const bareChars: Uint8Array = Uint8Array.from(valueChars, (member, code) => (code === 61 ? 1 : member))

function skipSeparators(text: string, from: number): number {
  let at = skipSpace(text, from)
  while (text.charCodeAt(at) === 44) at = skipSpace(text, at + 1)
  return at
}

function needed(params: ReadonlyMap<string, string>, name: string): string {
  const value = params.get(name)
  if (value === undefined) throw new MalformedSip(`Digest without ${name}`)
  return value
}

const hashNames = { MD5: 'md5', 'SHA-256': 'sha256' } as const satisfies Record<DigestAlgorithm, string>

/** The algorithm under its proper name; undefined when it is none of ours. */
export function digestAlgorithm(written: string): DigestAlgorithm | undefined {
  const upper = written.toUpperCase()
  return upper === 'MD5' || upper === 'SHA-256' ? upper : undefined
}

/** H(A1) in hexadecimal (RFC 7616 §3.4.2). User, realm and password are text here and hashed as UTF-8. */
export function ha1(algorithm: DigestAlgorithm, username: string, realm: string, password: string): string {
  return hash(hashNames[algorithm], `${username}:${realm}:${password}`)
}

export interface DigestInput {
  readonly algorithm: DigestAlgorithm
  readonly ha1: string
  readonly method: string
  readonly uri: string
  readonly nonce: string
  /** Without it the response is that of RFC 2069. */
  readonly qop?: 'auth'
  readonly nc?: string
  readonly cnonce?: string
}

/** The `response` in hexadecimal (RFC 7616 §3.4.1). What came from the wire is hashed as the bytes it was. */
export function digestResponse(input: DigestInput): string {
  const name = hashNames[input.algorithm]
  const ha2 = hash(name, Buffer.from(`${input.method}:${input.uri}`, 'latin1'))
  const middle = input.qop === undefined ? '' : `${input.nc ?? ''}:${input.cnonce ?? ''}:${input.qop}:`
  return hash(name, Buffer.from(`${input.ha1}:${input.nonce}:${middle}${ha2}`, 'latin1'))
}
