import { randomUUID } from 'node:crypto'
import type { AddressRanges } from '../config/address-ranges.ts'
import type { MessageController } from '../controllers/message/index.ts'
import { type AbsentChats, SessionController, StoredSessions } from '../controllers/session/index.ts'
import type { Nodes } from '../database/index.ts'
import type { ServiceSettings } from '../enablers/xdm/index.ts'
import { MediaBridge } from '../media/bridge/index.ts'
import { CapabilityController } from '../media/capability/index.ts'
import type { SipEdge } from '../signalling/edge/sip-edge.ts'
import { buildAbsentChats } from './absent-chats.ts'
import { anchoring, speaksOf } from './anchoring.ts'
import type { Endpoints } from './endpoints.ts'
import type { Media } from './media.ts'
import { isTrustedPeer, type Parts, useMetrics } from './parts.ts'

export interface Around {
  readonly edge: SipEdge
  readonly peers: AddressRanges
  readonly media: Media
  readonly endpoints: Endpoints
  readonly messages: MessageController
  readonly nodes: Nodes
  readonly settings: ServiceSettings
}

type Invited = Parameters<AbsentChats['take']>

export function buildSessions(parts: Parts, { edge, peers, media, endpoints, messages, nodes, settings }: Around) {
  const { config, log, metrics, database, subscribers, bindings } = parts
  const { msrp, rtp, floors, host } = media
  const { maxSessions, maxPerUser, ringFor } = config.session
  const capability = new CapabilityController()
  const policies = [{ maxFileSize: config.session.maxFileSize }]
  const controller: SessionController = new SessionController({
    subscriberOf: (aor) => subscribers.find(aor),
    devicesOf: (owner) => bindings.of(owner),
    settingsOf: (owner) => settings.of(owner),
    dropBinding: (owner, key) => bindings.drop(owner, key),
    invite: (request, target, events) => edge.invite(request, target, events),
    openBridge: (parties, places) =>
      new MediaBridge({
        ...{ capability, msrp, rtp, host, policies },
        anchored: anchoring(config, places, policies),
        speaks: { caller: speaksOf(places.caller), callee: speaksOf(places.callee) },
        openFloor: () => floors.open({ caller: speakerOf(parties.caller), callee: speakerOf(parties.callee) }),
      }),
    ...(config.session.absent === 'keep' &&
      config.message.absent === 'keep' && { absent: (...invited: Invited) => chats.take(...invited) }),
    inSessionMessage: (message, sender, recipient, relay) =>
      messages.handleSessionMessage({ message, sender, recipient }, relay),
    stored: new StoredSessions({ database, node: nodes.id, onBatch: (size) => metrics.batch('dialogs', size) }),
    byeStored: (dialog, reason) => edge.byeStored(dialog, reason),
    isOwnRealm: (realm) => realm === config.sip.auth.realm,
    isLocal: (domain) => domain === config.domain,
    isTrustedPeer: (domain) => isTrustedPeer(domain, config, peers),
    newId: randomUUID,
    maxSessions,
    maxPerUser,
    ringFor,
    log: log.child({ part: 'sessions' }),
  })
  const chats: AbsentChats = buildAbsentChats(parts, { endpoints, messages, sessions: controller })
  useMetrics(metrics, 'sessions', 'Sessions', controller.sessions)
  const help = 'Sessions of an earlier life of a node whose parties were told that it is over'
  metrics.counter('parley_sessions_abandoned_total', help, () => controller.farewells)
  return controller
}

/** As the other party is told of who has the floor. */
const speakerOf = ({ aor, anonymous }: { readonly aor: string; readonly anonymous: boolean }) => ({
  uri: anonymous ? 'sip:anonymous@anonymous.invalid' : aor,
})
