import { randomUUID } from 'node:crypto'
import type { AddressRanges } from '../config/address-ranges.ts'
import { buildMessages, type MessageController } from '../controllers/message/index.ts'
import type { StoragePolicy } from '../controllers/storage/index.ts'
import type { ServiceSettings } from '../enablers/xdm/index.ts'
import type { SipEdge } from '../signalling/edge/sip-edge.ts'
import type { Endpoints } from './endpoints.ts'
import { searchedIn } from './mailboxes.ts'
import { isTrustedPeer, type Parts } from './parts.ts'

export type Messaging = ReturnType<typeof buildMessages>

interface Around {
  readonly edge: SipEdge
  readonly peers: AddressRanges
  readonly endpoints: Endpoints
  readonly settings: ServiceSettings
  readonly policy: StoragePolicy
}

export function buildMessaging(parts: Parts, { edge, peers, endpoints, settings, policy }: Around): Messaging {
  const { config, log, metrics, database, subscribers, bindings } = parts
  const { message, session, domain } = config
  const messaging = buildMessages({
    database,
    now: Date.now,
    random: Math.random,
    newId: randomUUID,
    policy: { ...message, alone: config.database.url === undefined },
    stores: (said, storable) => policy.storesBy(said, storable),
    mayStore: (said) => policy.mayStore(said),
    subscriberOf: (aor) => subscribers.find(aor),
    devicesOf: (owner) => bindings.of(owner),
    knownDevices: (owner) => bindings.devicesKnown(owner),
    settingsOf: (owner) => settings.of(owner),
    dropBinding: (owner, key) => bindings.drop(owner, key),
    send: (request, target) => edge.send(request, target),
    invite: (request, target, events) => edge.invite(request, target, events),
    openEndpoint: (transport) => endpoints.openTowards(transport, session.maxLargeMessageSize),
    isLocal: (host) => host === domain,
    isTrustedPeer: (host) => isTrustedPeer(host, config, peers),
    ownUri: () => `sip:${domain}`,
    mark: (owner, ids, flag) => parts.mailboxes.change(owner, ids, { add: [flag] }),
    log: log.child({ part: 'messages' }),
    onBatch: (name, size) => metrics.batch(name, size),
    history: historyOptions(parts),
  })
  const messages = messaging.controller
  metrics.queueDepth('messages', () => messages.underWay)
  metrics.queueDepth('draining_devices', () => messages.draining)
  for (const [outcome, help] of Object.entries(outcomes)) {
    const name = outcome as keyof typeof outcomes
    metrics.counter(`parley_messages_${name}_total`, help, () => messages.counts[name])
  }
  return messaging
}

/** What is stored goes into mailboxes, as far as they have room. */
function historyOptions({ config, log, metrics, mailboxes }: Parts) {
  const { maxBytes, maxObjects, languages } = config.storage
  let refused = 0
  metrics.counter('parley_mailbox_full_total', 'Messages not stored as the mailbox is full', () => refused)
  return {
    ...{ maxBytes, maxObjects, languages: searchedIn(languages) },
    changed: (owner: number) => mailboxes.changed(owner),
    full: (owner: number) => {
      refused += 1
      log.warn({ part: 'messages', owner }, 'not stored: the mailbox is full')
    },
  }
}

const outcomes = {
  delivered: 'Messages that a device accepted at once',
  kept: 'Messages kept for a recipient who was not reached',
  refused: 'Messages that no device accepted and that were not kept',
  relayed: 'Messages to users of other domains',
  absorbed: 'Notifications that told nothing new',
  expired: 'Messages that nobody fetched in time',
  late: 'Messages delivered after they had been kept',
} as const satisfies Record<keyof MessageController['counts'], string>
