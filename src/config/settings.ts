import { media, msrp } from './media-settings.ts'
import { key, optionalKey, section } from './section.ts'
import { sip } from './sip-settings.ts'
import {
  duration,
  hostName,
  listOf,
  oneOf,
  readAddressAndPort,
  readAddressRange,
  readAs,
  readBaseUrl,
  readCodec,
  readDatabaseUrl,
  readSipUri,
  readStoreName,
  readTextSearch,
  readWebhook,
  size,
  text,
  whole,
  yesOrNo,
} from './values.ts'

const secret = { secret: true } as const
const list = { list: true } as const
const day = 86_400_000

const storing = ['user', 'always', 'ask', 'never'] as const
const decides = 'as each `user` says; or `always`, `ask` or `never`, whatever they say'

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
  absent: key(
    oneOf('keep', 'notify', 'discard'),
    'keep',
    'A message to somebody absent: `keep` it and bring it when they are back (202), store it and `notify` them when they are back, so that they fetch it (202), or `discard` it (480)',
  ),
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
    audioCodecs: optionalKey(
      listOf('give names of codecs, such as AMR-WB,AMR,PCMA', readCodec, 1),
      'Codecs that voice may have, by their names in SDP; others are taken out of an offer, and what has none left gets 488',
      { ...list, defaultNote: 'any' },
    ),
    videoCodecs: optionalKey(
      listOf('give names of codecs, such as H264,VP8', readCodec, 1),
      'Codecs that video may have, in the same way',
      { ...list, defaultNote: 'any' },
    ),
    maxAudioRate: optionalKey(
      whole(0, 10_000_000, 'kbit/s'),
      'Most kbit/s of a line of voice: its `b=` lines say no more; 0: no voice',
      { defaultNote: 'as clients ask' },
    ),
    maxVideoRate: optionalKey(
      whole(0, 10_000_000, 'kbit/s'),
      'Most kbit/s of a line of video, in the same way; 0: no video',
      { defaultNote: 'as clients ask' },
    ),
    maxRate: optionalKey(
      whole(1, 10_000_000, 'kbit/s'),
      'Most kbit/s of a whole session: its own `b=` line says no more',
      { defaultNote: 'as clients ask' },
    ),
  }),
  msrp,
  media,
  storage: section({
    default: key(
      oneOf('never', 'ask', 'always'),
      'never',
      'Whether users keep what they send and get, each a copy of their own, where they have not said anything; `ask`: what they ask for, with a header field `Parley-Store: yes`, with `a=recordpref:on` or with REFER',
    ),
    message: key(oneOf(...storing), 'user', `Whether messages are kept: ${decides}`),
    chat: key(oneOf(...storing), 'user', `Whether what is said in chats is kept: ${decides}`),
    file: key(oneOf(...storing), 'user', `Whether files are kept: ${decides}`),
    voice: key(
      oneOf(...storing),
      'user',
      `Whether it is kept who has called whom, and when; the sound itself only where it is asked for: ${decides}`,
    ),
    video: key(oneOf(...storing), 'user', `The same of video calls: ${decides}`),
    uri: optionalKey(
      readAs('give a sip: URI, such as sip:storage@example.org', readSipUri),
      'Where the storage controller is reached: REFER to it with method INVITE begins to record a session, with BYE ends that',
      { defaultNote: '`sip:storage@` and the domain' },
    ),
    keepDays: key(
      whole(0, 36_500, 'days'),
      '0',
      'How long a mailbox keeps what is in it; 0: for ever. Users may say less in their service settings',
    ),
    maxBytes: key(size(0, 2 ** 50), '5GiB', 'Most bytes of one mailbox; 0: any number. What is too much is not stored'),
    maxObjects: key(whole(0, 1_000_000_000, 'objects'), '1000000', 'Most objects of one mailbox; 0: any number'),
    languages: key(
      listOf('give text search configurations of Postgres, such as simple,english', readTextSearch, 1),
      'simple',
      'How words are searched: text search configurations of Postgres, such as `english` and `german`, besides `simple`, which is always there',
      list,
    ),
    tombstoneDays: key(
      whole(1, 3_650, 'days'),
      '90',
      'How long a client may stay away and still be told what has gone; after that it reads the mailbox anew',
    ),
    maxRecordings: key(
      whole(0, 1_000_000, 'sessions'),
      '1000',
      'Most sessions at once of which sound is recorded; more get 503',
    ),
    maxSound: key(duration(1000, day), '2h', 'Longest recording of sound; what comes later is left out'),
    names: key(
      listOf('give names such as parley,ums', readStoreName, 1),
      'parley,ums',
      'Names of the store in URLs of its REST door: /nms/v1/NAME/BOX; the first is its usual one',
      list,
    ),
    url: optionalKey(
      readAs('give a URL such as https://store.example.org', readBaseUrl),
      'Where clients reach the REST door of the store; it is what its links begin with',
      { defaultNote: 'the Host that a request names' },
    ),
    maxUpload: key(
      size(1, 2 ** 40),
      '100MiB',
      'Largest upload of an object, or of several at once; a larger one gets 413',
    ),
    notifications: section({
      perUser: key(
        whole(0, 10_000, 'subscriptions'),
        '20',
        'Most subscriptions of one user to changes of the mailbox, and most channels that are polled for them; more get 403',
      ),
      callbackTo: key(
        listOf('give addresses or ranges, such as 10.0.0.7 or 10.1.0.0/16', readAddressRange),
        '',
        'Addresses and ranges (CIDR) outside the public internet that notifications may be posted to; to others of these they never are',
        list,
      ),
      giveUpAfter: key(
        duration(1_000, 30 * day),
        '1h',
        'A client that has taken no notification for so long, while there were some, is told no more: its subscription ends',
      ),
      pollFor: key(duration(100, 25_000), '20s', 'How long a client that polls waits for a notification'),
    }),
  }),
  devices: section({
    interval: key(
      duration(100, 3_600_000),
      '1s',
      'Least time between two times that the devices of a user are told of changes in the mailbox; what changes meanwhile is told together',
    ),
    copies: key(
      oneOf('always', 'never'),
      'always',
      'Whether what a user sends from one device is copied to those of their others that say they understand it. Users may say otherwise in their service settings',
    ),
  }),
  oauth: section({
    tokenLifetime: key(duration(1_000, day), '1h', 'How long an access token of /oauth/token is in force'),
    refreshLifetime: key(
      duration(60_000, 400 * day),
      '30d',
      'How long a client may stay away before its user has to give the password again',
    ),
  }),
  content: section({
    dir: optionalKey(
      text('give the path of a directory', /^[^\0]+$/),
      'Directory of the files that users put up; several nodes have to share it. Without it files are in the database, and slower',
      { defaultNote: '`content` in `data.dir` with the embedded Postgres, else none' },
    ),
    url: optionalKey(
      readAs('give a URL such as https://files.example.org', readBaseUrl),
      'Where clients reach the file content server; it is what links begin with',
      { defaultNote: 'the socket that an upload came in by' },
    ),
    downloads: key(
      oneOf('link', 'authenticated'),
      'link',
      'Who may have a file: everybody who has its link, of 256 random bits (`link`), or only users (`authenticated`)',
    ),
    maxFileSize: key(size(1, 2 ** 40), '100MiB', 'Largest file; a larger one gets 413'),
    maxThumbnailSize: key(size(1, 2 ** 24), '256KiB', 'Largest preview of a file; a larger one gets 413'),
    maxUserBytes: key(size(1, 2 ** 50), '2GiB', 'Most that the files of one user take together; more gets 507'),
    maxTransfers: key(
      whole(1, 100_000, 'transfers'),
      '200',
      'Most uploads and downloads at once; more get 503. Each takes up to 4 MiB of memory',
    ),
    keepDays: key(whole(1, 3_650, 'days'), '30', 'Days that a file is kept'),
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
