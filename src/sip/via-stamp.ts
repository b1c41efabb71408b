import type { SipRequest } from '../protocols/sip/message.ts'
import { replaceTopVia, type Via } from '../protocols/sip/via.ts'
import { plainAddress } from './addresses.ts'

/** Notes in the topmost Via where the request came from, if it does not say so (RFC 3261 §18.2.1, RFC 3581 §4). */
export function stampVia(request: SipRequest, via: Via, address: string, port: number): void {
  const wantsPort = via.params.has('rport')
  if (!wantsPort && !via.params.has('received') && plainAddress(via.host) === address) return
  const params = new Map(via.params)
  // A zone means something on this machine only.
  params.set('received', address.split('%')[0])
  if (wantsPort) params.set('rport', String(port))
  replaceTopVia(request.headers, { ...via, params })
}
