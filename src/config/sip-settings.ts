import { key, optionalKey, section } from './section.ts'
import {
  duration,
  listOf,
  oneOf,
  readAddressRange,
  readAs,
  readDnsServer,
  readHost,
  readRoute,
  readSipListen,
  size,
  text,
  whole,
  yesOrNo,
} from './values.ts'

const file = () => text('give the path of a PEM file', /^[^\0]+$/)
const list = { list: true } as const
const secret = { secret: true } as const
const day = 86_400_000

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

const drachtio = section({
  host: optionalKey(readAs('give a host name or an address, without port', readHost), 'Host of that drachtio-server', {
    defaultNote: 'none',
  }),
  port: key(whole(1, 65_535, 'as a port'), '9022', 'Its admin port'),
  secret: optionalKey(
    text('give 1 to 256 characters other than | and spaces', /^[!-{}~]{1,256}$/),
    'Secret of its admin port; the port itself belongs on loopback',
    { ...secret, defaultNote: 'none' },
  ),
})

/** The keys of `sip`. */
export const sip = section({
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
  stack: key(
    oneOf('embedded', 'drachtio'),
    'embedded',
    'SIP by this server itself (`embedded`), or by the drachtio-server at `sip.drachtio`, which then has the sockets and certificates',
  ),
  drachtio,
})
