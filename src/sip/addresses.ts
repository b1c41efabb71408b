export type Transport = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss'

export interface ListeningAddress {
  readonly transport: Transport
  readonly address: string
  readonly port: number
}

/** The way a request came: the flow over which its sender can be reached again (RFC 5626), and its other end. */
export interface Source {
  /** Names the flow for as long as it lives; for UDP also after a restart. */
  readonly flow: string
  readonly transport: Transport
  readonly address: string
  readonly port: number
  readonly trusted: boolean
}

/** Where a request goes: over `flow` if it is open (`flowOnly`: or not at all), else to its top Route, else `uri`, else its request-URI. */
export interface Target {
  readonly flow?: string
  readonly flowOnly?: boolean
  readonly uri?: string
  /** Goes before the top Route: a strict router (RFC 3261 §12.2.1.1). */
  readonly nextHop?: string
  /** Of a request that is passed on: the request-URI that it came with. */
  readonly receivedUri?: string
}

/** One address to try, as RFC 3263 finds it. */
export interface Hop {
  readonly transport: Transport
  readonly address: string
  readonly port: number
  /** The name that a certificate must carry. */
  readonly host: string
  /** The URI asked for this transport: a large request does not leave UDP then. */
  readonly explicit: boolean
}

/** The transport as a Via names it (RFC 3261 §20.42, RFC 7118 §5.2). */
export const viaTransport = { udp: 'UDP', tcp: 'TCP', tls: 'TLS', ws: 'WS', wss: 'WSS' } as const satisfies Record<
  Transport,
  string
>

/** What a URI without a port means (RFC 3261 §19.1.2, RFC 7118 §5.4). */
export const defaultPort = { udp: 5060, tcp: 5060, tls: 5061, ws: 80, wss: 443 } as const satisfies Record<
  Transport,
  number
>

export function isTransport(name: string): name is Transport {
  return name in viaTransport
}

export const isSecure = (transport: Transport) => transport === 'tls' || transport === 'wss'

/** An address and port as written in a URI or Via: IPv6 in brackets. */
export function hostPort(address: string, port: number | undefined): string {
  const host = address.includes(':') ? `[${address}]` : address
  return port === undefined ? host : `${host}:${port}`
}

/** `address` without brackets and zone; IPv4 written as IPv6 (`::ffff:10.0.0.1`) as IPv4, so that one peer has one name. */
export function plainAddress(address: string): string {
  const bare = address.startsWith('[') ? address.slice(1, -1) : address
  return bare.startsWith('::ffff:') && bare.includes('.') ? bare.slice(7) : bare
}

/** Takes `host:port` apart; brackets go. Undefined when there is no port that can be. */
export function readHostPort(text: string): { address: string; port: number } | undefined {
  const colon = text.lastIndexOf(':')
  const port = Number(text.slice(colon + 1))
  const address = plainAddress(text.slice(0, colon))
  if (colon < 1 || !Number.isInteger(port) || port < 1 || port > 65535) return undefined
  return { address, port }
}

export const isAnyAddress = (address: string) => address === '0.0.0.0' || address === '::'
export const familyOf = (address: string) => (address.includes(':') ? 6 : 4)
