import { isIP, isIPv6 } from 'node:net'
import { z } from 'zod'

/** A socket that the server opens. */
export interface ListenAddress<Transport extends string = string> {
  readonly transport: Transport
  readonly address: string
  readonly port: number
}

export interface PortRange {
  readonly first: number
  readonly last: number
}

/** Where requests for a domain of others go, before DNS is asked. */
export interface DomainRoute {
  readonly domain: string
  readonly uri: string
}

const transports = ['udp', 'tcp', 'tls', 'ws', 'wss'] as const
const msrpTransports = ['tcp', 'tls', 'ws', 'wss'] as const

/** A value written as text. `form` says what it has to look like: it is the remedy when `read` cannot make sense of it. */
export function readAs<T>(form: string, read: (text: string) => T | undefined) {
  return z.string().transform((text, context): T => {
    const value = read(text.trim())
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message: form })
    return z.NEVER
  })
}

/** A comma-separated list; each item is read by `read`. */
export function listOf<T>(form: string, read: (text: string) => T | undefined, least = 0) {
  return readAs(form, (text): readonly T[] | undefined => {
    const items = splitList(text).map(read)
    return items.length < least || items.includes(undefined) ? undefined : (items as T[])
  })
}

export function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

export const text = (form: string, pattern: RegExp) =>
  readAs(form, (value) => (pattern.test(value) ? value : undefined))

export const oneOf = <T extends string>(...names: readonly T[]) =>
  readAs(`give ${names.slice(0, -1).join(', ')} or ${names.at(-1)}`, (value) => names.find((name) => name === value))

export const yesOrNo = () =>
  readAs('give true or false', (value) => (({ true: true, false: false }) as Record<string, boolean>)[value])

export function whole(least: number, most: number, unit: string) {
  return readAs(`give a whole number of ${unit}, ${least} to ${most}`, (value) =>
    within(/^\d{1,15}$/.test(value) ? Number(value) : undefined, least, most),
  )
}

/** `4s`, `500ms`, `2m`, or plain seconds; the value is in milliseconds. Bounds are in milliseconds. */
export function duration(least: number, most: number) {
  const form = `give a time such as 4s, 500ms, 5m or 1h, ${writeDuration(least)} to ${writeDuration(most)}`
  return readAs(form, (value) => within(readQuantity(value, millisecondsIn), least, most))
}

/** `64KiB`, `1MiB`, or plain bytes. */
export function size(least: number, most: number) {
  const form = `give a size such as 65536, 64KiB or 1MiB, ${writeSize(least)} to ${writeSize(most)}`
  return readAs(form, (value) => within(readQuantity(value, bytesIn), least, most))
}

const millisecondsIn: Record<string, number> = { '': 1000, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const bytesIn: Record<string, number> = {
  '': 1,
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1_000_000,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
}

function readQuantity(value: string, units: Record<string, number>): number | undefined {
  const [, amount, unit] = /^(\d{1,12}(?:\.\d{1,3})?) ?([a-zA-Z]{0,3})$/.exec(value) ?? []
  const factor = unit === undefined || !Object.hasOwn(units, unit) ? undefined : units[unit]
  return amount === undefined || factor === undefined ? undefined : Math.round(Number(amount) * factor)
}

const within = (value: number | undefined, least: number, most: number) =>
  value !== undefined && value >= least && value <= most ? value : undefined

function writeDuration(milliseconds: number): string {
  if (milliseconds % 86_400_000 === 0 && milliseconds > 0) return `${milliseconds / 86_400_000}d`
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`
}

const writeSize = (bytes: number) => (bytes % 1024 === 0 && bytes > 0 ? `${bytes / 1024}KiB` : `${bytes}`)

/** `udp:127.0.0.1:5060`, `tls:[::1]:5061`. */
export const readSipListen = (value: string) => readListen(value, transports)

/** `tcp:127.0.0.1:2855`, `ws:[::1]:2856`. */
export const readMsrpListen = (value: string) => readListen(value, msrpTransports)

function readListen<Name extends string>(value: string, names: readonly Name[]): ListenAddress<Name> | undefined {
  const colon = value.indexOf(':')
  const transport = names.find((name) => name === value.slice(0, colon))
  const rest = readAddressAndPort(value.slice(colon + 1))
  return transport && rest && { transport, ...rest }
}

/** `127.0.0.1:8080`, `[::1]:8080`. */
export function readAddressAndPort(value: string): { address: string; port: number } | undefined {
  const [, inBrackets, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(value) ?? []
  const address = inBrackets ?? plain ?? ''
  const known = inBrackets === undefined ? isIP(address) === 4 : isIPv6(address)
  const port = Number(digits)
  return known && port <= 65_535 ? { address, port } : undefined
}

/** A name of a=rtpmap (RFC 8866 §6.6); names compare without regard to case. */
export const readCodec = (value: string): string | undefined =>
  /^[\w!#$%&'*+.^`{|}~-]{1,64}$/.test(value) ? value.toLowerCase() : undefined

/** A name as one segment of a path. */
export const readStoreName = (value: string): string | undefined => (/^[\w.-]{1,64}$/.test(value) ? value : undefined)

/** `40000-49999`. */
export function readPortRange(value: string): PortRange | undefined {
  const [, first, last] = /^(\d{1,5})-(\d{1,5})$/.exec(value)?.map(Number) ?? []
  if (first === undefined || last === undefined) return undefined
  const pair = first + (first % 2) + 1 // RTP has an even port, RTCP the one after it
  return first >= 1 && pair <= last && last <= 65_535 ? { first, last } : undefined
}

/** `127.0.0.1:2223`, `[::1]:2223`, `rtpengine.example.org:2223`. */
export function readHostAndPort(value: string): { host: string; port: number } | undefined {
  const [, name = '', digits] = /^(.*):(\d{1,5})$/.exec(value) ?? []
  const [host, port] = [readHost(name), Number(digits)]
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : undefined
}

/** An address, with a port or without. */
export function readDnsServer(value: string): string | undefined {
  return isIP(value) !== 0 || (readAddressAndPort(value)?.port ?? 0) > 0 ? value : undefined
}

export const readIpAddress = (value: string): string | undefined => (isIP(value) === 0 ? undefined : value)

/** An address, or a range of them: `10.0.0.0/8`. */
export function readAddressRange(value: string): string | undefined {
  const [address = '', bits, more] = value.split('/')
  const family = isIP(address)
  if (family === 0 || more !== undefined) return undefined
  const known = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  return known ? value : undefined
}

/** `other.test=sip:10.0.0.2:5060;transport=tcp`. */
export function readRoute(value: string): DomainRoute | undefined {
  const [, domain, uri] = /^([^=\s]+)=(sips?:[^\s,]+)$/i.exec(value) ?? []
  if (domain === undefined || uri === undefined || !hostName.test(domain)) return undefined
  return { domain: domain.toLowerCase(), uri }
}

export const hostName = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i

/** A host name or an address, an IPv6 address with or without brackets. */
export function readHost(value: string): string | undefined {
  const bare = value.replace(/^\[(.*)\]$/, '$1')
  return isIP(bare) !== 0 || (hostName.test(value) && !/^[\d.]+$/.test(value)) ? bare : undefined
}

export function readDatabaseUrl(value: string): string | undefined {
  return /^postgres(ql)?:\/\/\S+$/.test(value) && URL.canParse(value) ? value : undefined
}

export function readWebhook(written: string): string | undefined {
  const url = URL.canParse(written) ? new URL(written) : undefined
  return url?.protocol === 'https:' || url?.protocol === 'http:' ? url.href : undefined
}

/** What paths are put behind: no query, and no slash at the end. */
export function readBaseUrl(written: string): string | undefined {
  const url = URL.canParse(written) ? new URL(written) : undefined
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:'
  return isWeb && url.search === '' && url.hash === '' ? url.href.replace(/\/+$/, '') : undefined
}

/** A SIP address, with or without a user part, and nothing besides. */
export const readTextSearch = (value: string): string | undefined =>
  /^[a-z_][a-z0-9_]{0,62}$/.test(value) ? value : undefined

export const readSipUri = (value: string): string | undefined =>
  /^sip:([\w.!~*'()%&=+$-]{1,64}@)?[\w.-]{1,253}$/.test(value) ? value : undefined
