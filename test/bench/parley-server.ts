import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { prepareServer, type SpawnedServer } from '../support/spawn-server.ts'
import { type BenchServer, domain, type Mode, password } from './bench-server.ts'
import type { BenchPostgres } from './postgres.ts'
import { residentBytes } from './process-cpu.ts'

/** The sender of messages is a trusted peer, as for Kamailio. */
const asPeer = { 'sip.trustedPeers': '127.0.0.1', 'sip.trustFrom': 'true' }
/** Nobody is trusted: what a trusted peer registers is believed without digest, and digest is what is measured here. */
const asUsers = { 'sip.limits.requestsPerSecond': '0' }

type Settings = Readonly<Record<string, string>>

/** Parley as a process of its own, on a database of its own. */
export async function startParley(
  postgres: BenchPostgres,
  mode: Mode,
  users: number,
  more: Settings = {},
  nodeArguments: readonly string[] = [],
): Promise<BenchServer & { readonly process: SpawnedServer }> {
  const databaseUrl = await postgres.create('parley_bench')
  const stored = { 'storage.default': mode === 'stored' ? 'always' : 'never' }
  const settings = { ...(mode === 'register' ? asUsers : asPeer), ...stored, ...more }
  const server = await prepareParley(databaseUrl, users, settings, nodeArguments)
  try {
    await server.start()
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw error
  }
  const { address, port } = server.address('udp')
  return {
    name: 'parley',
    process: server,
    target: `${address}:${port}`,
    pids: [server.pid],
    memory: async () => residentBytes([server.pid]),
    close: () => server[Symbol.asyncDispose](),
  }
}

/** Not started yet: the database has its tables, and these users. */
export async function prepareParley(
  databaseUrl: string,
  users: number,
  settings: Settings,
  nodeArguments: readonly string[] = [],
): Promise<SpawnedServer> {
  const places = { 'sip.listen': 'udp:127.0.0.1:0', 'msrp.listen': 'tcp:127.0.0.1:0' }
  const server = await prepareServer({
    databaseUrl,
    nodeArguments,
    settings: { domain, ...places, 'log.level': 'warn', ...settings },
  })
  try {
    await importUsers(server, users)
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw error
  }
  return server
}

async function importUsers(server: SpawnedServer, users: number): Promise<void> {
  const file = join(server.dataDir, 'users.csv')
  const lines = Array.from({ length: users }, (_, at) => `sip:bob${at + 1}@${domain},${password}`)
  await writeFile(file, `uri,password\n${lines.join('\n')}\n`)
  for (const command of [['migrate'], ['user', 'import', file]]) {
    const { code, errors } = await server.run(...command)
    if (code !== 0) throw new Error(`parley ${command.join(' ')}: ${errors}`)
  }
}
