import type { Config } from '../config/config.ts'
import {
  type Database,
  type EmbeddedPostgres,
  Nodes,
  openDatabase,
  startEmbeddedPostgres,
  useEmbeddedPostgres,
} from '../database/index.ts'
import type { Log, Metrics } from '../operations/index.ts'
import { Bindings } from '../signalling/registrar/index.ts'
import { Subscribers } from '../signalling/subscribers/index.ts'
import type { Started } from './started.ts'

const day = 86_400_000

export function startDatabase(config: Config, log: Log, started: Started): Promise<{ url: string }> {
  return databaseBy(startEmbeddedPostgres, config, log, started)
}

export function useDatabase(config: Config, log: Log, started: Started): Promise<{ url: string }> {
  return databaseBy(useEmbeddedPostgres, config, log, started)
}

async function databaseBy(
  start: (options: { dataDir: string; log: Log }) => Promise<EmbeddedPostgres>,
  { database, data }: Config,
  log: Log,
  started: Started,
): Promise<{ url: string }> {
  if (database.url !== undefined) return { url: database.url }
  const embedded = await start({ dataDir: data.dir, log: log.child({ part: 'postgres' }) })
  started.add(() => embedded.stop())
  return embedded
}

export async function buildDatabase({ database }: Config, url: string, log: Log, started: Started): Promise<Database> {
  const opened = await openDatabase({ url, poolSize: database.connections }, log.child({ part: 'database' }))
  started.add(() => opened.close())
  return opened
}

/** From now on this node counts as living. */
export async function startNodes({ data, database: { url } }: Config, database: Database, log: Log, started: Started) {
  const nodes = new Nodes({ database, dataDir: data.dir, alone: url === undefined, log: log.child({ part: 'nodes' }) })
  started.add(() => nodes.close())
  await nodes.start()
  return nodes
}

export function buildSubscribers({ domain, sip }: Config, database: Database, started: Started): Subscribers {
  const subscribers = new Subscribers({ database, domain, realm: sip.auth.realm })
  started.add(() => subscribers.close())
  return subscribers
}

export function buildBindings(
  config: Config,
  database: Database,
  log: Log,
  metrics: Metrics,
  started: Started,
): Bindings {
  const rememberMs = config.message.keepDays * day
  const onBatch = (size: number) => metrics.batch('bindings', size)
  const bindings = new Bindings({ database, now: Date.now, rememberMs, log, onBatch })
  started.add(() => bindings.close())
  return bindings
}
