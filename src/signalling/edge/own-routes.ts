import type { SipRequest } from '../../protocols/sip/message.ts'
import { readNameAddr } from '../../protocols/sip/name-addr.ts'
import { readUri } from '../../protocols/sip/uri.ts'

interface OwnAddresses {
  isOwnAddress(host: string, port: number | undefined): boolean
}

/** Removes the Route header fields at the top that name this server (RFC 3261 §16.4). */
export function takeOwnRoutes(request: SipRequest, own: OwnAddresses): void {
  for (let route = request.headers.get('route'); route !== undefined; route = request.headers.get('route')) {
    const first = firstOf(route)
    const uri = readUri(readNameAddr(first).uri)
    if (!own.isOwnAddress(uri.host, uri.port)) return
    const rest = route.slice(first.length).replace(/^\s*,\s*/, '')
    if (rest === '') request.headers.removeFirst('route')
    else request.headers.setFirst('route', rest)
  }
}

/** The first value of a comma list of name-addrs; a comma inside quotes or angle brackets parts nothing. */
function firstOf(list: string): string {
  let quoted = false
  let bracketed = false
  for (let at = 0; at < list.length; at++) {
    const char = list[at]
    if (quoted && char === '\\') at++
    else if (char === '"') quoted = !quoted
    else if (quoted) continue
    else if (char === '<') bracketed = true
    else if (char === '>') bracketed = false
    else if (char === ',' && !bracketed) return list.slice(0, at)
  }
  return list
}
