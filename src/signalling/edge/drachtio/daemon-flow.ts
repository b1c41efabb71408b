import { hostPort, isTransport, readHostPort, type Transport } from '../../../sip/addresses.ts'

/**
 * The daemon names no flows, but it sends over a connection that it has to the same address: a flow is named after its
 * other end, and outlives a restart.
 */
export const flowName = (transport: Transport, address: string, port: number) =>
  `${transport}/${hostPort(address, port)}`

interface DaemonFlow {
  readonly transport: Transport
  readonly address: string
  readonly port: number
}

export function readFlowName(name: string): DaemonFlow | undefined {
  const slash = name.indexOf('/')
  const transport = name.slice(0, slash)
  const where = readHostPort(name.slice(slash + 1))
  return isTransport(transport) && where !== undefined && !where.address.includes('/')
    ? { transport, ...where }
    : undefined
}

/** The URI that a request over that flow is sent to. */
export const flowUri = ({ transport, address, port }: DaemonFlow) =>
  `sip:${hostPort(address, port)};transport=${transport}`
