import { isIP } from 'node:net'
import type { Via } from '../protocols/sip/via.ts'
import { defaultPort, type Hop, plainAddress } from './addresses.ts'
import type { ReturnPath } from './transaction/server-transaction.ts'
import type { Flow } from './transport/flow.ts'
import { UdpFlow } from './transport/udp-transport.ts'

/** What opens a connection when that of the request is gone. */
export interface Reopening {
  flowTo(hop: Hop): Flow | undefined
}

/** Where the response to a request goes (RFC 3261 §18.2.2, RFC 3581 §4). `via` is the topmost one as it came. */
export function returnPath(flow: Flow, via: Via, transports: Reopening): ReturnPath {
  if (!(flow instanceof UdpFlow)) return new StreamReturn(flow, via, transports)
  const maddr = via.params.get('maddr')
  const port = via.params.has('rport') ? flow.remotePort : (via.port ?? defaultPort.udp)
  // Multicast only: whoever names another host there would have us send to it.
  if (maddr !== undefined && isMulticast(plainAddress(maddr)))
    return flow.at(via.port ?? defaultPort.udp, plainAddress(maddr))
  return flow.at(port)
}

const isMulticast = (address: string) =>
  isIP(address) === 6 ? /^ff/i.test(address) : isIP(address) === 4 && /^2(2[4-9]|3\d)\./.test(address)

/** Over the connection of the request; when it is gone, over one to where the request came from, at the port of its Via. */
class StreamReturn implements ReturnPath {
  readonly reliable = true
  readonly #flow: Flow
  readonly #via: Via
  readonly #transports: Reopening

  constructor(flow: Flow, via: Via, transports: Reopening) {
    this.#flow = flow
    this.#via = via
    this.#transports = transports
  }

  send(bytes: Buffer): boolean {
    return this.#flow.send(bytes) || this.#sendAnew(bytes)
  }

  #sendAnew(bytes: Buffer): boolean {
    const { transport, remoteAddress: address } = this.#flow
    // A browser cannot be connected to (RFC 7118 §5).
    if (transport !== 'tcp' && transport !== 'tls') return false
    const port = this.#via.port ?? defaultPort[transport]
    const hop = { transport, address, port, host: this.#via.host, explicit: true }
    return this.#transports.flowTo(hop)?.send(bytes) === true
  }
}
