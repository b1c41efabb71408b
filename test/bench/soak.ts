import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { prepareServer, type SpawnedServer } from '../support/spawn-server.ts'
import { growthOf, type Sample } from './memory-growth.ts'
import { UdpLoad } from './udp-load.ts'

/**
 * The server under load for long: its memory has to stay flat, and nothing acknowledged may be lost. Users go away and come
 * back in turns, so that messages are kept and delivered late. Prints a JSON line for each sample, and the verdict.
 *
 *     npm run soak -- --seconds 600 --rate 1000 --database-url postgres://…
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    rate: { type: 'string', default: '1000' },
    users: { type: 'string', default: '200' },
    'database-url': { type: 'string' },
    /** What memory may grow by in the second half, by linear regression. */
    'most-growth-mib': { type: 'string', default: '16' },
    stored: { type: 'boolean', default: false },
  },
})
const seconds = Number(values.seconds)
const rate = Number(values.rate)
const mostGrowth = Number(values['most-growth-mib']) * 2 ** 20
if (!(seconds >= 10 && rate > 0 && mostGrowth > 0)) throw new Error('give numbers; --seconds at least 10')

const domain = 'parley.test'
const users = Array.from({ length: Number(values.users) }, (_, number) => `user${number}`)
const awayMs = 3000
const registeredSeconds = 3600

async function start(): Promise<SpawnedServer> {
  const url = values['database-url']
  const server = await prepareServer({
    ...(url === undefined ? {} : { databaseUrl: url }),
    settings: {
      domain,
      'sip.listen': 'udp:127.0.0.1:0',
      'msrp.listen': 'tcp:127.0.0.1:0',
      'sip.trustedPeers': '127.0.0.1',
      'storage.default': values.stored ? 'always' : 'never',
    },
  })
  try {
    await server.start()
    await addUsers(server)
    return server
  } catch (err) {
    await server[Symbol.asyncDispose]()
    throw err
  }
}

async function addUsers(server: SpawnedServer): Promise<void> {
  const file = join(server.dataDir, 'users.csv')
  const rows = users.map((user) => `sip:${user}@${domain},${user}-secret,,`)
  await writeFile(file, `uri,password,tel,name\n${rows.join('\n')}\n`)
  const { code, errors } = await server.run('user', 'import', file)
  if (code !== 0 && !errors.includes('taken')) throw new Error(`the users could not be added: ${errors}`)
}

/** Calls `act` at a rate, in steps of ten milliseconds, until `signal` aborts. */
function atRate(perSecond: number, signal: AbortSignal, act: () => void): void {
  const begun = Date.now()
  let done = 0
  const timer = setInterval(() => {
    const due = Math.floor(((Date.now() - begun) * perSecond) / 1000)
    // After a pause of this process the load goes on as before; it does not catch up in one burst.
    if (due - done > perSecond) done = due
    for (; done < due; done++) act()
  }, 10)
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

let turn = 0
const nextUser = () => users[turn++ % users.length] as string

/** One user after the other goes away and comes back. */
async function takeTurns(load: UdpLoad, signal: AbortSignal): Promise<void> {
  for (let at = 0; !signal.aborted; at++) {
    const user = users[at % users.length] as string
    await load.register(user, 0)
    await sleep(awayMs, undefined, { signal }).catch(() => {})
    await load.register(user, registeredSeconds)
  }
}

async function sampleOf(server: SpawnedServer, at: number): Promise<Sample> {
  const text = await (await fetch(`http://${server.http}/metrics`, { signal: AbortSignal.timeout(10_000) })).text()
  const value = (series: string) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.split(' ')[1],
    )
  return {
    at: Math.round(at),
    rss: value('process_resident_memory_bytes'),
    heap: value('parley_memory_bytes{kind="heapUsed"}') + value('parley_memory_bytes{kind="external"}'),
    files: value('process_open_fds'),
  }
}

function quantile(times: number[], part: number): number {
  times.sort((a, b) => a - b)
  return times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0
}

const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)

async function run(server: SpawnedServer, load: UdpLoad): Promise<boolean> {
  const stop = new AbortController()
  const errors: unknown[] = []
  const samples: Sample[] = []
  const begun = Date.now()
  const every = Math.max(1, seconds / 120)
  atRate(rate, stop.signal, () => load.message(nextUser(), nextUser()))
  const turns = takeTurns(load, stop.signal).catch((err) => errors.push(err))
  try {
    for (let next = every; next <= seconds; next += every) {
      await sleep(Math.max(0, begun + next * 1000 - Date.now()))
      const sample = await sampleOf(server, (Date.now() - begun) / 1000)
      samples.push(sample)
      const times = load.takeTimes()
      print({ ...sample, ...load.counts, waiting: load.waiting, p50: quantile(times, 0.5), p99: quantile(times, 0.99) })
    }
  } finally {
    stop.abort()
  }
  await turns
  await settle(load)
  return judge(samples, load, errors)
}

/** Everybody is there: what was acknowledged arrives. Bounded, as are the sender's own retransmissions. */
async function settle(load: UdpLoad): Promise<void> {
  const until = Date.now() + 40_000
  const { counts } = load
  const pending = () => counts.sent - counts.acknowledged - counts.failed + load.waiting
  while (pending() > 0 && Date.now() < until) await sleep(100)
}

function judge(samples: readonly Sample[], load: UdpLoad, errors: readonly unknown[]): boolean {
  const growth = growthOf(samples)
  const flat = growth.rss <= mostGrowth && growth.heap <= mostGrowth
  const whole = load.counts.failed === 0 && load.waiting === 0 && errors.length === 0
  const mib = (bytes: number) => Math.round((bytes / 2 ** 20) * 100) / 100
  print({
    bench: 'soak',
    seconds,
    rate,
    stored: values.stored,
    ...load.counts,
    lost: load.waiting,
    errors: errors.map(String),
    growthMiB: { rss: mib(growth.rss), heap: mib(growth.heap) },
    flat,
    passed: flat && whole,
  })
  return flat && whole
}

const server = await start()
const leave = async () => {
  await server[Symbol.asyncDispose]()
  process.exit(130)
}
process.once('SIGINT', leave).once('SIGTERM', leave)
try {
  const load = await UdpLoad.open({ domain, server: server.address('udp'), users })
  try {
    for (const user of users) await load.register(user, registeredSeconds)
    process.exitCode = (await run(server, load)) ? 0 : 1
  } finally {
    load.close()
  }
} finally {
  await server[Symbol.asyncDispose]()
}
process.exit()
