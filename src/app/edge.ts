import type { AddressRanges } from '../config/address-ranges.ts'
import type { Config } from '../config/config.ts'
import { ConfigurationFault } from '../failure.ts'
import { buildSipTrace, type Log } from '../operations/index.ts'
import { EmbeddedEdge } from '../signalling/edge/embedded/embedded-edge.ts'
import type { ListeningAddress } from '../signalling/edge/sip-port.ts'
import { Unlistenable } from '../sip/sip-stack.ts'
import type { Flow } from '../sip/transport/flow.ts'
import type { Parts } from './parts.ts'
import type { Tls } from './tls.ts'

export function buildEdge({ config, log, metrics }: Parts, peers: AddressRanges, tls: Tls): EmbeddedEdge {
  const { sip, message } = config
  const routes = new Map(sip.routes.map(({ domain, uri }) => [domain, uri]))
  const edge = new EmbeddedEdge({
    stack: {
      listen: sip.listen,
      advertise: sip.advertise,
      tls: tls.identity,
      trust: tls.ca && { ca: tls.ca },
      dns: sip.dns,
      routeFor: (host) => routes.get(host),
      trusted: (address) => peers.includes(address),
      limits: limitsOf(sip.limits),
      log: log.child({ part: 'sip' }),
      counters: metrics.sip,
      trace: sipTrace(config, log),
    },
    log: log.child({ part: 'edge' }),
    now: () => performance.now(),
    maxUnderWay: message.maxQueue,
    observe: (method, status, seconds) => metrics.request(method, status, seconds),
  })
  metrics.queueDepth('requests', () => edge.underWay)
  return edge
}

function sipTrace(config: Config, log: Log) {
  if (!config.log.sip) return undefined
  const trace = buildSipTrace({ log })
  return (direction: 'in' | 'out', flow: Flow, bytes: Buffer) =>
    trace(direction, { transport: flow.transport, address: flow.remoteAddress, port: flow.remotePort }, bytes)
}

const limitsOf = (limits: Config['sip']['limits']) => ({
  messageBytes: limits.messageBytes,
  headerCount: limits.headers,
  headerBytes: limits.headerLength,
  connections: limits.connections,
  connectionsPerSource: limits.connectionsPerSource,
  idleMs: limits.idleSeconds * 1000,
  halfOpenMs: limits.halfOpenSeconds * 1000,
  requestsPerSecond: limits.requestsPerSecond,
})

export async function listen(edge: EmbeddedEdge): Promise<readonly ListeningAddress[]> {
  try {
    return await edge.start()
  } catch (err) {
    if (err instanceof Unlistenable)
      throw new ConfigurationFault('sip.listen', err.message, 'give another address', err)
    throw err
  }
}
