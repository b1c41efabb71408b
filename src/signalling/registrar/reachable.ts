import { readUri } from '../../protocols/sip/uri.ts'
import type { Binding } from './binding.ts'

/**
 * Whether a device may be reached at its contact without the stream that it registered over. Not with outbound, where
 * the flow is the binding (RFC 5626 §6); not a WebSocket client, which listens nowhere (RFC 7118 §5); not behind a NAT,
 * where the contact is not the address that the registration came from.
 */
export function isReachableByItself(binding: Binding): boolean {
  if (binding.regId > 0 || binding.transport === 'ws' || binding.transport === 'wss') return false
  const { host } = readUri(binding.contact)
  return isName(host) ? !host.toLowerCase().endsWith('.invalid') : bare(host) === binding.address
}

/** An address where it is none: `[::1]` is ::1. */
export const bare = (host: string) => host.replace(/^\[|\]$/g, '')

export const isName = (host: string) => !host.startsWith('[') && !/^[\d.]+$/.test(host)
