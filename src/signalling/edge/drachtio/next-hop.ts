import { splitList } from '../../../protocols/sip/lists.ts'
import type { SipRequest } from '../../../protocols/sip/message.ts'
import { readNameAddr } from '../../../protocols/sip/name-addr.ts'
import { readUri } from '../../../protocols/sip/uri.ts'
import type { Target } from '../../../sip/addresses.ts'
import { flowUri, readFlowName } from './daemon-flow.ts'

/**
 * Where the daemon is to send a request, where that is not its request-URI. Its own cache of connections knows a contact by
 * user and host only, so that the flow is given as an address. Throws MalformedSip.
 */
export function nextHop(
  { headers, uri }: SipRequest,
  target: Target,
  routeFor: (host: string) => string | undefined,
): string | undefined {
  const flow = target.flow === undefined ? undefined : readFlowName(target.flow)
  if (flow !== undefined) return flowUri(flow)
  const [route] = splitList(headers.get('route') ?? '')
  const named = target.nextHop ?? (route === undefined ? target.uri : readNameAddr(route).uri)
  const towards = named ?? uri
  return routeFor(readUri(towards).host.toLowerCase()) ?? (towards === uri ? undefined : towards)
}
