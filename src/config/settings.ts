import { media, msrp } from './media-settings.ts'
import { key, optionalKey, section } from './section.ts'
import { sip } from './sip-settings.ts'
import {
  duration,
  hostName,
  oneOf,
  readAddressAndPort,
  readAs,
  readDatabaseUrl,
  readWebhook,
  size,
  text,
  whole,
  yesOrNo,
} from './values.ts'

const secret = { secret: true } as const
const day = 86_400_000

const data = section({
  dir: key(
    text('give the path of a directory', /^[^\0]+$/),
    './parley-data',
    'Directory of what the server keeps outside the database: the embedded Postgres, the passwords of the demo users, and the id by which a node knows after a crash what it has left. Relative to the working directory',
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

/** Every key, its bounds and its default. Input is text throughout: `read-config.ts` makes it of files and variables. */
export const settings = section({
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
      oneOf('always', 'when-needed', 'never'),
      'always',
      'Whether media go through this server (`always`), from client to client (`never`), or through this server where a party is behind a NAT (its Contact or its c= is not the address it sends from, and there is no ICE), where the parties differ in transport (WebSocket, TLS, neither) or in IPv4 and IPv6, where a size has to be limited (files, large messages), and for half-duplex voice (`when-needed`)',
    ),
    absent: key(
      oneOf('keep', 'refuse'),
      'keep',
      'A chat with somebody absent: the server answers and keeps what is said (`keep`, with `message.absent` keep), or the caller gets 480 (`refuse`)',
    ),
    absentIdle: key(
      duration(1000, day),
      '5m',
      'Time without a message after which a chat ends that the server has answered for somebody absent',
    ),
    ringFor: key(duration(1000, day), '185s', 'How long the devices of a callee may ring before the caller gets 480'),
    expires: key(
      whole(0, 86_400, 'seconds'),
      '1800',
      'Seconds after which a session ends that nobody has refreshed, where the client asks for no less; 0: only as clients ask',
    ),
    minExpires: key(whole(2, 86_400, 'seconds'), '90', 'The least of such seconds; who asks for less gets 422'),
    maxSessions: key(whole(1, 1_000_000, 'sessions'), '10000', 'Most sessions at once; more get 503 with Retry-After'),
    maxPerUser: key(
      whole(1, 1_000_000, 'sessions'),
      '50',
      'Most sessions at once that one user has begun; more get 503 with Retry-After',
    ),
    maxLargeMessageSize: key(
      size(1024, 2 ** 26),
      '10MiB',
      'Largest message that has a session of its own; a larger one gets 403 with Warning 133, or 413 when it turns out larger',
    ),
    maxFileSize: key(
      size(1, 2 ** 40),
      '100MiB',
      'Largest file that may be sent; a larger one gets 403 with Warning 133, or 413 when it turns out larger',
    ),
  }),
  msrp,
  media,
  storage: section({
    default: key(oneOf('never', 'always'), 'never', 'Whether messages are stored for sender and recipient'),
  }),
  alarms: section({
    webhook: optionalKey(
      readAs('give a URL such as https://alarms.example.org/parley', readWebhook),
      'Address that each alarm is posted to as JSON',
      { ...secret },
    ),
  }),
  presence: section({
    publications: key(whole(1, 1_000, 'publications'), '20', 'Most publications of one user; more get 403'),
    listMembers: key(whole(1, 10_000, 'members'), '500', 'Most members of one list that is subscribed to'),
    unruled: key(
      oneOf('allow', 'polite-block', 'confirm', 'block'),
      'allow',
      'Who may see the presence of a user that has no rules about it: everybody (`allow`), nobody, or nobody until the user says so (`confirm`)',
    ),
  }),
  subscriptions: section({
    minExpires: key(
      whole(1, 3_600, 'seconds'),
      '60',
      'Shortest subscription and publication in seconds; a shorter one gets 423',
    ),
    most: key(whole(1, 10_000_000, 'subscriptions'), '200000', 'Most subscriptions of a node; more get 503'),
    ofUser: key(whole(1, 100_000, 'subscriptions'), '200', 'Most subscriptions of one user on a node; more get 403'),
    listMembers: key(
      whole(1, 100_000_000, 'members'),
      '2000000',
      'Most members, all together, of the lists that are subscribed to on a node; more get 503',
    ),
    recovery: section({
      threshold: key(
        whole(0, 1_000, 'messages'),
        '5',
        'A client whose subscription was lost is told so; so many times during one registration',
      ),
      onThreshold: key(
        oneOf('sign-out', 'drop', 'bar'),
        'sign-out',
        'What comes then: the registration of that device is removed (`sign-out`), only the subscription goes (`drop`), or the user may not register for a while (`bar`)',
      ),
      barFor: key(duration(1_000, day), '15m', 'How long a user is barred from registering'),
    }),
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
