import type { NaptrRecord, SrvRecord } from 'node:dns'
import { isIP } from 'node:net'
import { readUri, type Uri } from '../protocols/sip/uri.ts'
import { defaultPort, type Hop, isTransport, plainAddress, type Transport } from './addresses.ts'
import type { Dns } from './dns-cache.ts'

export interface ResolverOptions {
  readonly dns: Dns
  /** The static route for a host, before any DNS: a SIP URI. */
  readonly routeFor?: ((host: string) => string | undefined) | undefined
  /** What requests can leave by. */
  readonly supports: (transport: Transport) => boolean
  /** 0 to 1, for the weights of SRV. */
  readonly random: () => number
}

/** NAPTR services (RFC 3263 §4.1, RFC 7118 §5.3). */
const services: Readonly<Record<string, Transport>> = {
  'sip+d2u': 'udp',
  'sip+d2t': 'tcp',
  'sips+d2t': 'tls',
  'sip+d2w': 'ws',
  'sips+d2w': 'wss',
}

/** What SRV is asked for, best first, where there is no NAPTR (RFC 3263 §4.1). */
const srvNames = [
  ['tls', '_sips._tcp'],
  ['udp', '_sip._udp'],
  ['tcp', '_sip._tcp'],
] as const satisfies readonly (readonly [Transport, string])[]

/** Finds the addresses to try for a URI, in order (RFC 3263 §4). An address in numbers is answered on the spot. */
export class Resolver {
  readonly #options: ResolverOptions

  constructor(options: ResolverOptions) {
    this.#options = options
  }

  /** Empty when there is no way there. Throws MalformedSip when the URI cannot be read. */
  resolve(uriText: string): readonly Hop[] | Promise<readonly Hop[]> {
    const uri = readUri(uriText)
    const route = this.#options.routeFor?.(uri.host.toLowerCase())
    return this.#resolveUri(route === undefined ? uri : readUri(route))
  }

  #resolveUri(uri: Uri): readonly Hop[] | Promise<readonly Hop[]> {
    const host = plainAddress(uri.host)
    const target = plainAddress(uri.params.get('maddr') ?? uri.host)
    if (host === '' || (uri.scheme !== 'sip' && uri.scheme !== 'sips')) return []
    const secure = uri.scheme === 'sips'
    const asked = transportAsked(uri, secure)
    if (asked === null) return []
    const explicit = asked !== undefined
    const transport = asked ?? this.#usual(secure)
    const port = uri.port ?? defaultPort[transport]
    if (isIP(target) !== 0) return [{ transport, address: target, port, host, explicit }]
    if (uri.port !== undefined) return this.#addresses(host, target, transport, port, explicit)
    return asked === undefined ? this.#byServices(host, target, secure) : this.#byTransport(host, target, asked)
  }

  /** The transport where nothing says which (RFC 3263 §4.1): UDP, TLS for sips. */
  #usual(secure: boolean): Transport {
    if (secure) return 'tls'
    return this.#options.supports('udp') ? 'udp' : 'tcp'
  }

  /** NAPTR says which transports there are; without any, SRV of each does. */
  async #byServices(host: string, target: string, secure: boolean): Promise<readonly Hop[]> {
    const records = usable(await this.#options.dns.naptr(target), secure, this.#options.supports)
    for (const { transport, name } of records) {
      const hops = await this.#servers(host, name, transport, false)
      if (hops.length > 0) return hops
    }
    for (const [transport, prefix] of srvNames) {
      // Without NAPTR nobody has said that TLS is wanted; sips does.
      if ((transport === 'tls') !== secure || !this.#options.supports(transport)) continue
      const hops = await this.#servers(host, `${prefix}.${target}`, transport, false)
      if (hops.length > 0) return hops
    }
    const transport = this.#usual(secure)
    return this.#addresses(host, target, transport, defaultPort[transport], false)
  }

  async #byTransport(host: string, target: string, transport: Transport): Promise<readonly Hop[]> {
    const prefix = srvNames.find(([each]) => each === transport)?.[1]
    const hops = prefix === undefined ? [] : await this.#servers(host, `${prefix}.${target}`, transport, true)
    return hops.length > 0 ? hops : this.#addresses(host, target, transport, defaultPort[transport], true)
  }

  /** All addresses of all servers that SRV names, in the order to try them. */
  async #servers(host: string, srvName: string, transport: Transport, explicit: boolean): Promise<readonly Hop[]> {
    const records = inOrder(await this.#options.dns.srv(srvName), this.#options.random)
    const hops = records.map(({ name, port }) => this.#addresses(host, name, transport, port, explicit))
    return (await Promise.all(hops)).flat()
  }

  /** `host` is the name in the URI: a certificate is for that one, not for what SRV or maddr names (RFC 5922 §4). */
  async #addresses(
    host: string,
    name: string,
    transport: Transport,
    port: number,
    explicit: boolean,
  ): Promise<readonly Hop[]> {
    const addresses = await this.#options.dns.addresses(name)
    return addresses.slice(0, mostAddresses).map((address) => ({ transport, address, port, host, explicit }))
  }
}

const mostAddresses = 8

/** Null: one that does not exist here. With sips, the secure one of it (RFC 3261 §19.1.2, §26.2.2). */
function transportAsked(uri: Uri, secure: boolean): Transport | undefined | null {
  const name = uri.params.get('transport')?.toLowerCase()
  if (name === undefined) return undefined
  if (!isTransport(name)) return null
  if (!secure) return name
  return name === 'tcp' || name === 'tls' ? 'tls' : name === 'ws' || name === 'wss' ? 'wss' : null
}

/** The NAPTR records that can be used, best first, each as a transport and the name to ask SRV for. */
function usable(records: readonly NaptrRecord[], secure: boolean, supports: (transport: Transport) => boolean) {
  const found = records.flatMap((record) => {
    const transport = services[record.service.toLowerCase()]
    const fits = record.flags.toLowerCase() === 's' && transport !== undefined && supports(transport)
    if (!fits || (secure && transport !== 'tls' && transport !== 'wss')) return []
    return [{ transport, name: record.replacement, order: record.order, preference: record.preference }]
  })
  return found.sort((a, b) => a.order - b.order || a.preference - b.preference)
}

/** By priority; among equals drawn by weight, those of weight 0 hardly ever first (RFC 2782). */
function inOrder(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
  // `.` as the only target: the service is decidedly not there.
  const left = records.filter(({ name }) => name !== '' && name !== '.').sort(byPriorityThenWeight)
  const drawn: SrvRecord[] = []
  while (left.length > 0) drawn.push(draw(left, random))
  return drawn
}

const byPriorityThenWeight = (a: SrvRecord, b: SrvRecord) => a.priority - b.priority || a.weight - b.weight

function draw(left: SrvRecord[], random: () => number): SrvRecord {
  const priority = left[0]?.priority
  const equals = left.filter((record) => record.priority === priority)
  const sum = equals.reduce((total, { weight }) => total + weight, 0)
  const mark = Math.floor(random() * (sum + 1))
  let running = 0
  const at = equals.findIndex(({ weight }) => {
    running += weight
    return running >= mark
  })
  return left.splice(Math.max(at, 0), 1)[0] as SrvRecord
}
