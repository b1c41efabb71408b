import { MalformedCpim } from './malformed-cpim.ts'

/** A message header field. `namespace` is the URI that its prefix stands for; '' is that of RFC 3862 itself. */
export interface CpimHeader {
  readonly namespace: string
  readonly name: string
  readonly value: string
}

/** A message/cpim body (RFC 3862 §2): message headers, then one MIME entity. */
export interface Cpim {
  /** In order; NS header fields are resolved and left out. */
  readonly headers: readonly CpimHeader[]
  /** The header fields of the MIME entity, names in lower case. */
  readonly content: ReadonlyMap<string, string>
  readonly body: Buffer
}

export interface CpimLimits {
  readonly headers: number
  readonly headerBytes: number
}

export const coreNamespace = 'urn:ietf:params:cpim-headers:'
export const cpimLimits: CpimLimits = { headers: 64, headerBytes: 16_384 }

/** Reads a message/cpim body. Throws MalformedCpim. */
export function readCpim(bytes: Buffer, limits: CpimLimits = cpimLimits): Cpim {
  const head = takeBlock(bytes, 0, limits)
  const entity = takeBlock(bytes, head.end, limits)
  return { headers: resolve(head.lines), content: contentHeaders(entity.lines), body: bytes.subarray(entity.end) }
}

/** The first value of the header field `name` of `namespace`. */
export function cpimHeader(message: Cpim, name: string, namespace = ''): string | undefined {
  return message.headers.find((header) => header.name === name && header.namespace === namespace)?.value
}

/** Lines up to an empty one. A lone LF ends a line as well: early clients write so. */
function takeBlock(bytes: Buffer, from: number, limits: CpimLimits): { lines: string[]; end: number } {
  const lines: string[] = []
  let at = from
  for (;;) {
    const end = bytes.indexOf(0x0a, at)
    if (end === -1) throw new MalformedCpim('header fields without an end')
    if (end - from > limits.headerBytes) throw new MalformedCpim('header fields too long')
    const text = bytes.toString('utf8', at, bytes[end - 1] === 0x0d && end > at ? end - 1 : end)
    at = end + 1
    if (text === '') return { lines, end: at }
    if (lines.length === limits.headers) throw new MalformedCpim('too many header fields')
    // Some writers begin with an empty line or fold as MIME does; a folded line belongs to the one above (RFC 2045).
    if (/^[ \t]/.test(text) && lines.length > 0) lines[lines.length - 1] += ` ${text.trim()}`
    else lines.push(text)
  }
}

/** `Header-name: value`, the name with an optional prefix (RFC 3862 §3.3, §3.4). */
const field = /^([!#$%&'*+\-0-9A-Z^_`a-z|~]+(?:\.[!#$%&'*+\-.0-9A-Z^_`a-z|~]+)?)(?:;[^:]*)?:[ \t]*(.*)$/

function resolve(lines: readonly string[]): CpimHeader[] {
  const namespaces = new Map([['', '']])
  const headers: CpimHeader[] = []
  for (const line of lines) {
    const [, written, value] = field.exec(line) ?? []
    if (written === undefined || value === undefined) throw new MalformedCpim('not a header field')
    if (written === 'NS') declare(namespaces, unescaped(value))
    else headers.push(resolved(namespaces, written, unescaped(value)))
  }
  return headers
}

/** `NS: prefix <uri>` (RFC 3862 §4.6); without a prefix it sets the default namespace. */
function declare(namespaces: Map<string, string>, value: string): void {
  const [, prefix, uri] = /^(?:([^\s<]+)\s+)?<([^<>]*)>\s*$/.exec(value) ?? []
  if (uri === undefined) throw new MalformedCpim('NS without a URI')
  namespaces.set(prefix ?? '', uri === coreNamespace ? '' : uri)
}

/** An undeclared prefix stands for itself: the field is of no namespace that anybody knows. */
function resolved(namespaces: ReadonlyMap<string, string>, written: string, value: string): CpimHeader {
  const dot = written.indexOf('.')
  if (dot === -1) return { namespace: namespaces.get('') ?? '', name: written, value }
  const prefix = written.slice(0, dot)
  return { namespace: namespaces.get(prefix) ?? `${prefix}.`, name: written.slice(dot + 1), value }
}

const escapes: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', r: '\r' }

/** RFC 3862 §2.2: `\uxxxx`, `\b`, `\t`, `\n`, `\r`, and any other character after a backslash stands for itself. */
function unescaped(value: string): string {
  if (!value.includes('\\')) return value
  return value.replace(/\\(?:u([0-9A-Fa-f]{4})|(.))/gs, (_, code: string | undefined, one: string) =>
    code === undefined ? (escapes[one] ?? one) : String.fromCharCode(Number.parseInt(code, 16)),
  )
}

function contentHeaders(lines: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon < 1) throw new MalformedCpim('not a MIME header field')
    const name = line.slice(0, colon).trim().toLowerCase()
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim())
  }
  return headers
}

/** The bytes of a message/cpim body. Each foreign namespace gets its prefix from `prefixes` (URI to prefix). */
export function writeCpim(message: Cpim, prefixes: ReadonlyMap<string, string> = new Map()): Buffer {
  let head = ''
  for (const [uri, prefix] of prefixes) head += `NS: ${prefix} <${uri}>\r\n`
  for (const { namespace, name, value } of message.headers) {
    const prefix = namespace === '' ? '' : `${prefixes.get(namespace) ?? unprefixed(namespace)}.`
    head += `${prefix}${name}: ${escaped(value)}\r\n`
  }
  head += '\r\n'
  for (const [name, value] of message.content) head += `${properCase(name)}: ${value}\r\n`
  return Buffer.concat([Buffer.from(`${head}\r\n`, 'utf8'), message.body])
}

function unprefixed(namespace: string): never {
  throw new MalformedCpim(`no prefix for ${namespace}`)
}

function escaped(value: string): string {
  return value.replace(/[\\\u0000-\u001f\u007f]/g, (one) =>
    one === '\\' ? '\\\\' : `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

const properCase = (name: string): string => name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
