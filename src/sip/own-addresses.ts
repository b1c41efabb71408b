import { networkInterfaces } from 'node:os'
import {
  defaultPort,
  familyOf,
  hostPort,
  isAnyAddress,
  type ListeningAddress,
  plainAddress,
  type Transport,
  viaTransport,
} from './addresses.ts'
import type { Flow } from './transport/flow.ts'

/** What this server calls itself: in Via, in Record-Route and Path, and when it sees itself in a Route. */
export class OwnAddresses {
  #listening: readonly ListeningAddress[] = []
  readonly #advertised: { host: string; port: number | undefined } | undefined
  readonly #nameless: string
  /** Asked for once: the question costs more than a message. */
  #machine: ReadonlySet<string> | undefined
  readonly #sentBy = new Map<string, Map<number, string>>()

  /** `nameless` stands where there is no address to be reached at (RFC 7118 §5.2.1). */
  constructor(advertise: string | undefined, nameless: string) {
    this.#advertised = advertise === undefined ? undefined : readAdvertise(advertise)
    this.#nameless = nameless
  }

  /** The addresses with the ports that the kernel chose. */
  listensOn(listening: readonly ListeningAddress[]): void {
    this.#listening = listening
  }

  /** `sent-by` for a request that goes over `flow`. */
  sentBy(flow: Flow): string {
    const { remoteAddress: remote } = flow
    const port = flow.transport === 'udp' ? (flow.localPort ?? 0) : 0
    const key = port * 4 + (remote.includes(':') ? 2 : 0) + (isLoopback(remote) ? 1 : 0)
    return this.#sentBy.get(flow.transport)?.get(key) ?? this.#newSentBy(flow, key)
  }

  #newSentBy(flow: Flow, key: number): string {
    const listen = this.#listenerFor(flow)
    if (listen === undefined) return this.#sentByWithoutListener(flow)
    const made = hostPort(this.#hostOf(listen, flow.remoteAddress), this.#portOf(listen))
    const ofTransport = this.#sentBy.get(flow.transport) ?? new Map<number, string>()
    this.#sentBy.set(flow.transport, ofTransport.set(key, made))
    return made
  }

  /** The URI that leads back here over `transport`, for Record-Route, Path and their like. */
  uri(transport: Transport): string {
    const listen = this.#listening.find((each) => each.transport === transport) ?? this.#listening[0]
    if (listen === undefined) return `sip:${this.#nameless}`
    const where = hostPort(this.#hostOf(listen, undefined), this.#portOf(listen))
    return listen.transport === 'udp' ? `sip:${where}` : `sip:${where};transport=${listen.transport}`
  }

  /** Whether `host` and `port` of a URI are this server: listened on, or advertised. */
  includes(host: string, port: number | undefined): boolean {
    const address = plainAddress(host).toLowerCase()
    return this.#listening.some((listen) => {
      const ports = [listen.port, this.#portOf(listen)]
      if (!ports.includes(port ?? defaultPort[listen.transport])) return false
      if (address === this.#advertised?.host.toLowerCase()) return true
      return isAnyAddress(listen.address) ? this.#isOfThisMachine(address) : address === plainAddress(listen.address)
    })
  }

  #isOfThisMachine(address: string): boolean {
    this.#machine ??= new Set(interfaceAddresses())
    return isLoopback(address) || this.#machine.has(address)
  }

  #listenerFor(flow: Flow): ListeningAddress | undefined {
    const family = familyOf(flow.remoteAddress)
    const fit = this.#listening.filter((each) => each.transport === flow.transport)
    if (flow.transport === 'udp')
      return fit.find((each) => each.port === flow.localPort && familyOf(each.address) === family)
    return fit.find((each) => familyOf(each.address) === family) ?? fit[0]
  }

  #sentByWithoutListener(flow: Flow): string {
    if (flow.localAddress === undefined || flow.transport === 'ws' || flow.transport === 'wss') return this.#nameless
    return hostPort(plainAddress(flow.localAddress), flow.localPort)
  }

  #hostOf(listen: ListeningAddress, towards: string | undefined): string {
    if (this.#advertised) return this.#advertised.host
    return isAnyAddress(listen.address) ? interfaceTowards(listen.address, towards) : listen.address
  }

  /** The port advertised stands for that of the first listener; other ports are the same outside as inside. */
  #portOf(listen: ListeningAddress): number {
    return listen.port === this.#listening[0]?.port ? (this.#advertised?.port ?? listen.port) : listen.port
  }
}

/** `host`, `host:port`, `[::1]`, `[::1]:port`. */
function readAdvertise(text: string): { host: string; port: number | undefined } {
  const [, host = text, port] = /^(\[[^\]]+\]|[^:]+):([0-9]+)$/.exec(text) ?? []
  return { host: plainAddress(host), port: port === undefined ? undefined : Number(port) }
}

const isLoopback = (address: string) => address.startsWith('127.') || address === '::1'

function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address))
}

/** The address of this machine that a peer at `towards` would see, as far as can be known without asking the kernel. */
function interfaceTowards(any: string, towards: string | undefined): string {
  const family = familyOf(any)
  const loopback = family === 6 ? '::1' : '127.0.0.1'
  if (towards !== undefined && isLoopback(towards)) return loopback
  const fit = interfaceAddresses().filter((address) => familyOf(address) === family && !address.startsWith('fe80:'))
  return fit.find((address) => !isLoopback(address)) ?? loopback
}

export const viaValue = (transport: Transport, sentBy: string, branch: string): string =>
  transport === 'udp'
    ? `SIP/2.0/UDP ${sentBy};branch=${branch};rport`
    : `SIP/2.0/${viaTransport[transport]} ${sentBy};branch=${branch}`
