import { resolve } from 'node:path'
import { z } from 'zod'
import { ConfigurationFault } from '../failure.ts'
import { nest } from './nest.ts'
import {
  duration,
  hostName,
  listOf,
  oneOf,
  readAddressAndPort,
  readAddressRange,
  readAs,
  readDatabaseUrl,
  readDnsServer,
  readHost,
  readMsrpListen,
  readRoute,
  readSipListen,
  size,
  text,
  whole,
  yesOrNo,
} from './values.ts'

/** What is known of a key besides its values. */
export interface KeyNotes {
  readonly meaning: string
  /** As it would be written; undefined where there is none. */
  readonly default?: string
  /** In place of the default in the table, where that is no value. */
  readonly defaultNote?: string
  readonly secret?: boolean
  readonly list?: boolean
}

const notes = z.registry<KeyNotes>()

type Written<T> = z.ZodType<T, string>

/** A key with a default. */
function key<T>(value: Written<T>, byDefault: string, meaning: string, more: Partial<KeyNotes> = {}) {
  return value.prefault(byDefault).register(notes, { meaning, default: byDefault, ...more })
}

/** A key that may be left out. */
function optionalKey<T>(value: Written<T>, meaning: string, more: Partial<KeyNotes> = {}) {
  return value.optional().register(notes, { meaning, ...more })
}

function section<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape).readonly()
}

const file = () => text('give the path of a PEM file', /^[^\0]+$/)
const list = { list: true } as const
const secret = { secret: true } as const
const day = 86_400_000

const data = section({
  dir: key(
    text('give the path of a directory', /^[^\0]+$/),
    './parley-data',
    'Directory of what the server keeps outside the database: the embedded Postgres and the passwords of the demo users. Relative to the working directory',
  ),
})

const database = section({
  url: optionalKey(
    readAs('give a URL such as postgres://user:password@host:5432/parley', readDatabaseUrl),
    'Postgres to use, 15 or later',
    { ...secret, defaultNote: 'an embedded Postgres in `data.dir`' },
  ),
  connections: key(
    whole(1, 500, 'connections'),
    '8',
    'Connections to Postgres for messages; administration has half as many besides',
  ),
})

const tls = section({
  cert: optionalKey(file(), 'Certificate chain for TLS and WSS, PEM; read again on SIGHUP'),
  key: optionalKey(file(), 'Its private key, PEM; read again on SIGHUP'),
  ca: optionalKey(file(), 'Certificates, PEM, that other servers are checked against', {
    defaultNote: "Node's list",
  }),
})

const auth = section({
  algorithms: key(
    listOf('give MD5, SHA-256, or both', (name) => (['MD5', 'SHA-256'] as const).find((known) => known === name), 1),
    'MD5,SHA-256',
    'Digest algorithms to offer, in this order',
    list,
  ),
  realm: optionalKey(text('give a name without quotes', /^[^"\\\r\n]{1,128}$/), 'Realm of the digest challenge', {
    defaultNote: '`domain`',
  }),
  nonceLifetime: key(duration(1000, day), '5m', 'How long a nonce is good for'),
  maxFailures: key(
    whole(0, 100_000, 'failures'),
    '20',
    'Failed authentications within `sip.auth.failureWindow`, of one source or for one user, after which it gets 503; 0: no limit',
  ),
  failureWindow: key(duration(1000, day), '1m', 'Time over which failed authentications are counted'),
})

const limits = section({
  messageBytes: key(size(0, 2 ** 30), '256KiB', 'Longest SIP message; 0: no limit'),
  headers: key(whole(0, 100_000, 'header fields'), '256', 'Most header fields in a message; 0: no limit'),
  headerLength: key(size(0, 2 ** 24), '8KiB', 'Longest header field; 0: no limit'),
  connections: key(whole(0, 1_000_000, 'connections'), '10000', 'Most connections; 0: no limit'),
  connectionsPerSource: key(
    whole(0, 1_000_000, 'connections'),
    '500',
    'Most connections from one address, trusted peers excepted; 0: no limit',
  ),
  idleSeconds: key(
    whole(0, 86_400, 'seconds'),
    '900',
    'Seconds after which a connection on which nothing comes is closed; 0: never',
  ),
  halfOpenSeconds: key(
    whole(0, 3600, 'seconds'),
    '30',
    'Seconds that a new connection has for its handshake and first message, and any message once begun; 0: no limit',
  ),
  requestsPerSecond: key(
    whole(0, 1_000_000, 'requests'),
    '200',
    'Most requests a second from one address, trusted peers excepted; 0: no limit',
  ),
})

const registrar = section({
  minExpires: key(whole(1, 86_400, 'seconds'), '60', 'Shortest registration in seconds; a shorter one gets 423'),
  maxExpires: key(whole(60, 31_536_000, 'seconds'), '7200', 'Longest registration in seconds; a longer one is cut'),
  defaultExpires: key(whole(1, 31_536_000, 'seconds'), '3600', 'Registration in seconds when the client names none'),
  maxContacts: key(whole(1, 1000, 'contacts'), '10', 'Most contacts of one user'),
})

const sip = section({
  listen: key(
    listOf('give transport:address:port, such as udp:127.0.0.1:5060 or tls:[::1]:5061', readSipListen, 1),
    'udp:127.0.0.1:5060,tcp:127.0.0.1:5060',
    'Sockets for SIP: `udp`, `tcp`, `tls`, `ws` or `wss`, address and port; port 0: one that is free',
    list,
  ),
  advertise: optionalKey(
    readAs('give a host name or an address, without port', readHost),
    'Host that others reach this server at, where it is not the one listened on (behind NAT, or on 0.0.0.0)',
    { defaultNote: 'the address listened on' },
  ),
  tls,
  routes: key(
    listOf('give domain=uri, such as other.test=sip:10.0.0.2:5060;transport=tcp', readRoute),
    '',
    'Where requests for other domains go, before DNS is asked: `other.test=sip:10.0.0.2:5060;transport=tcp`',
    list,
  ),
  trustedPeers: key(
    listOf('give addresses or ranges, such as 10.0.0.7 or 10.1.0.0/16', readAddressRange),
    '',
    'Addresses and ranges (CIDR) of peers whose P-Asserted-Identity is believed and that are not limited',
    list,
  ),
  trustFrom: key(yesOrNo(), 'false', 'A trusted peer that sends no P-Asserted-Identity is believed in From'),
  auth,
  dns: optionalKey(readAs('give an address, such as 10.0.0.53 or 127.0.0.1:5353', readDnsServer), 'DNS server to ask', {
    defaultNote: "the system's",
  }),
  limits,
  registrar,
})

const message = section({
  absent: key(oneOf('keep', 'discard'), 'keep', 'A message to somebody absent: `keep` it (202) or `discard` it (480)'),
  keepDays: key(whole(1, 30, 'days'), '7', 'Days that a message is kept, at most 30; a shorter Expires is respected'),
  deliverWithin: key(
    duration(100, 30_000),
    '4s',
    'How long the sender waits for a device to accept before the message is kept and answered 202',
  ),
  maxBytes: key(size(1, 2 ** 24), '64KiB', 'Longest body of a message; a longer one gets 513'),
  maxRecipients: key(whole(1, 10_000, 'recipients'), '100', 'Most recipients of one message to many'),
  maxQueue: key(
    whole(1, 1_000_000, 'messages'),
    '5000',
    'Messages under way above which new ones get 503 with Retry-After',
  ),
  retry: section({
    first: key(duration(100, day), '5s', 'After a device that registered did not accept: time until the next attempt'),
    longest: key(duration(100, day), '10m', 'The time doubles with each attempt up to this'),
  }),
})

const msrp = section({
  listen: key(
    listOf('give transport:address:port, such as tcp:127.0.0.1:2855 or tls:[::1]:2856', readMsrpListen, 1),
    'tcp:127.0.0.1:2855',
    'Sockets for MSRP: `tcp`, `tls`, `ws` or `wss`, address and port; port 0: one that is free',
    list,
  ),
  advertise: optionalKey(
    readAs('give a host name or an address, without port', readHost),
    'Host that clients send MSRP to, where it is not the one listened on (behind NAT, or on 0.0.0.0)',
    { defaultNote: 'the address listened on' },
  ),
})

/** Every key, its bounds and its default. Input is text throughout: `read-config.ts` makes it of files and variables. */
const settings = section({
  domain: optionalKey(
    readAs('give a domain name, such as example.org', (name) => (hostName.test(name) ? name.toLowerCase() : undefined)),
    'Domain that the server serves. Without it the server runs in demo mode: domain `parley.test`, users alice, bob and carol',
    { defaultNote: 'demo mode' },
  ),
  data,
  database,
  sip,
  http: section({
    listen: key(
      readAs('give address:port, such as 127.0.0.1:8080', readAddressAndPort),
      '127.0.0.1:8080',
      'Socket for health, metrics and administration; port 0: one that is free',
    ),
  }),
  admin: section({
    token: optionalKey(
      text('give 16 to 256 letters, digits or - . _ ~ + / =', /^[A-Za-z0-9._~+/=-]{16,256}$/),
      'Bearer token of /admin; without one /admin answers 403',
      { ...secret, defaultNote: 'none; in demo mode one is made' },
    ),
  }),
  message,
  session: section({
    mediaAnchor: key(
      oneOf('always', 'never'),
      'always',
      'Whether message sessions go through this server (`always`) or from client to client (`never`)',
    ),
  }),
  msrp,
  storage: section({
    default: key(oneOf('never', 'always'), 'never', 'Whether messages are stored for sender and recipient'),
  }),
  log: section({
    level: key(
      oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
      'info',
      'Least level that is logged',
    ),
    sip: key(yesOrNo(), 'false', 'Log whole SIP messages, credentials masked'),
  }),
})

type Settings = z.output<typeof settings>

/** What the server is told to be. Times are milliseconds unless the name says seconds or is one of SIP's Expires. */
export type Config = Omit<Settings, 'domain' | 'sip'> & {
  /** No domain was configured: the server makes users and an administrator's token of its own. */
  readonly demo: boolean
  readonly domain: string
  readonly sip: Omit<Settings['sip'], 'auth'> & {
    readonly auth: Omit<Settings['sip']['auth'], 'realm'> & { readonly realm: string }
  }
}

/** A key of the configuration: `sip.trustedPeers`. */
export interface Key extends KeyNotes {
  readonly name: string
  readonly variable: string
}

/** Every key, in the order of the schema. */
export const keys: readonly Key[] = keysIn(settings, [])

function keysIn(schema: z.core.$ZodType, path: readonly string[]): Key[] {
  const about = notes.get(schema)
  if (about) return [{ ...about, name: path.join('.'), variable: variableOf(path) }]
  const inner = schema instanceof z.ZodReadonly ? schema.unwrap() : schema
  if (!(inner instanceof z.ZodObject)) throw new Error(`${path.join('.')} has no notes`)
  return Object.entries(inner.shape).flatMap(([name, value]) => keysIn(value, [...path, name]))
}

/** `sip.trustedPeers` is PARLEY_SIP_TRUSTED_PEERS. */
function variableOf(path: readonly string[]): string {
  const words = path.map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter}`))
  return `PARLEY_${words.join('_').toUpperCase()}`
}

/** The configuration that these values, by key and as text, make. `source` tells where a wrong one came from. */
export function configFrom(
  values: ReadonlyMap<string, string>,
  source: (name: string) => string | undefined = () => undefined,
): Config {
  const result = settings.safeParse(nest(keys.map(({ name }) => [name, values.get(name)])))
  if (!result.success) throw faultOf(result.error, values, source)
  checkTogether(result.data)
  const { domain, data, sip, ...rest } = result.data
  const name = domain ?? 'parley.test'
  const auth = { ...sip.auth, realm: sip.auth.realm ?? name }
  return { ...rest, demo: domain === undefined, domain: name, data: { dir: resolve(data.dir) }, sip: { ...sip, auth } }
}

function faultOf(
  error: z.ZodError,
  values: ReadonlyMap<string, string>,
  source: (name: string) => string | undefined,
): ConfigurationFault {
  const [issue] = error.issues
  const name = issue?.path.join('.') ?? ''
  const from = source(name)
  const shown = keys.find((known) => known.name === name)?.secret ? 'the value' : JSON.stringify(values.get(name) ?? '')
  return new ConfigurationFault(name, `${shown}${from ? ` (${from})` : ''} is not accepted`, issue?.message ?? '')
}

/** What no key can tell alone. */
function checkTogether({ sip, msrp }: Settings): void {
  checkCertificate(sip, 'sip.listen', sip.listen)
  checkCertificate(sip, 'msrp.listen', msrp.listen)
  const { minExpires, maxExpires, defaultExpires } = sip.registrar
  if (minExpires > maxExpires) {
    throw new ConfigurationFault('sip.registrar.minExpires', 'is more than sip.registrar.maxExpires', 'lower it')
  }
  if (defaultExpires < minExpires || defaultExpires > maxExpires) {
    const bounds = `${minExpires} to ${maxExpires}`
    throw new ConfigurationFault(
      'sip.registrar.defaultExpires',
      'is outside minExpires to maxExpires',
      `give ${bounds}`,
    )
  }
}

function checkCertificate(
  { tls }: Settings['sip'],
  key: string,
  listen: readonly { readonly transport: string }[],
): void {
  const secure = listen.find(({ transport }) => transport === 'tls' || transport === 'wss')
  const missing = tls.cert === undefined ? 'sip.tls.cert' : tls.key === undefined ? 'sip.tls.key' : undefined
  if (secure && missing) {
    throw new ConfigurationFault(missing, `is needed for ${secure.transport} in ${key}`, 'give the path of a PEM file')
  }
}
