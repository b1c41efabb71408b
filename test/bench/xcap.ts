import { readOptions } from './bench-options.ts'
import { machineLoad, print, type Result, ratio } from './bench-results.ts'
import type { BenchServer } from './bench-server.ts'
import { startKamailioXcap } from './kamailio-presence.ts'
import { startParley } from './parley-server.ts'
import { type BenchPostgres, openPostgres } from './postgres.ts'
import { cpuMicroseconds } from './process-cpu.ts'
import { Child } from './rtp/load.ts'
import type { Kind, LoadResult, Proof, ToLoad } from './xcap/load.ts'

const usage = `npm run bench:xcap -- [--database-url URL] [--seconds 10] [--servers kamailio,parley] [--connections 32]
  [--proof digest] [--kinds get,put,element] [--kamailio-modules FOLDER] [--profile FOLDER]
Resource lists of 100 entries: as a whole, and one entry of them. One JSON line for each server and kind of request, then one
for each kind with the ratios to Kamailio. Clients keep their connections, and wait for each answer; each PUT changes something.
--proof asserted: nobody proves who they are; Parley believes a trusted peer, Kamailio everybody.
CPU: utime and stime of the server's processes; that of Postgres stands beside it. busy: what the load itself computed.
Kamailio's presence modules are a package of their own; --kamailio-modules says where they are, if not beside the others.
--profile: where Parley writes a CPU profile.`

const values = readOptions(usage, {
  'database-url': undefined,
  seconds: '10',
  servers: 'kamailio,parley',
  connections: '32',
  proof: 'digest',
  kinds: 'get,put,element',
  'kamailio-modules': undefined,
  profile: undefined,
})

const seconds = Number(values.seconds)
const connections = Number(values.connections)
const proof: Proof = values.proof === 'asserted' ? 'asserted' : 'digest'

interface XcapServer {
  readonly server: BenchServer
  readonly port: number
}

const servers: Readonly<Record<string, (postgres: BenchPostgres) => Promise<XcapServer>>> = {
  kamailio: async (postgres) => {
    const digest = proof === 'digest'
    const modules = values['kamailio-modules']
    const server = await startKamailioXcap(postgres, { users: connections, digest, modules })
    return { server, port: portOf(server.target) }
  },
  parley: async (postgres) => {
    const mode = proof === 'digest' ? 'register' : 'relay'
    const server = await startParley(postgres, mode, connections, {}, profiling)
    return { server, port: portOf(server.process.http) }
  },
}

const profiling = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`]

const portOf = (address: string): number => Number(/:(\d+)\/?$/.exec(address)?.[1])

async function measure(name: string, postgres: BenchPostgres): Promise<Result[]> {
  const start = servers[name]
  if (start === undefined) throw new Error(`no such server: ${name}`)
  const { server, port } = await start(postgres)
  try {
    await using child = new Child('../xcap/load-child.ts')
    const ask = <Answer>(message: ToLoad) => child.ask<Answer>(message)
    await ask({ do: 'open', port, connections, proof })
    const results: Result[] = []
    for (const kind of values.kinds.split(',') as Kind[]) {
      await ask({ do: 'run', kind, seconds: Math.min(3, seconds) }) // code is compiled, caches are full
      const result = { server: name, kind, ...(await load(server, postgres, () => ask({ do: 'run', kind, seconds }))) }
      print(result)
      results.push(result)
    }
    return results
  } finally {
    await server.close()
  }
}

async function load(server: BenchServer, postgres: BenchPostgres, run: () => Promise<LoadResult>): Promise<Result> {
  const before = [cpuMicroseconds(server.pids), cpuMicroseconds(postgres.pids)] as const
  const { requests, seconds: took, ...more } = await run()
  const each = (spent: number) => Math.round(spent / Math.max(requests, 1))
  return {
    proof,
    rate: Math.round(requests / took),
    ...more,
    microsecondsEach: each(cpuMicroseconds(server.pids) - before[0]),
    postgresMicrosecondsEach: each(cpuMicroseconds(postgres.pids) - before[1]),
    machineLoad: machineLoad(),
  }
}

/** In parts of Kamailio's numbers. */
function ratios(result: Result, kamailio: Result): Result {
  const of = (key: string) => ratio(result, kamailio, key)
  return {
    ...{ server: String(result.server), kind: String(result.kind), rateRatio: of('rate') },
    ...{ microsecondsEachRatio: of('microsecondsEach'), p99Ratio: of('p99Ms') },
  }
}

async function main(): Promise<void> {
  const postgres = await openPostgres(values['database-url'])
  try {
    const results: Result[] = []
    for (const name of values.servers.split(',')) results.push(...(await measure(name, postgres)))
    for (const one of results) {
      const peer = results.find(({ server, kind }) => server === 'kamailio' && kind === one.kind)
      if (peer !== undefined && peer !== one) print(ratios(one, peer))
    }
  } finally {
    await postgres.close()
  }
}

await main()
