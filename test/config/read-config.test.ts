import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { keys } from '../../src/config/config.ts'
import { readConfig, type Sources } from '../../src/config/read-config.ts'
import { settingsTree, showConfig } from '../../src/config/show-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'parley-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
function file(yaml: string): string {
  const name = join(folder, `${++files}.yaml`)
  writeFileSync(name, yaml)
  return name
}

/** A value other than the default, for every key. */
const others: Record<string, string> = {
  domain: 'example.org',
  'data.dir': '/var/lib/parley',
  'database.url': 'postgres://parley:pw@db.example/parley',
  'database.connections': '20',
  'sip.listen': 'udp:10.0.0.1:5070',
  'sip.advertise': 'sip.example.org',
  'sip.tls.cert': '/etc/cert.pem',
  'sip.tls.key': '/etc/key.pem',
  'sip.tls.ca': '/etc/ca.pem',
  'sip.routes': 'other.test=sip:10.0.0.2:5060;transport=tcp',
  'sip.trustedPeers': '10.0.0.0/8',
  'sip.trustFrom': 'true',
  'sip.auth.algorithms': 'SHA-256',
  'sip.auth.realm': 'ims.example.org',
  'sip.auth.nonceLifetime': '1m',
  'sip.auth.maxFailures': '3',
  'sip.auth.failureWindow': '2m',
  'sip.dns': '10.0.0.53',
  'sip.limits.messageBytes': '1MiB',
  'sip.limits.headers': '77',
  'sip.limits.headerLength': '4KiB',
  'sip.limits.connections': '78',
  'sip.limits.connectionsPerSource': '79',
  'sip.limits.idleSeconds': '80',
  'sip.limits.halfOpenSeconds': '81',
  'sip.limits.requestsPerSecond': '0',
  'sip.registrar.minExpires': '30',
  'sip.registrar.maxExpires': '4000',
  'sip.registrar.defaultExpires': '1800',
  'sip.registrar.maxContacts': '4',
  'sip.stack': 'drachtio',
  'sip.drachtio.host': '10.0.0.5',
  'sip.drachtio.port': '9023',
  'sip.drachtio.secret': 'known-to-both',
  'http.listen': '[::1]:9090',
  'admin.token': 'a-token-of-some-length',
  'message.absent': 'discard',
  'message.keepDays': '30',
  'message.deliverWithin': '2500ms',
  'message.maxBytes': '10000',
  'message.maxRecipients': '20',
  'message.maxQueue': '100',
  'message.retry.first': '1s',
  'message.retry.longest': '1h',
  'session.mediaAnchor': 'never',
  'session.absent': 'refuse',
  'session.absentIdle': '90s',
  'session.ringFor': '60s',
  'session.expires': '900',
  'session.minExpires': '120',
  'session.maxSessions': '500',
  'session.maxPerUser': '5',
  'session.maxLargeMessageSize': '20MiB',
  'session.maxFileSize': '1GiB',
  'session.audioCodecs': 'AMR-WB,PCMA',
  'session.videoCodecs': 'H264',
  'session.maxAudioRate': '64',
  'session.maxVideoRate': '0',
  'session.maxRate': '2000',
  'msrp.listen': 'ws:127.0.0.1:2856',
  'msrp.advertise': 'chat.example.org',
  'msrp.limits.sessions': '300',
  'msrp.limits.connections': '400',
  'msrp.limits.connectionsPerSource': '40',
  'msrp.limits.silence': '5s',
  'msrp.limits.absence': '1m',
  'msrp.limits.stall': '500ms',
  'media.rtp': 'rtpengine',
  'media.rtpengine': 'rtpengine.example.org:2223',
  'media.dscp': '0',
  'media.rtpPorts': '30000-30099',
  'media.address': '10.0.0.1',
  'media.advertise': 'voice.example.org',
  'media.maxSilence': '20s',
  'media.floor.maxTalk': '10s',
  'storage.default': 'always',
  'storage.message': 'ask',
  'storage.chat': 'always',
  'storage.file': 'never',
  'storage.voice': 'always',
  'storage.video': 'never',
  'storage.uri': 'sip:history@example.org',
  'storage.keepDays': '365',
  'storage.maxBytes': '1GiB',
  'storage.maxObjects': '5000',
  'storage.languages': 'simple,english',
  'storage.tombstoneDays': '30',
  'storage.maxRecordings': '3',
  'storage.maxSound': '10m',
  'storage.names': 'history',
  'storage.url': 'https://store.example.org',
  'storage.maxUpload': '10MiB',
  'storage.notifications.perUser': '5',
  'storage.notifications.callbackTo': '10.1.0.0/16,127.0.0.1',
  'storage.notifications.giveUpAfter': '10m',
  'storage.notifications.pollFor': '5s',
  'devices.interval': '2s',
  'devices.copies': 'never',
  'oauth.tokenLifetime': '5m',
  'oauth.refreshLifetime': '7d',
  'content.dir': '/srv/files',
  'content.url': 'https://files.example.org',
  'content.downloads': 'authenticated',
  'content.maxFileSize': '1GiB',
  'content.maxThumbnailSize': '10KiB',
  'content.maxUserBytes': '10GiB',
  'content.maxTransfers': '20',
  'content.keepDays': '3',
  'alarms.webhook': 'https://alarms.example.org/parley',
  'presence.publications': '3',
  'presence.listMembers': '50',
  'presence.unruled': 'confirm',
  'subscriptions.minExpires': '30',
  'subscriptions.most': '1000',
  'subscriptions.ofUser': '20',
  'subscriptions.listMembers': '5000',
  'subscriptions.recovery.threshold': '3',
  'subscriptions.recovery.onThreshold': 'bar',
  'subscriptions.recovery.barFor': '1h',
  'log.level': 'debug',
  'log.sip': 'true',
}

const at = (config: unknown, name: string): unknown =>
  name.split('.').reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], config)

function faultOf(sources: Sources): string {
  try {
    readConfig(sources)
  } catch (err) {
    return (err as Error).message
  }
  throw new Error('it was accepted')
}

const set = (...settings: string[]): Sources => ({
  set: settings.map((setting) => {
    const equals = setting.indexOf('=')
    return [setting.slice(0, equals), setting.slice(equals + 1)]
  }),
})

describe('every key', () => {
  test('has another value in this test', () => {
    expect(Object.keys(others)).toEqual(keys.map(({ name }) => name))
  })

  test('has an environment variable of its own', () => {
    expect(new Set(keys.map(({ variable }) => variable)).size).toBe(keys.length)
    const variables = Object.fromEntries(keys.map(({ name, variable }) => [name, variable]))
    expect(variables['sip.trustedPeers']).toBe('PARLEY_SIP_TRUSTED_PEERS')
    expect(variables['message.retry.first']).toBe('PARLEY_MESSAGE_RETRY_FIRST')
  })

  // sip.stack is not accepted alone; the test at the end has it.
  test.each(keys.filter(({ name }) => name !== 'sip.stack').map((key) => [key.name, key] as const))(
    '%s: the file, then the environment, then --set',
    (name, key) => {
      const other = others[name] ?? ''
      const [path, byDefault] = [file(`${yamlOf(name, other)}\n`), key.default ?? '']
      const plain = at(readConfig({}).config, name)
      const changed = at(readConfig({ file: path }).config, name)
      expect(changed).not.toEqual(plain)
      expect(at(readConfig({ environment: { [key.variable]: other } }).config, name)).toEqual(changed)
      expect(at(readConfig({ set: [[name, other]] }).config, name)).toEqual(changed)

      const environment = { [key.variable]: other }
      expect(at(readConfig({ environment, set: [[name, byDefault]] }).config, name)).toEqual(plain)
      if (byDefault !== '') {
        expect(at(readConfig({ file: path, environment: { [key.variable]: byDefault } }).config, name)).toEqual(plain)
      }
    },
  )

  test('written together and shown, reads back the same', () => {
    const { config, written } = readConfig({ set: Object.entries(others) })
    const secrets = ['database.url', 'admin.token', 'sip.drachtio.secret'].map(
      (name) => [name, others[name] ?? ''] as const,
    )
    expect(readConfig({ file: file(showConfig(written)), set: secrets }).config).toEqual(config)
  })
})

const yamlOf = (name: string, value: string) => {
  const parts = name.split('.')
  const lines = parts.map((part, depth) => `${'  '.repeat(depth)}${part}:`)
  return `${lines.join('\n')} ${JSON.stringify(value)}`
}

describe('values', () => {
  const read = (name: string, text: string) => at(readConfig({ set: [[name, text]] }).config, name)

  test.each([
    ['4', 4000],
    ['4s', 4000],
    ['2500ms', 2500],
    ['0.5s', 500],
    ['1.5 s', 1500],
    ['30s', 30_000],
  ])('the time %s is %d ms', (text, ms) => expect(read('message.deliverWithin', text)).toBe(ms))

  test.each(['', '4x', '-1s', '31s', '1e3', '1h', '4constructor', 'NaN'].slice(1))('the time %s is refused', (text) => {
    expect(() => read('message.deliverWithin', text)).toThrow('message.deliverWithin')
  })

  test.each([
    ['65536', 65_536],
    ['64KiB', 65_536],
    ['64 KiB', 65_536],
    ['1MiB', 1_048_576],
    ['10kB', 10_000],
    ['1.5KiB', 1536],
  ])('the size %s is %d bytes', (text, bytes) => expect(read('message.maxBytes', text)).toBe(bytes))

  test.each(['0', '64kib', '17MiB', '64 Ki B'])('the size %s is refused', (text) => {
    expect(() => read('message.maxBytes', text)).toThrow('message.maxBytes')
  })

  test('a list is comma-separated, or a list in YAML', () => {
    const peers = ['10.0.0.0/8', '::1', '192.0.2.7']
    expect(read('sip.trustedPeers', '10.0.0.0/8, ::1,192.0.2.7')).toEqual(peers)
    const inFile = readConfig({ file: file('sip:\n  trustedPeers:\n    - 10.0.0.0/8\n    - ::1\n    - 192.0.2.7\n') })
    expect(inFile.config.sip.trustedPeers).toEqual(peers)
  })

  test('a route has a domain and a URI with its parameters', () => {
    expect(read('sip.routes', 'Other.test=sip:10.0.0.2:5060;transport=tcp,third.test=sips:gw.third.test')).toEqual([
      { domain: 'other.test', uri: 'sip:10.0.0.2:5060;transport=tcp' },
      { domain: 'third.test', uri: 'sips:gw.third.test' },
    ])
  })

  test('a listening address has a transport, an address and a port', () => {
    expect(read('sip.listen', 'udp:127.0.0.1:0,ws:[::1]:5066')).toEqual([
      { transport: 'udp', address: '127.0.0.1', port: 0 },
      { transport: 'ws', address: '::1', port: 5066 },
    ])
  })

  test('an empty value in the file or in --set leaves the default, an empty variable what was there', () => {
    const path = file('domain: example.org\nmessage:\n  keepDays:\n')
    const { config } = readConfig({ file: path, environment: { PARLEY_DOMAIN: '' } })
    expect(config).toMatchObject({ domain: 'example.org', message: { keepDays: 7 } })
    expect(readConfig({ file: path, ...set('domain=') }).config.demo).toBe(true)
  })

  test('values in YAML stay as they are written', () => {
    const { config } = readConfig({ file: file('admin:\n  token: 01234567890123456789\nlog: { sip: true }\n') })
    expect(config.admin.token).toBe('01234567890123456789')
    expect(config.log.sip).toBe(true)
  })
})

describe('without a domain', () => {
  test('it is demo mode, on loopback only', () => {
    const { config } = readConfig({})
    expect(config).toMatchObject({ demo: true, domain: 'parley.test', data: { dir: resolve('parley-data') } })
    expect(config.database.url).toBeUndefined()
    expect([...config.sip.listen, config.http.listen].map(({ address }) => address)).toEqual(Array(3).fill('127.0.0.1'))
  })

  test('and with one it is not, and the realm is the domain', () => {
    const { config } = readConfig(set('domain=Example.ORG'))
    expect(config).toMatchObject({ demo: false, domain: 'example.org', sip: { auth: { realm: 'example.org' } } })
  })
})

describe('what is wrong is said in one line that names the key and the remedy', () => {
  const lines = (sources: Sources) =>
    faultOf(sources)
      .replaceAll(folder, 'FOLDER')
      .replace(/\d+\.yaml/, 'FILE')

  test.each([
    ['sip.listne=udp:127.0.0.1:5060', 'sip.listne: there is no such key (--set); did you mean sip.listen?'],
    ['trustedPeers=::1', 'trustedPeers: there is no such key (--set); did you mean sip.trustedPeers?'],
    ['__proto__.x=1', '__proto__.x: there is no such key (--set); did you mean sip.tls.ca?'],
    ['sip=1', 'sip: is a section, not a key (--set); set one of its keys, such as sip.listen'],
    [
      'sip.listen=udp:localhost:5060',
      'sip.listen: "udp:localhost:5060" (--set) is not accepted; give transport:address:port, such as udp:127.0.0.1:5060 or tls:[::1]:5061',
    ],
    ['sip.listen=,', expect.stringContaining('sip.listen: "," (--set) is not accepted; give transport:address:port')],
    ['sip.stack=drachtio', 'sip.drachtio.host: is needed for sip.stack drachtio; give that of its admin port'],
    ['sip.listen=tls:127.0.0.1:5061', 'sip.tls.cert: is needed for tls in sip.listen; give the path of a PEM file'],
    [
      'sip.trustedPeers=10.0.0.0/33',
      'sip.trustedPeers: "10.0.0.0/33" (--set) is not accepted; give addresses or ranges, such as 10.0.0.7 or 10.1.0.0/16',
    ],
    [
      'sip.routes=other.test',
      'sip.routes: "other.test" (--set) is not accepted; give domain=uri, such as other.test=sip:10.0.0.2:5060;transport=tcp',
    ],
    ['message.keepDays=31', 'message.keepDays: "31" (--set) is not accepted; give a whole number of days, 1 to 30'],
    [
      'message.deliverWithin=1h',
      'message.deliverWithin: "1h" (--set) is not accepted; give a time such as 4s, 500ms, 5m or 1h, 100ms to 30s',
    ],
    [
      'message.maxBytes=1GiB',
      'message.maxBytes: "1GiB" (--set) is not accepted; give a size such as 65536, 64KiB or 1MiB, 1 to 16384KiB',
    ],
    ['message.absent=lose', 'message.absent: "lose" (--set) is not accepted; give keep, notify or discard'],
    ['log.sip=yes', 'log.sip: "yes" (--set) is not accepted; give true or false'],
    [
      'sip.auth.algorithms=SHA-512',
      'sip.auth.algorithms: "SHA-512" (--set) is not accepted; give MD5, SHA-256, or both',
    ],
    ['domain=under_score', 'domain: "under_score" (--set) is not accepted; give a domain name, such as example.org'],
    [
      'database.url=mysql://me:secret@db/x',
      'database.url: the value (--set) is not accepted; give a URL such as postgres://user:password@host:5432/parley',
    ],
    [
      'admin.token=secret',
      'admin.token: the value (--set) is not accepted; give 16 to 256 letters, digits or - . _ ~ + / =',
    ],
    ['session.expires=60', 'session.expires: is less than session.minExpires; give 0, or 90 or more'],
    ['sip.registrar.minExpires=9000', 'sip.registrar.minExpires: is more than sip.registrar.maxExpires; lower it'],
    [
      'sip.registrar.maxExpires=600',
      'sip.registrar.defaultExpires: is outside minExpires to maxExpires; give 60 to 600',
    ],
  ])('--set %s', (setting, line) => expect(lines(set(setting))).toEqual(line))

  test('an unknown variable', () => {
    expect(lines({ environment: { PARLEY_SIP_TRUSTEDPEERS: '::1' } })).toBe(
      'PARLEY_SIP_TRUSTEDPEERS: there is no such key; did you mean PARLEY_SIP_TRUSTED_PEERS?',
    )
  })

  test('a wrong value names the variable it came from', () => {
    expect(lines({ environment: { PARLEY_LOG_LEVEL: 'loud' } })).toBe(
      'log.level: "loud" (PARLEY_LOG_LEVEL) is not accepted; give trace, debug, info, warn, error, fatal or silent',
    )
  })

  test('PARLEY_PASSWORD and PARLEY_CONFIG are no keys and no faults', () => {
    expect(readConfig({ environment: { PARLEY_PASSWORD: 'x', PARLEY_CONFIG: 'y', PATH: '/bin' } }).written.size).toBe(0)
  })

  test.each([
    ['sip:\n  lisen: x\n', 'sip.lisen: there is no such key (FOLDER/FILE); did you mean sip.listen?'],
    ['sip: udp\n', 'sip: is a section, not a key (FOLDER/FILE); set one of its keys, such as sip.listen'],
    ['just text\n', '--config: cannot read FOLDER/FILE: it has no keys; give a YAML file'],
    ['domain:\n  name: x\n', 'domain.name: there is no such key (FOLDER/FILE); did you mean domain?'],
    [
      'sip:\n  routes:\n    - a.test: b\n',
      'sip.routes: has a list of other things than values (FOLDER/FILE); give plain values',
    ],
    ['a: [b\n', expect.stringMatching(/^--config: cannot read FOLDER\/FILE: .*line 2.*; give a YAML file$/)],
    [
      'domain: a\ndomain: b\n',
      expect.stringMatching(/^--config: cannot read FOLDER\/FILE: .*unique.*; give a YAML file$/),
    ],
  ])('the file %j', (yaml, line) => expect(lines({ file: file(yaml) })).toEqual(line))

  test('a file that is not there', () => {
    expect(lines({ file: join(folder, 'none.yaml') })).toMatch(
      /^--config: cannot read FOLDER\/none.yaml: ENOENT.*; give a YAML file$/,
    )
  })
})

test('secrets are masked when the configuration is shown', () => {
  const { written } = readConfig(
    set('database.url=postgres://me:hunter2@db/x?password=hunter2', 'admin.token=hunter2-hunter2-hunter2'),
  )
  const shown = `${showConfig(written)}${JSON.stringify(settingsTree(written))}`
  expect(shown).not.toContain('hunter2')
  expect(settingsTree(written)).toMatchObject({
    database: { url: 'postgres://me:***@db/x?password=***' },
    admin: { token: '***' },
  })
})

test('sip.stack drachtio wants the host and the secret, and then no certificate for what the daemon listens on', () => {
  const stack = [
    ['sip.stack', 'drachtio'],
    ['sip.drachtio.host', '10.0.0.5'],
    ['sip.listen', 'tls:127.0.0.1:5061'],
  ] as const
  expect(() => readConfig({ set: stack })).toThrow('sip.drachtio.secret: is needed for sip.stack drachtio')
  const { config } = readConfig({ set: [...stack, ['sip.drachtio.secret', 'known']] })
  expect(config.sip.drachtio).toEqual({ host: '10.0.0.5', port: 9022, secret: 'known' })
  expect(() => readConfig({ set: [...stack, ['sip.drachtio.secret', 'a|b']] })).toThrow(
    /^sip\.drachtio\.secret: the value \(--set\) is not accepted/,
  )
})
