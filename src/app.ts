import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { AddressRanges } from './config/address-ranges.ts'
import type { Config } from './config/config.ts'
import { buildMessages, isDispositionNotification, type MessageController } from './controllers/message/index.ts'
import { SessionController } from './controllers/session/index.ts'
import {
  type Database,
  type EmbeddedPostgres,
  migrate as migrateDatabase,
  openDatabase,
  startEmbeddedPostgres,
  useEmbeddedPostgres,
} from './database/index.ts'
import { ConfigurationFault } from './failure.ts'
import { MediaBridge } from './media/bridge/index.ts'
import { CapabilityController } from './media/capability/index.ts'
import { type MsrpAddress, MsrpPlane, MsrpUnlistenable, type Usage } from './media/msrp/index.ts'
import { type Demo, ensureDemoUsers } from './operations/demo.ts'
import {
  AdminSearches,
  adminRoutes,
  buildSipTrace,
  HttpServer,
  healthRoutes,
  type Log,
  MessageSearch,
  Metrics,
  metricsRoutes,
} from './operations/index.ts'
import { readUri } from './protocols/sip/uri.ts'
import { EmbeddedEdge } from './signalling/edge/embedded/embedded-edge.ts'
import { Addresses } from './signalling/manager/addresses.ts'
import { Authentication } from './signalling/manager/authentication.ts'
import { Capabilities } from './signalling/manager/capabilities.ts'
import { Identity } from './signalling/manager/identity.ts'
import { sharedSecret } from './signalling/manager/shared-secret.ts'
import { SignalManager } from './signalling/manager/signal-manager.ts'
import { Bindings, Registrar } from './signalling/registrar/index.ts'
import { Subscribers } from './signalling/subscribers/index.ts'
import { type TlsIdentity, Unlistenable } from './sip/sip-stack.ts'
import type { Flow } from './sip/transport/flow.ts'

/** The server, while it serves. */
export interface App {
  readonly addresses: readonly AppAddress[]
  /** In demo mode: whom to try it with. */
  readonly demo?: Demo
  /** Reads the files of `sip.tls` again. */
  reload(): Promise<void>
  /** Takes no new work, finishes what is under way (10 s at most), stops everything, Postgres last. */
  close(): Promise<void>
}

export interface AppAddress {
  readonly name: 'sip' | 'msrp' | 'http'
  readonly transport: string
  readonly address: string
  readonly port: number
}

/** What closing may take, in milliseconds. */
const closeWithin = 10_000
const day = 86_400_000
const flowTimerSeconds = 120

/** Builds the parts in start order and starts them. Rejects with a ConfigurationFault when the operator has to act. */
export async function startApp(config: Config, log: Log): Promise<App> {
  const started = new Started()
  try {
    return await startParts(config, log, started)
  } catch (err) {
    await started.close(AbortSignal.abort())
    throw err
  }
}

/** The users, with a server running beside or without one. */
export async function openDirectory(
  config: Config,
  log: Log,
): Promise<{ subscribers: Subscribers; close(): Promise<void> }> {
  const opened = new Started()
  try {
    const postgres = await useDatabase(config, log, opened)
    await migrateDatabase(postgres)
    const database = await buildDatabase(config, postgres.url, log, opened)
    return { subscribers: buildSubscribers(config, database, opened), close: () => opened.close() }
  } catch (err) {
    await opened.close()
    throw err
  }
}

/** Brings the tables to this version. Returns the names of the migrations that were applied. */
export async function migrate(config: Config, log: Log): Promise<readonly string[]> {
  const opened = new Started()
  try {
    return await migrateDatabase(await useDatabase(config, log, opened))
  } finally {
    await opened.close()
  }
}

async function startParts(config: Config, log: Log, started: Started): Promise<App> {
  const metrics = new Metrics()
  started.add(() => metrics.close())
  const postgres = await startDatabase(config, log, started)
  await migrateDatabase(postgres)
  const database = await buildDatabase(config, postgres.url, log, started)
  const subscribers = buildSubscribers(config, database, started)
  const demo = config.demo
    ? await ensureDemoUsers({ dataDir: config.data.dir, domain: config.domain, subscribers })
    : undefined
  const bindings = buildBindings(config, database, log, metrics, started)
  const parts: Parts = { config, log, metrics, database, subscribers, bindings }
  const signalling = await buildSignalling({ ...parts, started })
  let serving = false
  const http = buildHttp(parts, signalling, () => serving, demo)
  started.add((signal) => http.close(signal))
  const web = await http.start()
  const sip = await listen(signalling.edge)
  await signalling.messaging.controller.start()
  serving = true
  started.add(() => {
    serving = false
  })
  return {
    addresses: [
      ...sip.map((address) => ({ name: 'sip' as const, ...address })),
      ...signalling.media.addresses.map((address) => ({ name: 'msrp' as const, ...address })),
      { name: 'http', transport: 'tcp', ...web },
    ],
    ...(demo && { demo }),
    reload: async () => {
      const { identity } = await readTls(config)
      if (identity === undefined) return
      signalling.edge.renewTls(identity)
      signalling.media.msrp.renewTls(identity)
    },
    close: () => started.close(),
  }
}

function startDatabase(config: Config, log: Log, started: Started): Promise<{ url: string }> {
  return databaseBy(startEmbeddedPostgres, config, log, started)
}

function useDatabase(config: Config, log: Log, started: Started): Promise<{ url: string }> {
  return databaseBy(useEmbeddedPostgres, config, log, started)
}

async function databaseBy(
  start: (options: { dataDir: string; log: Log }) => Promise<EmbeddedPostgres>,
  { database, data }: Config,
  log: Log,
  started: Started,
): Promise<{ url: string }> {
  if (database.url !== undefined) return { url: database.url }
  const embedded = await start({ dataDir: data.dir, log: log.child({ part: 'postgres' }) })
  started.add(() => embedded.stop())
  return embedded
}

async function buildDatabase({ database }: Config, url: string, log: Log, started: Started): Promise<Database> {
  const opened = await openDatabase({ url, poolSize: database.connections }, log.child({ part: 'database' }))
  started.add(() => opened.close())
  return opened
}

function buildSubscribers({ domain, sip }: Config, database: Database, started: Started): Subscribers {
  const subscribers = new Subscribers({ database, domain, realm: sip.auth.realm })
  started.add(() => subscribers.close())
  return subscribers
}

function buildBindings(config: Config, database: Database, log: Log, metrics: Metrics, started: Started): Bindings {
  const rememberMs = config.message.keepDays * day
  const onBatch = (size: number) => metrics.batch('bindings', size)
  const bindings = new Bindings({ database, now: Date.now, rememberMs, log, onBatch })
  started.add(() => bindings.close())
  return bindings
}

interface Parts {
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
  readonly database: Database
  readonly subscribers: Subscribers
  readonly bindings: Bindings
}

interface Signalling {
  readonly edge: EmbeddedEdge
  readonly messaging: Messaging
  readonly media: Media
}

type Messaging = ReturnType<typeof buildMessages>

async function buildSignalling(parts: Parts & { readonly started: Started }): Promise<Signalling> {
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

function buildEdge({ config, log, metrics }: Parts, peers: AddressRanges, tls: Tls): EmbeddedEdge {
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

function buildMessaging(parts: Parts, edge: EmbeddedEdge, peers: AddressRanges): Messaging {
  const { config, log, metrics, database, subscribers, bindings } = parts
  const { message, storage, domain } = config
  const messaging = buildMessages({
    database,
    now: Date.now,
    random: Math.random,
    newId: randomUUID,
    policy: { ...message, storageDefault: storage.default, alone: config.database.url === undefined },
    subscriberOf: (aor) => subscribers.find(aor),
    devicesOf: (owner) => bindings.of(owner),
    knownDevices: (owner) => bindings.devicesKnown(owner),
    dropBinding: (owner, key) => bindings.drop(owner, key),
    send: (request, target) => edge.send(request, target),
    isLocal: (host) => host === domain,
    isTrustedPeer: (host) => isTrustedPeer(host, config, peers),
    ownUri: () => `sip:${domain}`,
    log: log.child({ part: 'messages' }),
    onBatch: (name, size) => metrics.batch(name, size),
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

const outcomes = {
  delivered: 'Messages that a device accepted at once',
  kept: 'Messages kept for a recipient who was not reached',
  refused: 'Messages that no device accepted and that were not kept',
  relayed: 'Messages to users of other domains',
  absorbed: 'Notifications that told nothing new',
  expired: 'Messages that nobody fetched in time',
  late: 'Messages delivered after they had been kept',
} as const satisfies Record<keyof MessageController['counts'], string>

interface Media {
  readonly msrp: MsrpPlane
  readonly addresses: readonly MsrpAddress[]
}

async function startMedia({ config, log, metrics }: Parts, tls: Tls, started: Started): Promise<Media> {
  const { listen, advertise } = config.msrp
  const part = log.child({ part: 'msrp' })
  const msrp = new MsrpPlane({ listen, advertise, tls: tls.identity, log: part })
  started.add(() => msrp.close())
  useMetrics(metrics, 'msrp_sessions', 'Ends of message sessions', msrp.sessions)
  useMetrics(metrics, 'msrp_connections', 'MSRP connections', msrp.connections)
  try {
    return { msrp, addresses: await msrp.start() }
  } catch (err) {
    if (err instanceof MsrpUnlistenable)
      throw new ConfigurationFault('msrp.listen', err.message, 'give another address', err)
    throw err
  }
}

/** How much of a bounded resource is taken, was taken at the most, and there is. */
function useMetrics(
  metrics: Metrics,
  name: string,
  help: string,
  usage: Pick<Usage, 'inUse' | 'peak' | 'limit'>,
): void {
  metrics.gauge(`parley_${name}`, `${help} in use`, () => usage.inUse)
  metrics.gauge(`parley_${name}_peak`, `${help} in use at the most`, () => usage.peak)
  metrics.gauge(`parley_${name}_limit`, `${help} that there may be`, () => usage.limit)
}

const maxSessions = 10_000
/** RFC 3261 §16.6 item 11: timer C is more than three minutes. */
const ringFor = 185_000

function buildSessions(parts: Parts, edge: EmbeddedEdge, peers: AddressRanges, { msrp, addresses }: Media) {
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

/** The next hop for a domain is a trusted peer: it may see identities that are private (RFC 3325 §5). */
function isTrustedPeer(host: string, { sip }: Config, peers: AddressRanges): boolean {
  const route = sip.routes.find(({ domain }) => domain === host)
  return peers.includes(route === undefined ? host : readUri(route.uri).host.replace(/^\[|\]$/g, ''))
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

function buildHttp(
  parts: Parts,
  { messaging }: Signalling,
  isServing: () => boolean,
  demo: Demo | undefined,
): HttpServer {
  const { config, log, metrics, database, subscribers, bindings } = parts
  const searches = new AdminSearches(database)
  metrics.bindings(() => searches.countBindings())
  metrics.deferred(() => searches.countDeferred())
  const { deferred, stored } = messaging
  const admin = adminRoutes(
    { subscribers, bindings, deferred, messages: stored, searches, messageSearch: new MessageSearch(database), log },
    { token: config.admin.token ?? demo?.adminToken, now: Date.now },
  )
  return new HttpServer({ listen: config.http.listen, log })
    .register(metricsRoutes(metrics))
    .register(admin)
    .register(
      healthRoutes({
        database: () => (database.available() ? undefined : 'the database is away'),
        sip: () => (isServing() ? undefined : 'does not serve'),
      }),
    )
}

async function listen(edge: EmbeddedEdge): Promise<readonly Omit<AppAddress, 'name'>[]> {
  try {
    return await edge.start()
  } catch (err) {
    if (err instanceof Unlistenable)
      throw new ConfigurationFault('sip.listen', err.message, 'give another address', err)
    throw err
  }
}

interface Tls {
  readonly identity?: TlsIdentity
  readonly ca?: Buffer
}

async function readTls({ sip: { tls } }: Config): Promise<Tls> {
  const cert = await readPem('sip.tls.cert', tls.cert)
  const key = await readPem('sip.tls.key', tls.key)
  const ca = await readPem('sip.tls.ca', tls.ca)
  if (cert !== undefined && key !== undefined) checkPair(cert, key)
  return { ...(cert && key && { identity: { cert, key } }), ...(ca && { ca }) }
}

async function readPem(name: string, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined
  try {
    return await readFile(path)
  } catch (err) {
    throw new ConfigurationFault(name, `cannot be read (${(err as Error).message})`, 'give the path of a PEM file', err)
  }
}

function checkPair(cert: Buffer, key: Buffer): void {
  try {
    createSecureContext({ cert, key })
  } catch (err) {
    const problem = `certificate and key do not go together (${(err as Error).message})`
    throw new ConfigurationFault('sip.tls.cert', problem, 'give the PEM files of one certificate and its key', err)
  }
}

/** What was started, to be closed in reverse. Each close comes to its turn, whatever another one throws. */
class Started {
  readonly #closers: ((signal: AbortSignal) => unknown)[] = []
  add(close: (signal: AbortSignal) => unknown): void {
    this.#closers.push(close)
  }
  async close(signal: AbortSignal = AbortSignal.timeout(closeWithin)): Promise<void> {
    const errors: unknown[] = []
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      try {
        await close(signal)
      } catch (err) {
        errors.push(err)
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, 'not all could be closed')
  }
}
