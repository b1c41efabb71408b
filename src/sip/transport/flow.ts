import { hostPort, plainAddress, readHostPort, type Transport } from '../addresses.ts'

/** Told when a stream flow closes under what was sent over it; datagram flows do not close. */
export interface FlowUser {
  onFlowClosed(): void
}

/** A way to one peer that goes both directions (RFC 5626 §3.3): a connection, or a pair of UDP addresses. */
export interface Flow {
  readonly name: string
  readonly transport: Transport
  readonly reliable: boolean
  /** This end, where it is known already. */
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  readonly remoteAddress: string
  readonly remotePort: number
  readonly open: boolean
  /** Hands the bytes of one message over. False when they cannot go this way any more. */
  send(bytes: Buffer): boolean
  /** From now on `user` is told when the flow closes. */
  watch(user: FlowUser): void
  unwatch(user: FlowUser): void
  close(): void
}

/** The name of a UDP flow says all there is to it, so that it outlives a restart: `udp/10.0.0.1:5060/10.0.0.2:40001`. */
export const udpFlowPrefix = (local: string, port: number) => `udp/${hostPort(local, port)}/`

/** The two ends of a UDP flow, from its name. */
export function readUdpFlowName(name: string): { prefix: string; address: string; port: number } | undefined {
  const slash = name.indexOf('/', 4)
  if (slash === -1 || !name.startsWith('udp/')) return undefined
  const remote = readHostPort(name.slice(slash + 1))
  return remote && { prefix: name.slice(0, slash + 1), address: plainAddress(remote.address), port: remote.port }
}
