import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { readConfig } from '../../../src/config/read-config.ts'
import { addUsers, passwordOf } from '../../support/add-users.ts'
import { endsWithUs } from '../../support/ends-with-us.ts'
import { Phone } from '../../support/phone.ts'
import { awaitCalls } from '../../support/phone-call.ts'
import { domain } from '../bench-server.ts'
import { openPostgres } from '../postgres.ts'

export interface WholeServer {
  readonly pid: number
  /** A registered phone. */
  phone(user: string): Promise<Phone>
  /** Processes of its Postgres. */
  readonly postgresPids: readonly number[]
  /** Asks its database. */
  query(text: string): Promise<Record<string, unknown>[]>
  /** What it uses once all garbage is gone. */
  memory(): Promise<NodeJS.MemoryUsage>
  close(): Promise<void>
}

const limits = {
  'sip.limits.requestsPerSecond': '0',
  'session.maxFileSize': '1GiB',
  'session.maxPerUser': '1000000',
  'msrp.limits.connectionsPerSource': '20000',
}

/** The server in a process of its own, with these users. */
export async function startWholeServer(
  users: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<WholeServer> {
  const postgres = await openPostgres(undefined)
  const folder = await mkdtemp(join(tmpdir(), 'bench-parley-'))
  const settings = {
    domain,
    ...limits,
    'data.dir': folder,
    'database.url': await postgres.create('parley_bench'),
    'sip.listen': 'udp:127.0.0.1:0',
    'msrp.listen': 'tcp:127.0.0.1:0',
    'http.listen': '127.0.0.1:0',
    ...more,
  }
  const { config } = readConfig({ set: Object.entries(settings) })
  const script = join(import.meta.dirname, 'server-child.ts')
  const asArguments = ['--expose-gc', '--import', 'tsx', script, JSON.stringify(settings)]
  const migrated = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts', 'migrate', ...setOf(settings)])
  await once(migrated, 'exit')
  await addUsers(
    settings['database.url'],
    config,
    users.map((user) => ({ user })),
  )
  const child = spawn(process.execPath, asArguments, { stdio: ['pipe', 'pipe', 'inherit'] })
  endsWithUs(child, { signal: 'SIGKILL', folder })
  const ended = once(child, 'exit')
  const lines = createInterface(child.stdout)
  const next = async () => JSON.parse(((await once(lines, 'line')) as [string])[0])
  const addresses = (await next()) as { name: string; transport: string; address: string; port: number }[]
  const phones: Phone[] = []
  return {
    pid: child.pid ?? 0,
    postgresPids: postgres.pids,
    query: (text) => postgres.query(settings['database.url'], text),
    phone: async (user) => {
      const { address = '', port = 0 } = addresses.find(({ name }) => name === 'sip') ?? {}
      const place = { transport: 'udp', address, port } as const
      const phone = await Phone.open({ user, domain, password: passwordOf(user), place })
      phones.push(phone)
      if ((await phone.register()).status !== 200) throw new Error(`${user} could not register`)
      awaitCalls(phone)
      return phone
    },
    memory: () => {
      child.stdin.write('memory\n')
      return next()
    },
    close: async () => {
      for (const phone of phones) phone.close()
      child.kill('SIGTERM')
      await ended
      await postgres.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const setOf = (settings: Readonly<Record<string, string>>) =>
  Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])
