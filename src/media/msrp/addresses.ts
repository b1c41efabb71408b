import { isIP } from 'node:net'

export type MsrpTransport = 'tcp' | 'tls' | 'ws' | 'wss'

export interface MsrpAddress {
  readonly transport: MsrpTransport
  readonly address: string
  readonly port: number
}

export const isSecure = (transport: MsrpTransport) => transport === 'tls' || transport === 'wss'

/** What a URI says after its `;` (RFC 4975 §6, RFC 7977 §5.1). */
export const uriTransport = (transport: MsrpTransport) =>
  transport === 'ws' || transport === 'wss' ? ('ws' as const) : ('tcp' as const)

/** An address that cannot be listened on. */
export class MsrpUnlistenable extends Error {
  readonly listen: MsrpAddress
  constructor(listen: MsrpAddress, cause: unknown) {
    super(`${listen.transport}:${listen.address}:${listen.port} cannot be listened on: ${(cause as Error).message}`, {
      cause,
    })
    this.name = 'MsrpUnlistenable'
    this.listen = listen
  }
}

/** The host that others know a listener by: the advertised one, else the address itself. */
export function hostFor(listen: MsrpAddress, advertise: string | undefined): string {
  const host = advertise ?? listen.address
  return isIP(host) === 6 ? `[${host}]` : host
}
