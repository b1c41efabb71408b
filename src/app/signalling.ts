import { AddressRanges } from '../config/address-ranges.ts'
import { isDispositionNotification, type MessageController } from '../controllers/message/index.ts'
import type { SessionController } from '../controllers/session/index.ts'
import type { EmbeddedEdge } from '../signalling/edge/embedded/embedded-edge.ts'
import { Addresses } from '../signalling/manager/addresses.ts'
import { Authentication } from '../signalling/manager/authentication.ts'
import { Capabilities } from '../signalling/manager/capabilities.ts'
import { Identity } from '../signalling/manager/identity.ts'
import { sharedSecret } from '../signalling/manager/shared-secret.ts'
import { SignalManager } from '../signalling/manager/signal-manager.ts'
import { Registrar } from '../signalling/registrar/index.ts'
import { buildEdge } from './edge.ts'
import { type Media, startMedia } from './media.ts'
import { buildMessaging, type Messaging } from './messaging.ts'
import type { Parts } from './parts.ts'
import { buildSessions } from './sessions.ts'
import type { Started } from './started.ts'
import { readTls } from './tls.ts'

const flowTimerSeconds = 120

export interface Signalling {
  readonly edge: EmbeddedEdge
  readonly messaging: Messaging
  readonly media: Media
}

export async function buildSignalling(parts: Parts & { readonly started: Started }): Promise<Signalling> {
  const { config, bindings, started } = parts
  const peers = new AddressRanges(config.sip.trustedPeers)
  const tls = await readTls(config)
  const edge = buildEdge(parts, peers, tls)
  started.add((signal) => edge.close(signal))
  const messaging = buildMessaging(parts, edge, peers)
  started.add(() => messaging.controller.close())
  const media = await startMedia(parts, tls, started)
  const sessions = buildSessions(parts, edge, peers, media)
  started.add((signal) => sessions.close(signal))
  const manager = await buildManager(parts, edge, messaging.controller, sessions)
  edge.serve((request) => manager.handle(request))
  edge.serveInvites((invitation) => manager.handleInvitation(invitation))
  edge.onFlowClosed((flow) => bindings.flowClosed(flow))
  started.add((signal) => edge.drain(signal))
  return { edge, messaging, media }
}

async function buildManager(
  parts: Parts,
  edge: EmbeddedEdge,
  messages: MessageController,
  sessions: SessionController,
): Promise<SignalManager> {
  const { config, subscribers, bindings } = parts
  const { domain } = config
  const isOwnHost = (host: string, port: number | undefined) =>
    host.toLowerCase() === domain || edge.isOwnAddress(host, port)
  const addresses = new Addresses({ domain, isOwnHost })
  const identity = await buildIdentity(parts, addresses)
  const registrar = buildRegistrar(parts, { edge, messages, addresses, isOwnHost })
  const capabilities = new Capabilities({
    subscriberOf: (aor) => subscribers.find(aor),
    devicesOf: (owner) => bindings.of(owner),
    send: (request, target) => edge.send(request, target),
    servesSessions: true,
  })
  return new SignalManager({
    isDispositionNotification,
    senderOf: (request) => identity.senderOf(request),
    addressOf: (uri) => addresses.of(uri),
    domain,
    handlers: {
      registration: (request) => registrar.handleRegister(request),
      capabilities: (request) => capabilities.handleOptions(request),
      notification: (request) => messages.handleNotification(request),
      messageToMany: (request) => messages.handleMessageToMany(request),
      pagerMessage: (request) => messages.handlePagerMessage(request),
      session: (invitation, sender, recipient) => sessions.handleInvitation(invitation, sender, recipient),
    },
  })
}

async function buildIdentity({ config, log, database, subscribers }: Parts, addresses: Addresses): Promise<Identity> {
  const { auth, trustFrom } = config.sip
  const authentication = new Authentication({
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
  return new Identity({
    authenticate: (request) => authentication.check(request),
    subscriberOf: (aor) => subscribers.find(aor),
    subscriberById: (id) => subscribers.byId(id),
    addresses,
    trustFrom,
  })
}

interface RegistrarSurroundings {
  readonly edge: EmbeddedEdge
  readonly messages: MessageController
  readonly addresses: Addresses
  readonly isOwnHost: (host: string, port: number | undefined) => boolean
}

function buildRegistrar({ config, subscribers, bindings }: Parts, around: RegistrarSurroundings): Registrar {
  const { edge, messages, addresses, isOwnHost } = around
  return new Registrar({
    subscriberOf: (aor) => subscribers.find(aor),
    addressOf: (uri) => addresses.of(uri),
    isOwnHost,
    bindings,
    serviceRoute: ({ transport }) => `<${edge.ownUri(transport)};lr>`,
    registered: (_owner, binding, waiting) => {
      if (waiting) messages.deviceRegistered(binding)
    },
    now: Date.now,
    bounds: config.sip.registrar,
    flowTimer: flowTimerSeconds,
  })
}
