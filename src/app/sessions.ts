import { randomUUID } from 'node:crypto'
import type { AddressRanges } from '../config/address-ranges.ts'
import { SessionController } from '../controllers/session/index.ts'
import { MediaBridge } from '../media/bridge/index.ts'
import { CapabilityController } from '../media/capability/index.ts'
import type { EmbeddedEdge } from '../signalling/edge/embedded/embedded-edge.ts'
import type { Media } from './media.ts'
import { isTrustedPeer, type Parts, useMetrics } from './parts.ts'

const maxSessions = 10_000
/** RFC 3261 §16.6 item 11: timer C is more than three minutes. */
const ringFor = 185_000

export function buildSessions(parts: Parts, edge: EmbeddedEdge, peers: AddressRanges, { msrp, addresses }: Media) {
  const { config, log, metrics, subscribers, bindings } = parts
  const host = config.msrp.advertise ?? addresses[0]?.address ?? config.domain
  const anchored = config.session.mediaAnchor === 'always'
  const capability = new CapabilityController()
  const controller = new SessionController({
    subscriberOf: (aor) => subscribers.find(aor),
    devicesOf: (owner) => bindings.of(owner),
    dropBinding: (owner, key) => bindings.drop(owner, key),
    invite: (request, target, events) => edge.invite(request, target, events),
    openBridge: () => new MediaBridge({ capability, msrp, host, anchored, policies: [] }),
    isLocal: (domain) => domain === config.domain,
    isTrustedPeer: (domain) => isTrustedPeer(domain, config, peers),
    newId: randomUUID,
    maxSessions,
    ringFor,
    log: log.child({ part: 'sessions' }),
  })
  useMetrics(metrics, 'sessions', 'Sessions', controller.sessions)
  return controller
}
