import type { InboundRequest } from '../edge/sip-port.ts'
import { bare } from './reachable.ts'
import type { Contact, Registration } from './registration.ts'

const defaultPort = 5060

/**
 * The flow that requests to a contact go over: the one that it was registered on, when it came straight from the device.
 * Empty where they follow Path or the contact: behind a proxy, for what a core registers (the contact is the core), and
 * for a device that is behind no NAT and names another UDP port of the same host than the one it spoke from.
 */
export function flowFor(
  contact: Contact,
  registration: Registration,
  request: InboundRequest & { readonly sender: { readonly trusted: boolean } },
): string {
  const { source, sender } = request
  if (!registration.direct || registration.path.length > 0 || sender.trusted) return ''
  if (source.transport !== 'udp' || contact.regId > 0) return source.flow
  const { host, port = defaultPort } = contact.parsed
  const elsewhere = bare(host) === source.address && port !== source.port
  return elsewhere ? '' : source.flow
}
