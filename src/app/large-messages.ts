import { LargeMessageController } from '../controllers/message/index.ts'
import type { SessionController } from '../controllers/session/index.ts'
import type { StoragePolicy } from '../controllers/storage/index.ts'
import type { ServiceSettings } from '../enablers/xdm/index.ts'
import { MediaBridge, type PassedMessage } from '../media/bridge/index.ts'
import { CapabilityController, type MediaPolicy } from '../media/capability/index.ts'
import type { Invitation } from '../signalling/edge/sip-port.ts'
import type { Endpoints } from './endpoints.ts'
import type { Media } from './media.ts'
import type { Messaging } from './messaging.ts'
import { type Parts, useMetrics } from './parts.ts'

const maxIntakes = 2000

export interface Around {
  readonly media: Media
  readonly endpoints: Endpoints
  readonly messaging: Messaging
  readonly sessions: SessionController
  readonly settings: ServiceSettings
  readonly policy: StoragePolicy
}

export type LargeMessages = ReturnType<typeof buildLargeMessages>

export function buildLargeMessages(parts: Parts, { media, endpoints, messaging, sessions, settings, policy }: Around) {
  const { config, log, metrics, subscribers, bindings } = parts
  const { message, session } = config
  const maxBytes = session.maxLargeMessageSize
  const openBridge = bridgesFor(parts, media, endpoints)
  const controller = new LargeMessageController<Invitation>({
    subscriberOf: (aor) => subscribers.find(aor),
    devicesOf: (owner) => bindings.of(owner),
    knownDevices: (owner) => bindings.devicesKnown(owner),
    settingsOf: (owner) => settings.of(owner),
    isLocal: (domain) => domain === config.domain,
    relay: (invitation, sender, recipient, { ringFor = session.ringFor, store }) =>
      sessions.relay(invitation, sender, recipient, { openBridge: () => openBridge(store), ringFor }),
    store: (passed) => messaging.controller.storePassed(passed),
    takeIn: (taken) => messaging.controller.takeIn(taken),
    openEndpoint: () => endpoints.open(maxBytes),
    hasRoomFor: (bytes) => endpoints.hasRoomFor(bytes),
    policy: message,
    mayStore: (said) => policy.mayStore(said),
    maxBytes,
    maxIntakes,
    log: log.child({ part: 'messages' }),
  })
  useMetrics(metrics, 'message_intakes', 'Sessions in which the server takes in a large message', controller)
  return controller
}

/** The media of a session for one message. */
function bridgesFor({ config }: Parts, { msrp, rtp, host }: Media, { memory }: Endpoints) {
  const oneMessageBytes = config.session.maxLargeMessageSize
  const anchored = config.session.mediaAnchor !== 'never'
  const capability = new CapabilityController()
  const policy: MediaPolicy = {
    kinds: new Set(['message-session', 'file-transfer']),
    maxMessageSize: oneMessageBytes,
    maxFileSize: oneMessageBytes,
  }
  const needs = { capability, msrp, rtp, host, anchored, policies: [policy], oneMessageBytes }
  return (keep?: (message: PassedMessage) => Promise<void>) =>
    new MediaBridge(keep === undefined ? needs : { ...needs, anchored: true, copy: { memory, keep } })
}
