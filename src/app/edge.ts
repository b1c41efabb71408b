import type { AddressRanges } from '../config/address-ranges.ts'
import type { Config } from '../config/config.ts'
import { ConfigurationFault } from '../failure.ts'
import { buildSipTrace, type Log } from '../operations/index.ts'
import { DaemonUnavailable } from '../signalling/edge/drachtio/daemon-unavailable.ts'
import { DrachtioEdge } from '../signalling/edge/drachtio/drachtio-edge.ts'
import { EmbeddedEdge } from '../signalling/edge/embedded/embedded-edge.ts'
import type { SipEdge } from '../signalling/edge/sip-edge.ts'
import type { ListeningAddress } from '../signalling/edge/sip-port.ts'
import { Unlistenable } from '../sip/sip-stack.ts'
import type { Flow } from '../sip/transport/flow.ts'
import type { Parts } from './parts.ts'
import type { Tls } from './tls.ts'

export function buildEdge(parts: Parts, peers: AddressRanges, tls: Tls): SipEdge {
  const { config, log, metrics } = parts
  const common = {
    log: log.child({ part: 'edge' }),
    now: () => performance.now(),
    maxUnderWay: config.message.maxQueue,
    observe: (method: string, status: number, seconds: number) => metrics.request(method, status, seconds),
  }
  const edge =
    config.sip.stack === 'drachtio'
      ? new DrachtioEdge({ ...common, stack: drachtio(parts, peers) })
      : new EmbeddedEdge({ ...common, stack: embedded(parts, peers, tls) })
  metrics.queueDepth('requests', () => edge.underWay)
  return edge
}

function embedded({ config, log, metrics }: Parts, peers: AddressRanges, tls: Tls) {
  const { sip } = config
  return {
    listen: sip.listen,
    advertise: sip.advertise,
    tls: tls.identity,
    trust: tls.ca && { ca: tls.ca },
    dns: sip.dns,
    routeFor: routesOf(config),
    trusted: (address: string) => peers.includes(address),
    limits: limitsOf(sip.limits),
    log: log.child({ part: 'sip' }),
    counters: metrics.sip,
    trace: sipTrace(config, log),
    dialogs: { session: sessionTimers(config) },
  }
}

function drachtio({ config, log }: Parts, peers: AddressRanges) {
  const { advertise, drachtio } = config.sip
  const { host = '', port, secret = '' } = drachtio
  if (!isLoopback(host))
    log.warn({ part: 'sip', host }, 'drachtio-server obeys whoever reaches its admin port: keep it on loopback')
  return {
    daemon: { host, port, secret },
    connectWithin: 10_000,
    patience: 34_000,
    session: sessionTimers(config),
    advertise,
    routeFor: routesOf(config),
    trusted: (address: string) => peers.includes(address),
    now: () => performance.now(),
    log: log.child({ part: 'sip' }),
  }
}

const isLoopback = (host: string) => host === 'localhost' || host === '::1' || host.startsWith('127.')

function routesOf({ sip }: Config) {
  const routes = new Map(sip.routes.map(({ domain, uri }) => [domain, uri]))
  return (host: string) => routes.get(host)
}

const sessionTimers = ({ session: { expires, minExpires } }: Config) => ({ sessionExpires: expires, minSE: minExpires })

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

export async function listen(edge: SipEdge): Promise<readonly ListeningAddress[]> {
  try {
    return await edge.start()
  } catch (err) {
    if (err instanceof Unlistenable)
      throw new ConfigurationFault('sip.listen', err.message, 'give another address', err)
    if (err instanceof DaemonUnavailable)
      throw new ConfigurationFault('sip.drachtio', err.message, 'start drachtio-server there, with that secret', err)
    throw err
  }
}
