import { readOptions } from './bench-options.ts'
import { print, ratio } from './bench-results.ts'
import type { StartServer } from './bench-server.ts'
import { type Bench, cases, type Result } from './cases.ts'
import { startKamailio } from './kamailio-server.ts'
import { startParley } from './parley-server.ts'
import { openPostgres } from './postgres.ts'

const usage = `npm run bench -- [--database-url URL] [--seconds 20] [--cases a,b,c,d,e,f] [--servers kamailio,parley]
  [--users 1000] [--kept 20000] [--bindings 100000] [--first-rate 1000]
One JSON line for each case and server, then one with the ratios. CPU: utime and stime of the server's processes and of all
Postgres processes (with a Postgres on another machine, the server's only).`

const values = readOptions(usage, {
  'database-url': undefined,
  seconds: '20',
  cases: 'a,b,c,d,e,f',
  servers: 'kamailio,parley',
  users: '1000',
  kept: '20000',
  bindings: '100000',
  'first-rate': '1000',
})

async function main(): Promise<void> {
  const postgres = await openPostgres(values['database-url'])
  const settings = {
    seconds: Number(values.seconds),
    users: Number(values.users),
    kept: Number(values.kept),
    bindings: Number(values.bindings),
    firstRate: Number(values['first-rate']),
  }
  try {
    await runCases({ postgres, settings })
  } finally {
    await postgres.close()
  }
}

async function runCases(bench: Bench): Promise<void> {
  const servers: Readonly<Record<string, StartServer>> = {
    kamailio: (mode, users) => startKamailio(bench.postgres, mode, users),
    parley: (mode, users) => startParley(bench.postgres, mode, users),
  }
  for (const one of cases.filter(({ letter }) => values.cases.split(',').includes(letter))) {
    const results: Record<string, Result> = {}
    for (const name of values.servers.split(',')) {
      const start = servers[name]
      if (start === undefined) throw new Error(`no such server: ${name}`)
      const result = await one.run(bench, start).catch((error: Error) => ({ error: error.message }))
      results[name] = result
      print({ case: one.letter, title: one.title, server: name, ...result })
    }
    if (results.kamailio && results.parley) print({ case: one.letter, ...ratios(results.parley, results.kamailio) })
  }
}

/** Parley's numbers in parts of Kamailio's. */
function ratios(ours: Result, theirs: Result): Result {
  const shared = ['rate', 'cpuMicrosecondsEach', 'p50Ms', 'p99Ms', 'bytesEach'].filter(
    (key) => key in ours && key in theirs,
  )
  return Object.fromEntries(shared.map((key) => [`${key}Ratio`, ratio(ours, theirs, key)]))
}

await main()
