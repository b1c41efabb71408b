import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../support/free-port.ts'
import { runSipp, startSipp } from '../support/sipp.ts'
import { type BenchServer, type Mode, password, type StartServer } from './bench-server.ts'
import { highestRate, type Trial } from './highest-rate.ts'
import type { BenchPostgres } from './postgres.ts'
import { cpuMicroseconds } from './process-cpu.ts'

export interface Settings {
  readonly seconds: number
  /** Users that the load is spread over. */
  readonly users: number
  readonly kept: number
  readonly bindings: number
  /** The rate of the first probe. */
  readonly firstRate: number
}

export interface Bench {
  readonly postgres: BenchPostgres
  readonly settings: Settings
}

/** What a line of the results says besides the case and the server. */
export type Result = Readonly<Record<string, string | number>>

export interface Case {
  readonly letter: string
  readonly title: string
  run(bench: Bench, start: StartServer): Promise<Result>
}

interface Load extends Trial {
  readonly rate: number
  readonly microsecondsEach: number
  readonly timesMs: readonly number[]
  readonly retransmissions: number
  readonly failed: number
}

const scenario = (name: string) => join(import.meta.dirname, 'kamailio', name)
/** A number for each user, and what sipp answers a challenge with. */
const injected = (users: number) =>
  Array.from({ length: users }, (_, at) => `${at + 1};[authentication username=bob${at + 1} password=${password}]`)

export const cases: readonly Case[] = [
  { letter: 'a', title: 'recipient online, nothing stored', run: (bench, start) => rateOf(bench, start, 'relay') },
  { letter: 'b', title: 'recipient online, one copy stored', run: (bench, start) => rateOf(bench, start, 'stored') },
  { letter: 'c', title: 'recipient absent, message kept', run: (bench, start) => rateOf(bench, start, 'absent') },
  { letter: 'd', title: 'kept messages delivered at registration', run: deliverKept },
  { letter: 'e', title: 'REGISTER with digest', run: (bench, start) => rateOf(bench, start, 'register') },
  { letter: 'f', title: 'memory of bindings', run: memoryOfBindings },
]

/** Timer J and a little more (RFC 3261 §17.2.2). */
const rest = () => sleep(35_000)

/** The highest rate held, CPU a call at that rate, and latency at half of it. */
async function rateOf(bench: Bench, start: StartServer, mode: Mode): Promise<Result> {
  const server = await start(mode, bench.settings.users)
  const uasPort = await freePort()
  const phones = await startSipp({ scenario: scenario('uas.xml'), localPort: uasPort, timeoutSeconds: 3600 })
  try {
    if (mode === 'relay' || mode === 'stored') await registerAll(bench, server, uasPort, bench.settings.users)
    const load = (seconds: number, times: boolean) => (rate: number) =>
      applyLoad(bench, server, mode, { rate, seconds, times, uasPort })
    const best = await highestRate(bench.settings.firstRate, load(4, false), load(bench.settings.seconds, false), rest)
    await rest()
    if (best === undefined) return { rate: 0 }
    const half = await load(Math.min(bench.settings.seconds, 20), true)(Math.round(best.rate / 2))
    return {
      rate: best.rate,
      cpuMicrosecondsEach: Math.round(best.trial.microsecondsEach),
      retransmissions: best.trial.retransmissions,
      latencyAtRate: half.rate,
      p50Ms: percentile(half.timesMs, 0.5),
      p99Ms: percentile(half.timesMs, 0.99),
    }
  } finally {
    await phones.stop()
    await server.close()
  }
}

interface LoadOptions {
  readonly rate: number
  readonly seconds: number
  readonly times: boolean
  readonly uasPort: number
}

async function applyLoad(bench: Bench, server: BenchServer, mode: Mode, options: LoadOptions): Promise<Load> {
  const calls = options.rate * options.seconds
  const roots = [...server.pids, ...bench.postgres.pids]
  const before = cpuMicroseconds(roots)
  const began = performance.now()
  const result = await runSipp({
    scenario: scenario(mode === 'register' ? 'reg-digest.xml' : 'msg.xml'),
    target: server.target,
    users: injected(bench.settings.users),
    keys: { uas_port: String(options.uasPort) },
    rate: options.rate,
    calls,
    times: options.times,
    timeoutSeconds: options.seconds + 40,
  })
  const seconds = (performance.now() - began) / 1000
  const spent = cpuMicroseconds(roots) - before
  const load = {
    rate: options.rate,
    held: result.failed === 0 && result.successful === calls && seconds < options.seconds * 1.05 + 1,
    microsecondsEach: spent / Math.max(result.successful, 1),
    timesMs: result.timesMs,
    retransmissions: result.retransmissions,
    failed: calls - result.successful,
  }
  process.stderr.write(
    `${server.name} ${mode} ${options.rate}/s for ${options.seconds} s: ${describe(load, seconds)}\n`,
  )
  return load
}

const describe = (load: Load, seconds: number): string =>
  `${load.held ? 'held' : 'not held'}, ${load.failed} failed, ${load.retransmissions} retransmissions, ` +
  `${Math.round(load.microsecondsEach)} µs each, took ${seconds.toFixed(1)} s`

async function registerAll(
  bench: Bench,
  server: BenchServer,
  uasPort: number,
  users: number,
  name: 'reg.xml' | 'reg-digest.xml' = 'reg.xml',
): Promise<void> {
  const result = await runSipp({
    scenario: scenario(name),
    target: server.target,
    users: injected(users),
    keys: { uas_port: String(uasPort) },
    rate: bench.settings.firstRate,
    calls: users,
    timeoutSeconds: 300,
  })
  if (result.successful !== users)
    throw new Error(`${server.name}: ${result.successful} of ${users} registered; ${result.errors}`)
}

/** (d): kept for users who then register, all at once; the time from the first REGISTER until all have arrived. */
async function deliverKept(bench: Bench, start: StartServer): Promise<Result> {
  const { kept, firstRate } = bench.settings
  const users = Math.min(bench.settings.users, 200)
  const server = await start('deferred', users)
  const uasPort = await freePort()
  try {
    const keeping = await runSipp({
      scenario: scenario('msg.xml'),
      target: server.target,
      users: injected(users),
      rate: firstRate,
      calls: kept,
      timeoutSeconds: 300,
    })
    if (keeping.successful !== kept) throw new Error(`${server.name}: ${keeping.successful} of ${kept} kept`)
    const uas = { scenario: scenario('uas.xml'), localPort: uasPort, calls: kept, timeoutSeconds: 120 }
    const phones = await startSipp(uas)
    const roots = [...server.pids, ...bench.postgres.pids]
    const before = cpuMicroseconds(roots)
    const began = performance.now()
    await registerAll(bench, server, uasPort, users)
    const { successful } = await phones.done
    const seconds = (performance.now() - began) / 1000
    const spent = cpuMicroseconds(roots) - before
    return {
      delivered: successful,
      of: kept,
      rate: Math.round(successful / seconds),
      cpuMicrosecondsEach: Math.round(spent / Math.max(successful, 1)),
    }
  } finally {
    await server.close()
  }
}

/** (f): what the server grew by, for each of so many bindings. */
async function memoryOfBindings(bench: Bench, start: StartServer): Promise<Result> {
  const { bindings } = bench.settings
  const server = await start('register', bindings)
  try {
    await registerAll(bench, server, await freePort(), Math.min(bindings, 1_000), 'reg-digest.xml') // what starts up once is not counted
    const before = await server.memory()
    await registerAll(bench, server, await freePort(), bindings, 'reg-digest.xml')
    const after = await server.memory()
    return { bindings, bytesEach: Math.round((after - before) / Math.max(bindings - 1_000, 1)) }
  } finally {
    await server.close()
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
