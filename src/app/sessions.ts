import { randomUUID } from 'node:crypto'
import type { AddressRanges } from '../config/address-ranges.ts'
import type { Config } from '../config/config.ts'
import type { MessageController } from '../controllers/message/index.ts'
import { type AbsentChats, SessionController, StoredSessions } from '../controllers/session/index.ts'
import { SessionHistory, type StorageController } from '../controllers/storage/index.ts'
import type { Nodes } from '../database/index.ts'
import type { ServiceSettings } from '../enablers/xdm/index.ts'
import { MediaBridge } from '../media/bridge/index.ts'
import { CapabilityController, type MediaPolicy } from '../media/capability/index.ts'
import type { SipEdge } from '../signalling/edge/sip-edge.ts'
import { buildAbsentChats } from './absent-chats.ts'
import { anchoring, speaksOf } from './anchoring.ts'
import type { Endpoints } from './endpoints.ts'
import type { Media } from './media.ts'
import { isTrustedPeer, type Parts, useMetrics } from './parts.ts'
import { keepingOf } from './storage.ts'

export interface Around {
  readonly edge: SipEdge
  readonly peers: AddressRanges
  readonly media: Media
  readonly endpoints: Endpoints
  readonly messages: MessageController
  readonly nodes: Nodes
  readonly settings: ServiceSettings
  readonly storage: StorageController
}

type Invited = Parameters<AbsentChats['take']>

export function buildSessions(
  parts: Parts,
  { edge, peers, media, endpoints, messages, nodes, settings, storage }: Around,
) {
  const { config, log, metrics, database, subscribers, bindings } = parts
  const { msrp, rtp, floors, host } = media
  const { maxSessions, maxPerUser, ringFor } = config.session
  const capability = new CapabilityController()
  const policies = [mediaPolicy(config)]
  const controller: SessionController = new SessionController({
    subscriberOf: (aor) => subscribers.find(aor),
    devicesOf: (owner) => bindings.of(owner),
    settingsOf: (owner) => settings.of(owner),
    dropBinding: (owner, key) => bindings.drop(owner, key),
    invite: (request, target, events) => edge.invite(request, target, events),
    openBridge: (parties, places, history) => {
      const kept = keepingOf(history, endpoints, config.session.maxLargeMessageSize)
      const bridge = new MediaBridge({
        ...{ capability, msrp, rtp, host, policies },
        anchored: kept?.needsAnchor === true || anchoring(config, places, policies),
        keeping: kept?.keeping,
        speaks: { caller: speaksOf(places.caller), callee: speaksOf(places.callee) },
        openFloor: () => floors.open({ caller: speakerOf(parties.caller), callee: speakerOf(parties.callee) }),
      })
      kept?.offered(bridge)
      return bridge
    },
    beginHistory: (invite, sdp, parties) => storage.begin(invite, sdp, parties),
    referInSession: ({ message, side, history, request }) =>
      history instanceof SessionHistory && storage.takesRefer(message)
        ? storage.handleReferInSession({ message, side, history, request })
        : undefined,
    abandoned: (kept) => storage.abandoned(kept),
    ...(config.session.absent === 'keep' &&
      config.message.absent !== 'discard' && { absent: (...invited: Invited) => chats.take(...invited) }),
    inSessionMessage: (message, sender, recipient, relay, copies) =>
      messages.handleSessionMessage({ message, sender, recipient }, relay, copies),
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

/** What the operator permits of each session. */
function mediaPolicy({ session }: Config): MediaPolicy {
  const { maxFileSize, audioCodecs, videoCodecs, maxAudioRate, maxVideoRate, maxRate } = session
  const [audio, video] = [bits(maxAudioRate), bits(maxVideoRate)]
  return {
    maxFileSize,
    audioCodecs: audioCodecs && new Set(audioCodecs),
    videoCodecs: videoCodecs && new Set(videoCodecs),
    bitRates: {
      ...(audio !== undefined && { audio, 'half-duplex-voice': audio }),
      ...(video !== undefined && { video }),
    },
    bitRate: bits(maxRate),
  }
}

/** In the configuration as in b=AS: kbit/s. */
const bits = (rate: number | undefined) => (rate === undefined ? undefined : rate * 1000)

/** As the other party is told of who has the floor. */
const speakerOf = ({ aor, anonymous }: { readonly aor: string; readonly anonymous: boolean }) => ({
  uri: anonymous ? 'sip:anonymous@anonymous.invalid' : aor,
})
