import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../support/free-port.ts'
import { runSipp, type Sipp, startSipp } from '../support/sipp.ts'
import { readOptions } from './bench-options.ts'
import { percentile, print, type Result, ratio } from './bench-results.ts'
import { type BenchServer, password } from './bench-server.ts'
import { highestRate, type Trial } from './highest-rate.ts'
import { startKamailioProxy } from './kamailio-server.ts'
import { startParley } from './parley-server.ts'
import { type BenchPostgres, openPostgres } from './postgres.ts'
import { cpuMicroseconds } from './process-cpu.ts'
import { collectedMemory } from './session/collected-memory.ts'

const usage = `npm run bench:session -- [--database-url URL] [--seconds 10] [--servers kamailio,parley,parley-end-to-end]
  [--users 100] [--first-rate 100] [--idle 2000] [--rest 35] [--rate N]
One JSON line for each server, then one with the ratios to Kamailio as a stateful proxy. A session is INVITE, 180, 200, ACK, BYE,
200, over UDP, by sipp on the same machine. CPU: utime and stime of the server's processes; that of Postgres stands beside it.
With --rate there is no search, just that many sessions a second.`

const values = readOptions(usage, {
  'database-url': undefined,
  seconds: '10',
  servers: 'kamailio,parley,parley-end-to-end',
  users: '100',
  'first-rate': '100',
  idle: '2000',
  rest: '35',
  rate: undefined,
})

const users = Number(values.users)
const restSeconds = Number(values.rest)
const injected = Array.from(
  { length: users },
  (_, at) => `${at + 1};[authentication username=bob${at + 1} password=${password}]`,
)
const scenario = (name: string) => join(import.meta.dirname, 'session', `${name}.xml`)
const enough = { 'session.maxSessions': '100000', 'session.maxPerUser': '100000', 'sip.limits.requestsPerSecond': '0' }

const servers: Readonly<Record<string, (postgres: BenchPostgres) => Promise<BenchServer>>> = {
  kamailio: () => startKamailioProxy(),
  parley: (postgres) => startInspected(postgres, 'always'),
  'parley-end-to-end': (postgres) => startInspected(postgres, 'never'),
}

async function startInspected(postgres: BenchPostgres, mediaAnchor: string): Promise<BenchServer> {
  const settings = { ...enough, 'session.mediaAnchor': mediaAnchor }
  const server = await startParley(postgres, 'relay', users, settings, ['--inspect=127.0.0.1:0'])
  const inspector = server.process.errors // a later line may push it out
  return { ...server, memory: () => collectedMemory(inspector) }
}

/** Transactions are remembered for 32 s (RFC 3261 §17). */
const settleMs = 40_000

interface Load extends Trial {
  readonly microsecondsEach: number
  readonly postgresMicrosecondsEach: number
  readonly retransmissions: number
  readonly p50Ms: number
  readonly p99Ms: number
}

async function measure(name: string, postgres: BenchPostgres): Promise<Result> {
  const start = servers[name]
  if (start === undefined) throw new Error(`no such server: ${name}`)
  const server = await start(postgres)
  const uasPort = await freePort()
  const phones = await startSipp({ scenario: scenario('answer'), localPort: uasPort, timeoutSeconds: 3600 })
  try {
    await register(server, uasPort)
    const load = (seconds: number) => (rate: number) => applyLoad(name, server, postgres, rate, seconds)
    const fixed = values.rate === undefined ? undefined : Number(values.rate)
    const seconds = Number(values.seconds)
    const best =
      fixed === undefined
        ? await highestRate(Number(values['first-rate']), load(3), load(seconds), () => sleep(1000 * restSeconds))
        : { rate: fixed, trial: await load(seconds)(fixed) }
    const bytes = await bytesOfIdle(server)
    if (best === undefined) return { server: name, rate: 0, idleBytesEach: bytes }
    const { held, ...trial } = best.trial
    return { server: name, rate: best.rate, held: String(held), ...trial, idleBytesEach: bytes }
  } finally {
    await phones.stop()
    await server.close()
  }
}

async function register(server: BenchServer, uasPort: number): Promise<void> {
  const { successful, errors } = await runSipp({
    ...{ scenario: join(import.meta.dirname, 'kamailio', 'reg.xml'), target: server.target, users: injected },
    ...{ keys: { uas_port: String(uasPort) }, rate: 200, calls: users, timeoutSeconds: 60 },
  })
  if (successful !== users) throw new Error(`${server.name}: ${successful} of ${users} registered; ${errors}`)
}

async function applyLoad(
  name: string,
  server: BenchServer,
  postgres: BenchPostgres,
  rate: number,
  seconds: number,
): Promise<Load> {
  const calls = rate * seconds
  const before = [cpuMicroseconds(server.pids), cpuMicroseconds(postgres.pids)] as const
  const began = performance.now()
  const result = await runSipp({
    ...{ scenario: scenario('call'), target: server.target, users: injected, rate, calls, times: true },
    timeoutSeconds: seconds + 40,
  })
  const took = (performance.now() - began) / 1000
  const each = (spent: number) => Math.round(spent / Math.max(result.successful, 1))
  const timesMs = Float64Array.from(result.timesMs).sort()
  const load: Load = {
    held: result.failed === 0 && result.successful === calls && took < seconds * 1.05 + 1,
    microsecondsEach: each(cpuMicroseconds(server.pids) - before[0]),
    postgresMicrosecondsEach: each(cpuMicroseconds(postgres.pids) - before[1]),
    retransmissions: result.retransmissions,
    p50Ms: percentile(timesMs, 0.5),
    p99Ms: percentile(timesMs, 0.99),
  }
  process.stderr.write(
    `${name} ${rate}/s for ${seconds} s: ${load.held ? 'held' : 'not held'}, ${calls - result.successful} failed, ` +
      `${load.retransmissions} retransmissions, ${load.microsecondsEach} µs each, took ${took.toFixed(1)} s ${result.errors.slice(0, 300)}\n`,
  )
  return load
}

/** What the server grows by for each session that is there and idle; the first of them are not counted. */
async function bytesOfIdle(server: BenchServer): Promise<number> {
  const count = Number(values.idle)
  const warm = await hold(server, count / 4)
  const before = await server.memory()
  const held = await hold(server, count)
  const after = await server.memory()
  await Promise.all([warm.stop(0), held.stop(0)])
  return Math.round((after - before) / count)
}

/** Opens so many sessions; they stay until it is stopped. */
async function hold(server: BenchServer, calls: number): Promise<Sipp> {
  const rate = 50
  const holding = await startSipp({
    ...{ scenario: scenario('hold'), target: server.target, users: injected, rate, calls, timeoutSeconds: 3600 },
  })
  await sleep((1000 * calls) / rate + settleMs)
  return holding
}

/** In parts of Kamailio's numbers. */
function ratios(result: Result, kamailio: Result): Result {
  const of = (key: string) => ratio(result, kamailio, key)
  return {
    ...{ server: String(result.server), rateRatio: of('rate'), microsecondsEachRatio: of('microsecondsEach') },
    idleBytesEachRatio: of('idleBytesEach'),
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
    const kamailio = results.find(({ server }) => server === 'kamailio')
    for (const one of results) if (kamailio !== undefined && one !== kamailio) print(ratios(one, kamailio))
  } finally {
    await postgres.close()
  }
}

await main()
