import { key, optionalKey, section } from './section.ts'
import {
  duration,
  listOf,
  oneOf,
  readAs,
  readHost,
  readHostAndPort,
  readIpAddress,
  readMsrpListen,
  readPortRange,
  whole,
} from './values.ts'

const list = { list: true } as const
const day = 86_400_000

/** The keys of `msrp`. */
export const msrp = section({
  listen: key(
    listOf('give transport:address:port, such as tcp:127.0.0.1:2855 or tls:[::1]:2856', readMsrpListen, 1),
    'tcp:127.0.0.1:2855',
    'Sockets for MSRP: `tcp`, `tls`, `ws` or `wss`, address and port; port 0: one that is free',
    list,
  ),
  advertise: optionalKey(
    readAs('give a host name or an address, without port', readHost),
    'Host that clients send MSRP to, where it is not the one listened on (behind NAT, or on 0.0.0.0)',
    { defaultNote: '`sip.advertise`, else the address listened on' },
  ),
  limits: section({
    sessions: key(
      whole(1, 1_000_000, 'sessions'),
      '20000',
      'Most ends of message sessions, two for each line of a session; more get 503 with Retry-After',
    ),
    connections: key(whole(1, 1_000_000, 'connections'), '20000', 'Most MSRP connections'),
    connectionsPerSource: key(whole(1, 1_000_000, 'connections'), '1000', 'Most MSRP connections from one address'),
    silence: key(duration(100, day), '10s', 'Time after which a connection is closed that belongs to no session'),
    absence: key(
      duration(100, day),
      '30s',
      'Time that a client whose connection is gone has to come back before its session ends',
    ),
    stall: key(
      duration(100, day),
      '30s',
      'Time after which a connection is closed whose client does not read what waits for it',
    ),
  }),
})

/** The keys of `media`. */
export const media = section({
  rtp: key(
    oneOf('embedded', 'rtpengine'),
    'embedded',
    'What relays voice and video: this server (`embedded`), or the `rtpengine` at `media.rtpengine`, which browsers need',
  ),
  rtpengine: key(
    readAs('give host:port, such as 127.0.0.1:2223', readHostAndPort),
    '127.0.0.1:2223',
    'Control socket (NG protocol) of that rtpengine',
  ),
  dscp: key(
    whole(0, 63, 'DSCP'),
    '46',
    'How that rtpengine marks what it sends (RFC 2474); 46 is Expedited Forwarding',
  ),
  rtpPorts: key(
    readAs('give a range of ports with an even one in it and the one after it, such as 40000-49999', readPortRange),
    '40000-49999',
    'UDP ports of the embedded relay: a pair of them for each party of each voice or video line',
  ),
  address: optionalKey(
    readAs('give an address, such as 192.0.2.10', readIpAddress),
    'Address that the embedded relay opens those ports on',
    { defaultNote: 'the first one in `sip.listen`' },
  ),
  advertise: optionalKey(
    readAs('give a host name or an address, without port', readHost),
    'Host that clients send voice and video to, where it is not `media.address` (behind NAT, or on 0.0.0.0)',
    { defaultNote: '`sip.advertise`, else `media.address`' },
  ),
  maxSilence: key(
    duration(1000, day),
    '60s',
    'Time without a packet, RTP or RTCP, from a party that said it sends, after which its session ends',
  ),
  floor: section({
    maxTalk: key(
      duration(1000, 3_600_000),
      '30s',
      'Half-duplex voice: the longest that one party may speak before the floor is revoked',
    ),
  }),
})
