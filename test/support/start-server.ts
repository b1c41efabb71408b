import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { type App, startApp } from '../../src/app.ts'
import { readConfig } from '../../src/config/read-config.ts'
import { openLog } from '../../src/operations/logging.ts'
import { addUsers, passwordOf, type TestUser } from './add-users.ts'
import { certificate } from './certificate.ts'
import { testDatabase } from './database.ts'
import type { DrachtioDaemon } from './drachtio-daemon.ts'
import { Phone } from './phone.ts'
import { daemonFor, type SipStackName, settingsFor, usualStack } from './sip-stack.ts'
import { hostPort, type Place, type WireTransport } from './wire.ts'

export interface StartOptions {
  /** `key.path` and value, as after `--set`. */
  readonly settings?: Readonly<Record<string, string>>
  readonly domain?: string
  /** alice, bob and carol unless told otherwise; nobody where `databaseUrl` is given. */
  readonly users?: readonly TestUser[]
  /** A database that is there; else a new one that goes with the server. */
  readonly databaseUrl?: string
  readonly stack?: SipStackName
  /** The daemon of a server that was there before. */
  readonly daemon?: DrachtioDaemon | undefined
}

export interface PhoneChoice {
  readonly transport?: WireTransport
  readonly password?: string
  /** The port of a phone that was there before. */
  readonly localPort?: number
  readonly localAddress?: string
  /** Of several sockets of one transport, the one on this address. */
  readonly address?: string
}

const everyTransport = ['udp', 'tcp', 'tls', 'ws', 'wss'].map((one) => `${one}:127.0.0.1:0`).join(',')

export const usualUsers: readonly TestUser[] = [
  { user: 'alice', tel: 'tel:+15550001' },
  { user: 'bob', tel: 'tel:+15550002' },
  { user: 'carol', tel: 'tel:+15550003' },
]

/** The whole server inside this process, with its own database and ports, and the users alice, bob and carol. */
export class TestServer {
  readonly domain: string
  readonly databaseUrl: string
  readonly app: App
  /** Where a daemon speaks SIP. */
  readonly daemon: DrachtioDaemon | undefined
  readonly #free: () => Promise<void>
  readonly #phones: Phone[] = []

  constructor(
    app: App,
    domain: string,
    databaseUrl: string,
    free: () => Promise<void>,
    daemon: DrachtioDaemon | undefined,
  ) {
    this.daemon = daemon
    this.app = app
    this.domain = domain
    this.databaseUrl = databaseUrl
    this.#free = free
  }

  aor(user: string): string {
    return `sip:${user}@${this.domain}`
  }

  address(transport: WireTransport, on?: string): Place {
    const found = this.app.addresses.find(
      (one) => one.name === 'sip' && one.transport === transport && (on === undefined || one.address === on),
    )
    if (found === undefined) throw new Error(`the server does not listen on ${transport} ${on ?? ''}`)
    return { transport, address: found.address, port: found.port }
  }

  /** The port that MSRP over TCP comes to. */
  get msrpPort(): number {
    return this.app.addresses.find((one) => one.name === 'msrp' && one.transport === 'tcp')?.port ?? 0
  }

  /** What a scrape says of a metric without labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.http}/metrics`)).text()
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
  }

  /** Where health, metrics and administration are. */
  get http(): string {
    const found = this.app.addresses.find((one) => one.name === 'http')
    if (found === undefined) throw new Error('the server has no http address')
    return `http://${hostPort(found.address, found.port)}`
  }

  /** A phone of that user, not yet registered; it is closed with the server. */
  async phone(user: string, choice: PhoneChoice = {}): Promise<Phone> {
    const phone = await Phone.open({
      user,
      domain: this.domain,
      password: choice.password ?? passwordOf(user),
      place: this.address(choice.transport ?? 'udp', choice.address),
      local: { port: choice.localPort, address: choice.localAddress },
    })
    this.#phones.push(phone)
    return phone
  }

  /** A phone that is registered. */
  async online(user: string, choice: PhoneChoice = {}): Promise<Phone> {
    const phone = await this.phone(user, choice)
    const { status, reason } = await phone.register()
    if (status !== 200) throw new Error(`${user} could not register: ${status} ${reason}`)
    return phone
  }

  /** Looks into the database, past the server. */
  async query(text: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.databaseUrl })
    await client.connect()
    try {
      return (await client.query(text)).rows
    } finally {
      await client.end()
    }
  }

  /** Stops the server and leaves its database, for one that comes after it. */
  async stop(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)) // phones send the answers that they owe; the server waits for them
    for (const phone of this.#phones) phone.close()
    await this.app.close() // once is enough, and a second time does no harm
    await this.daemon?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await this.#free()
  }
}

export async function startServer(options: StartOptions = {}): Promise<TestServer> {
  const domain = options.domain ?? 'parley.test'
  const database = options.databaseUrl === undefined ? await testDatabase() : undefined
  const databaseUrl = options.databaseUrl ?? database?.url ?? ''
  const dataDir = await mkdtemp(join(tmpdir(), 'parley-test-'))
  const free = async () => {
    await rm(dataDir, { recursive: true, force: true })
    await database?.close()
  }
  const settings = { ...ofTests, domain, 'data.dir': dataDir, 'database.url': databaseUrl, ...options.settings }
  const { config, daemon } = await withStack(settings, options)
  const users = options.users ?? (database === undefined ? [] : usualUsers)
  if (users.length > 0) await addUsers(databaseUrl, config, users)
  const app = await startApp(config, openLog({ level: config.log.level })).catch(async (error) => {
    await daemon?.close()
    await free()
    throw error
  })
  return new TestServer(app, domain, databaseUrl, free, daemon)
}

async function withStack(settings: Record<string, string>, { stack = usualStack, daemon: old }: StartOptions) {
  const { config } = readConfig({ set: Object.entries(settings) })
  if (stack === 'embedded') return { config }
  const daemon = old ?? (await daemonFor(config))
  return { daemon, config: readConfig({ set: Object.entries({ ...settings, ...settingsFor(daemon) }) }).config }
}

const ofTests = {
  'sip.listen': everyTransport,
  'sip.tls.cert': certificate.cert,
  'sip.tls.key': certificate.key,
  'msrp.listen': 'tcp:127.0.0.1:0',
  'http.listen': '127.0.0.1:0',
  'log.level': process.env.TEST_LOG ?? 'silent',
}
