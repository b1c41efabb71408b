import { readOptions } from './bench-options.ts'
import { print, round } from './bench-results.ts'
import { measureIdleChats } from './msrp/idle-chats.ts'
import { startKamailioRelay } from './msrp/kamailio-relay.ts'
import { measureLargeFile } from './msrp/large-file.ts'
import { type Measured, measure, type Shape } from './msrp/load.ts'
import type { StartRelay } from './msrp/relay-server.ts'
import { startChild } from './msrp/start-child.ts'

const usage = `npm run bench:msrp -- [--seconds 8] [--servers pipe,kamailio,parley] [--mebibytes 1024] [--chats 1000]
  [--cases small1,small,small500,large,large500,idle,file]
Messages through an anchored session, each answered by the far end. One JSON line for each case and server, then one with
the ratios. CPU: utime and stime of the server's processes. Kamailio answers each hop itself and takes only small frames.
longestTurn: milliseconds that the event loop was busy at a stretch. idle: what a chat takes in which nothing is said, and
file: a file, both through the whole server.`

const values = readOptions(usage, {
  seconds: '8',
  servers: 'pipe,kamailio,parley',
  cases: 'small1,small,small500,large,large500,idle,file',
  mebibytes: '1024',
  chats: '1000',
})

const servers: Readonly<Record<string, StartRelay>> = {
  pipe: (pairs) => startChild('pipe', 'pipe-child.ts', pairs),
  kamailio: startKamailioRelay,
  parley: (pairs) => startChild('parley', 'parley-child.ts', pairs),
}

interface Case {
  readonly title: string
  readonly pairs: number
  readonly bytes: number
  readonly window: number
}

const mebibyte = 1024 * 1024
const cases: Readonly<Record<string, Case>> = {
  small1: { title: '300 bytes, one session, one at a time', pairs: 1, bytes: 300, window: 1 },
  small: { title: '300 bytes, one session', pairs: 1, bytes: 300, window: 50 },
  small500: { title: '300 bytes, 500 sessions at once', pairs: 500, bytes: 300, window: 1 },
  large: { title: '1 MiB, one session', pairs: 1, bytes: mebibyte, window: 4 },
  large500: { title: '1 MiB, 500 sessions at once', pairs: 500, bytes: mebibyte, window: 1 },
}

async function run(name: string): Promise<void> {
  if (name === 'idle') print({ case: 'an idle chat', ...(await measureIdleChats(Number(values.chats))) })
  else if (name === 'file') print({ case: 'a file', ...(await measureLargeFile(Number(values.mebibytes))) })
  else await compare(name)
}

async function compare(name: string): Promise<void> {
  const chosen = cases[name]
  if (chosen === undefined) throw new Error(`no case ${name}`)
  const shape: Shape = { ...chosen, seconds: Number(values.seconds) }
  const results = new Map<string, Measured>()
  for (const server of values.servers.split(',')) {
    if (server === 'kamailio' && chosen.bytes > 60_000) continue
    const measured = await runOn(servers[server] as StartRelay, chosen.pairs, shape)
    results.set(server, measured)
    print({ case: chosen.title, server, ...measured })
  }
  const parley = results.get('parley')
  for (const [server, peer] of results) {
    if (parley === undefined || server === 'parley') continue
    const rate = parley.messagesPerSecond / peer.messagesPerSecond
    const cpu = peer.serverMicrosecondsEach / parley.serverMicrosecondsEach
    print({ case: chosen.title, against: server, rate: round(rate), messagesPerCpu: round(cpu) })
  }
}

async function runOn(start: StartRelay, pairs: number, shape: Shape): Promise<Measured> {
  const server = await start(pairs)
  try {
    return await measure(server, shape)
  } finally {
    await server.close()
  }
}

for (const name of values.cases.split(',')) await run(name)
process.exit(0)
