import { AddressRanges } from '../config/address-ranges.ts'
import type { Config } from '../config/config.ts'
import { isDispositionNotification, isRevocation, type MessageController } from '../controllers/message/index.ts'
import type { SessionController } from '../controllers/session/index.ts'
import type { StorageController } from '../controllers/storage/index.ts'
import type { Nodes } from '../database/index.ts'
import { isStoreEvent } from '../enablers/message-store/devices/index.ts'
import type { PublicationServer } from '../enablers/presence/index.ts'
import type { Documents } from '../enablers/xdm/index.ts'
import type { SipEdge } from '../signalling/edge/sip-edge.ts'
import { Addresses } from '../signalling/manager/addresses.ts'
import { Authentication } from '../signalling/manager/authentication.ts'
import { Capabilities } from '../signalling/manager/capabilities.ts'
import { Identity } from '../signalling/manager/identity.ts'
import { sharedSecret } from '../signalling/manager/shared-secret.ts'
import { SignalManager } from '../signalling/manager/signal-manager.ts'
import { Registrar } from '../signalling/registrar/index.ts'
import type { Subscriptions } from '../signalling/subscriptions/index.ts'
import { startNodes } from './data.ts'
import { buildDevices, type Devices } from './devices.ts'
import { buildEdge } from './edge.ts'
import { Endpoints } from './endpoints.ts'
import { settleWhatIsSeen } from './fetched.ts'
import { buildLargeMessages, type LargeMessages } from './large-messages.ts'
import { startRetention } from './mailboxes.ts'
import { type Media, startMedia } from './media.ts'
import { buildMessaging, type Messaging } from './messaging.ts'
import type { Parts } from './parts.ts'
import { buildPresence } from './presence.ts'
import { buildSessions } from './sessions.ts'
import { buildSettings } from './settings.ts'
import type { Started } from './started.ts'
import { buildStorage, buildStoragePolicy } from './storage.ts'
import { buildSubscriptions } from './subscriptions.ts'
import { readTls } from './tls.ts'

const flowTimerSeconds = 120

export interface Signalling {
  readonly edge: SipEdge
  readonly messaging: Messaging
  readonly devices: Devices
  readonly media: Media
  readonly sessions: SessionController
  readonly nodes: Nodes
  readonly peers: AddressRanges
  readonly addresses: Addresses
  readonly authentication: Authentication
  readonly subscriptions: Subscriptions
}

export async function buildSignalling(parts: Parts, documents: Documents, started: Started): Promise<Signalling> {
  const { config, bindings } = parts
  const peers = new AddressRanges(config.sip.trustedPeers)
  const tls = await readTls(config)
  const edge = buildEdge(parts, peers, tls)
  started.add((signal) => edge.close(signal))
  const media = await startMedia(parts, tls, started)
  const endpoints = new Endpoints(media)
  const addresses = buildAddresses(config, edge)
  const settings = buildSettings(parts, documents, addresses, started)
  startRetention(parts, settings, started)
  const policy = buildStoragePolicy(config, settings)
  const messaging = buildMessaging(parts, { edge, peers, endpoints, settings, policy })
  started.add(() => messaging.controller.close())
  settleWhatIsSeen(parts, messaging, settings, started)
  const nodes = await startNodes(config, parts.database, parts.log, started)
  const messages = messaging.controller
  const storage = await buildStorage(parts, { edge, addresses, policy, messages, sessions: () => sessions }, started)
  const sessions: SessionController = buildSessions(parts, {
    ...{ edge, peers, media, endpoints, messages, nodes, settings, storage },
  })
  started.add((signal) => sessions.close(signal))
  const largeMessages = buildLargeMessages(parts, { media, endpoints, messaging, sessions, settings, policy })
  started.add((signal) => largeMessages.close(signal))
  const devices = buildDevices(parts, { edge, addresses, settings, endpoints }, started)
  const authentication = await buildAuthentication(parts)
  const subscriptions = buildSubscriptions(parts, { edge, nodes }, started)
  const manager = await buildManager(parts, {
    edge,
    messages: messaging.controller,
    sessions,
    largeMessages,
    storage,
    devices,
    addresses,
    authentication,
    subscriptions,
    presence: buildPresence(parts, { addresses, subscriptions, documents }, started),
  })
  edge.serve((request) => manager.handle(request))
  edge.serveInvites((invitation) => manager.handleInvitation(invitation))
  edge.onFlowClosed((flow) => bindings.flowClosed(flow))
  started.add((signal) => edge.drain(signal))
  return { edge, messaging, devices, media, sessions, nodes, peers, addresses, authentication, subscriptions }
}

const isOwnHost =
  ({ domain }: Config, edge: SipEdge) =>
  (host: string, port: number | undefined) =>
    host.toLowerCase() === domain || edge.isOwnAddress(host, port)

const buildAddresses = (config: Config, edge: SipEdge) =>
  new Addresses({ domain: config.domain, isOwnHost: isOwnHost(config, edge) })

interface Surroundings {
  readonly edge: SipEdge
  readonly messages: MessageController
  readonly sessions: SessionController
  readonly largeMessages: LargeMessages
  readonly devices: Devices
  readonly storage: StorageController
  readonly addresses: Addresses
  readonly authentication: Authentication
  readonly subscriptions: Subscriptions
  readonly presence: PublicationServer
}

async function buildManager(parts: Parts, around: Surroundings): Promise<SignalManager> {
  const { config, subscribers, bindings } = parts
  const {
    edge,
    messages,
    sessions,
    largeMessages,
    storage,
    devices,
    addresses,
    authentication,
    subscriptions,
    presence,
  } = around
  const { domain } = config
  const identity = buildIdentity(parts, addresses, authentication)
  const registrar = buildRegistrar(parts, around)
  const capabilities = new Capabilities({
    subscriberOf: (aor) => subscribers.find(aor),
    devicesOf: (owner) => bindings.of(owner),
    send: (request, target) => edge.send(request, target),
    servesSessions: true,
  })
  return new SignalManager({
    isDispositionNotification,
    isRevocation,
    isStoreEvent,
    isForStorage: ({ uri }) => addresses.of(uri) === storage.address,
    senderOf: (request) => identity.senderOf(request),
    addressOf: (uri) => addresses.of(uri),
    domain,
    handlers: {
      registration: (request) => registrar.handleRegister(request),
      capabilities: (request) => capabilities.handleOptions(request),
      notification: (request) => messages.handleNotification(request),
      revocation: (request) => messages.handleRevocation(request),
      messageToMany: (request) => devices.copies.after(request, messages.handleMessageToMany(request)),
      storeEvent: (request) => devices.events.handle(request),
      pagerMessage: (request) => devices.copies.after(request, messages.handlePagerMessage(request)),
      subscription: (request) => subscriptions.handleSubscribe(request),
      publication: (request) => presence.handlePublish(request),
      refer: (request) => storage.handleRefer(request),
      session: (invitation, sender, recipient) => sessions.handleInvitation(invitation, sender, recipient),
      storeEvents: (invitation, sender, recipient) => devices.sessions.handleInvitation(invitation, sender, recipient),
      largeMessage: (invitation, sender, recipient) => largeMessages.handleInvitation(invitation, sender, recipient),
    },
  })
}

async function buildAuthentication({ config, log, database, subscribers }: Parts): Promise<Authentication> {
  const { auth } = config.sip
  return new Authentication({
    realm: auth.realm,
    algorithms: auth.algorithms,
    credentialsOf: (username) => subscribers.credentials(username),
    key: await sharedSecret(database, 'nonce'),
    nonceLifetimeMs: auth.nonceLifetime,
    maxFailures: auth.maxFailures,
    failureWindowMs: auth.failureWindow,
    now: Date.now,
    log,
  })
}

function buildIdentity({ config, subscribers }: Parts, addresses: Addresses, authentication: Authentication): Identity {
  return new Identity({
    authenticate: (request) => authentication.check(request),
    subscriberOf: (aor) => subscribers.find(aor),
    subscriberById: (id) => subscribers.byId(id),
    addresses,
    trustFrom: config.sip.trustFrom,
  })
}

function buildRegistrar({ config, subscribers, bindings, barred }: Parts, around: Surroundings): Registrar {
  const { edge, messages, addresses, devices } = around
  return new Registrar({
    subscriberOf: (aor) => subscribers.find(aor),
    addressOf: (uri) => addresses.of(uri),
    isOwnHost: isOwnHost(config, edge),
    bindings,
    serviceRoute: ({ transport }) => `<${edge.ownUri(transport)};lr>`,
    registered: (_owner, binding, waiting, returned) => {
      if (waiting) messages.deviceRegistered(binding, returned)
      devices.synchroniser.deviceRegistered(binding)
    },
    barredFor: (owner) => barred.wait(owner),
    now: Date.now,
    bounds: config.sip.registrar,
    flowTimer: flowTimerSeconds,
  })
}
