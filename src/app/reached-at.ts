import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

export const isAnyAddress = (address: string): boolean => address === '0.0.0.0' || address === '::'

/** The host that session descriptions have: what is advertised, else the address listened on, else one of the machine. */
export function reachedAt(advertised: string | undefined, listening: string): string {
  if (advertised !== undefined) return advertised
  return listening === '0.0.0.0' || listening === '::'
    ? interfaceAddress(isIPv6(listening) ? 'IPv6' : 'IPv4')
    : listening
}

/** The first address that others could know; its own to itself where the machine has none. */
function interfaceAddress(family: 'IPv4' | 'IPv6'): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  const outer = all.find((one) => one.family === family && !one.internal && !one.address.startsWith('fe80:'))
  return outer?.address ?? (family === 'IPv4' ? '127.0.0.1' : '::1')
}
