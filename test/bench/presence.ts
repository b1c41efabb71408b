import { setTimeout as sleep } from 'node:timers/promises'
import { readOptions } from './bench-options.ts'
import { machineLoad, print, type Result, ratio } from './bench-results.ts'
import type { BenchServer } from './bench-server.ts'
import { startKamailioPresence } from './kamailio-presence.ts'
import { startParley } from './parley-server.ts'
import { type BenchPostgres, openPostgres } from './postgres.ts'
import type { LoadResult, Subscribed, ToLoad } from './presence/load.ts'
import { cpuMicroseconds, residentBytes } from './process-cpu.ts'
import { Child } from './rtp/load.ts'
import { collectedMemory } from './session/collected-memory.ts'

const usage = `npm run bench:presence -- [--database-url URL] [--seconds 10] [--servers kamailio,kamailio-write-back,parley]
  [--presentities 250] [--watchers 100] [--window 8] [--settle 40] [--kamailio-modules FOLDER] [--profile FOLDER]
Everybody who is watched publishes in turn, and again after all watchers have heard of it and a second of rest: Parley tells
one watcher of one user no more than once a second, Kamailio at once. One JSON line for each server, then those with the ratios
to Kamailio, which writes subscriptions to its database as they come, or later (write-back). PUBLISH and SUBSCRIBE over UDP from
a trusted peer; everybody may watch everybody.
bytesEach: what the server grew by for each subscription, --settle seconds after the last of them; --settle 0: not measured.
CPU: utime and stime of the server's processes for each NOTIFY; that of Postgres beside it. busy: what the load itself computed.
Kamailio's presence modules are a package of their own; --kamailio-modules says where they are, if not beside the others.
--profile: where Parley writes a CPU profile.`

const values = readOptions(usage, {
  'database-url': undefined,
  seconds: '10',
  servers: 'kamailio,kamailio-write-back,parley',
  presentities: '250',
  watchers: '100',
  window: '8',
  settle: '40',
  'kamailio-modules': undefined,
  profile: undefined,
})

const seconds = Number(values.seconds)
const presentities = Number(values.presentities)
const watchers = Number(values.watchers)
const window = Number(values.window)
const settleMs = 1000 * Number(values.settle)

const servers: Readonly<Record<string, (postgres: BenchPostgres) => Promise<BenchServer>>> = {
  kamailio: (postgres) => startKamailioPresence(postgres, '1', kamailioOptions),
  'kamailio-write-back': (postgres) => startKamailioPresence(postgres, '2', kamailioOptions),
  parley: async (postgres) => {
    const profiling = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`]
    const settings = {
      'presence.unruled': 'allow',
      'subscriptions.ofUser': '100000',
      'sip.limits.requestsPerSecond': '0',
    }
    const server = await startParley(postgres, 'relay', presentities, settings, ['--inspect=127.0.0.1:0', ...profiling])
    const inspector = server.process.errors // a later line may push it out
    return { ...server, memory: () => collectedMemory(inspector) }
  },
}

const kamailioOptions = { users: presentities, modules: values['kamailio-modules'] }

async function measure(name: string, postgres: BenchPostgres): Promise<Result> {
  const start = servers[name]
  if (start === undefined) throw new Error(`no such server: ${name}`)
  const server = await start(postgres)
  try {
    await using child = new Child('../presence/load-child.ts')
    const ask = <Answer>(message: ToLoad) => child.ask<Answer>(message)
    await ask({ do: 'open', port: Number(server.target.split(':')[1]), watchers })
    const memory = await subscribe(server, (from, to) => ask({ do: 'subscribe', from, to }))
    await ask({ do: 'publish', seconds: 4, window }) // everybody has published once, code is compiled
    const before = [cpuMicroseconds(server.pids), cpuMicroseconds(postgres.pids)] as const
    const { seconds: took, notifies, publishes, ...more } = await ask<LoadResult>({ do: 'publish', seconds, window })
    const each = (spent: number) => Math.round(spent / Math.max(notifies, 1))
    return {
      server: name,
      notifyRate: Math.round(notifies / took),
      publishRate: Math.round(publishes / took),
      ...more,
      microsecondsEach: each(cpuMicroseconds(server.pids) - before[0]),
      postgresMicrosecondsEach: each(cpuMicroseconds(postgres.pids) - before[1]),
      ...memory,
      machineLoad: machineLoad(),
    }
  } finally {
    await server.close()
  }
}

/** A fifth of them first: what starts up once is not counted. */
async function subscribe(
  server: BenchServer,
  ask: (from: number, to: number) => Promise<Subscribed>,
): Promise<{ bytesEach?: number; residentBytesEach?: number }> {
  const warm = Math.round(presentities / 5)
  check(server, await ask(0, warm))
  const before = await memoryOf(server)
  check(server, await ask(warm, presentities))
  const after = await memoryOf(server)
  if (before === undefined || after === undefined) return {}
  const count = (presentities - warm) * watchers
  return {
    bytesEach: Math.round((after.used - before.used) / count),
    residentBytesEach: Math.round((after.resident - before.resident) / count),
  }
}

function check({ name }: BenchServer, { failed, failure, subscribed }: Subscribed): void {
  if (failed > 0) throw new Error(`${name}: ${failed} of ${failed + subscribed} could not subscribe: ${failure}`)
}

async function memoryOf(server: BenchServer): Promise<{ used: number; resident: number } | undefined> {
  if (settleMs === 0) return undefined
  await sleep(settleMs)
  return { used: await server.memory(), resident: residentBytes(server.pids) }
}

/** In parts of Kamailio's numbers. */
function ratios(result: Result, peer: Result): Result {
  const of = (key: string) => ratio(result, peer, key)
  return {
    ...{ server: String(result.server), against: String(peer.server), notifyRateRatio: of('notifyRate') },
    ...{ microsecondsEachRatio: of('microsecondsEach'), bytesEachRatio: of('bytesEach') },
  }
}

async function main(): Promise<void> {
  const postgres = await openPostgres(values['database-url'])
  try {
    const results: Result[] = []
    for (const name of values.servers.split(',')) {
      const result = await measure(name, postgres).catch((err: Error) => ({ server: name, error: err.message }))
      results.push(result)
      print(result)
    }
    const parley = results.find(({ server }) => server === 'parley')
    for (const peer of results) if (parley !== undefined && peer !== parley) print(ratios(parley, peer))
  } finally {
    await postgres.close()
  }
}

await main()
