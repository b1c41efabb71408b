import { buildAccess } from './app/access.ts'
import { buildContacts } from './app/contacts.ts'
import { buildContent } from './app/content.ts'
import { buildBindings, buildDatabase, buildSubscribers, startDatabase, useDatabase } from './app/data.ts'
import { listen } from './app/edge.ts'
import { buildHttp } from './app/http.ts'
import { buildMailboxes } from './app/mailboxes.ts'
import { buildMessageStore } from './app/message-store.ts'
import type { Parts } from './app/parts.ts'
import { buildSignalling } from './app/signalling.ts'
import { Started } from './app/started.ts'
import { readTls } from './app/tls.ts'
import { waitingDoor } from './app/waiting.ts'
import { buildDocuments, buildXdm } from './app/xdm.ts'
import type { Config } from './config/config.ts'
import { migrate as migrateDatabase } from './database/index.ts'
import { type Demo, ensureDemoUsers } from './operations/demo.ts'
import { Alarms, type Log, Metrics } from './operations/index.ts'
import { Barred } from './signalling/registrar/index.ts'
import type { Subscribers } from './signalling/subscribers/index.ts'

/** The server, while it serves. */
export interface App {
  readonly addresses: readonly AppAddress[]
  /** In demo mode: whom to try it with. */
  readonly demo?: Demo
  /** Reads the files of `sip.tls` again. */
  reload(): Promise<void>
  /** Takes no new work, finishes what is under way (10 s at most), stops everything, Postgres last. */
  close(): Promise<void>
}

export interface AppAddress {
  readonly name: 'sip' | 'msrp' | 'http'
  readonly transport: string
  readonly address: string
  readonly port: number
}

/** Builds the parts in start order and starts them. Rejects with a ConfigurationFault when the operator has to act. */
export async function startApp(config: Config, log: Log): Promise<App> {
  const started = new Started()
  try {
    return await startParts(config, log, started)
  } catch (err) {
    await started.close(AbortSignal.abort())
    throw err
  }
}

/** The users, with a server running beside or without one. */
export async function openDirectory(
  config: Config,
  log: Log,
): Promise<{ subscribers: Subscribers; close(): Promise<void> }> {
  const opened = new Started()
  try {
    const postgres = await useDatabase(config, log, opened)
    await migrateDatabase(postgres)
    const database = await buildDatabase(config, postgres.url, log, opened)
    return { subscribers: buildSubscribers(config, database, opened), close: () => opened.close() }
  } catch (err) {
    await opened.close()
    throw err
  }
}

/** Brings the tables to this version. Returns the names of the migrations that were applied. */
export async function migrate(config: Config, log: Log): Promise<readonly string[]> {
  const opened = new Started()
  try {
    return await migrateDatabase(await useDatabase(config, log, opened))
  } finally {
    await opened.close()
  }
}

async function startParts(config: Config, log: Log, started: Started): Promise<App> {
  const metrics = new Metrics()
  started.add(() => metrics.close())
  const postgres = await startDatabase(config, log, started)
  await migrateDatabase(postgres)
  const database = await buildDatabase(config, postgres.url, log, started)
  const subscribers = buildSubscribers(config, database, started)
  const demo = config.demo
    ? await ensureDemoUsers({ dataDir: config.data.dir, domain: config.domain, subscribers })
    : undefined
  const bindings = buildBindings(config, database, log, metrics, started)
  const alarms = buildAlarms(config, log, metrics, started)
  const barred = new Barred(Date.now)
  const mailboxes = await buildMailboxes(config, database, started)
  const parts: Parts = { config, log, metrics, alarms, database, subscribers, bindings, barred, mailboxes }
  const documents = buildDocuments(parts, started)
  const signalling = await buildSignalling(parts, documents, started)
  const access = buildAccess(parts, signalling, started)
  const xdm = buildXdm(parts, signalling, documents, access.door, started)
  let serving = false
  const http = buildHttp(
    parts,
    signalling,
    [
      access.routes,
      xdm.routes,
      buildContacts(parts, signalling, access, xdm.xcap),
      await buildContent(parts, access, started),
      waitingDoor(access, signalling),
      buildMessageStore(parts, signalling, access, started),
    ],
    () => serving,
    demo,
  )
  started.add((signal) => http.close(signal))
  const web = await http.start()
  const sip = await listen(signalling.edge)
  await signalling.messaging.controller.start()
  signalling.sessions.start()
  signalling.devices.synchroniser.start()
  signalling.nodes.watch(async (node) => {
    const taken = [signalling.sessions.takeOver(node), signalling.subscriptions.takeOver(node)]
    return (await Promise.all(taken)).every(Boolean)
  })
  serving = true
  started.add(() => {
    serving = false
  })
  return {
    addresses: [
      ...sip.map((address) => ({ name: 'sip' as const, ...address })),
      ...signalling.media.addresses.map((address) => ({ name: 'msrp' as const, ...address })),
      { name: 'http', transport: 'tcp', ...web },
    ],
    ...(demo && { demo }),
    reload: async () => {
      const { identity } = await readTls(config)
      if (identity === undefined) return
      signalling.edge.renewTls(identity)
      signalling.media.msrp.renewTls(identity)
    },
    close: () => started.close(),
  }
}

function buildAlarms({ alarms: { webhook } }: Config, log: Log, metrics: Metrics, started: Started): Alarms {
  const alarms = new Alarms({ log: log.child({ part: 'alarms' }), now: Date.now, webhook })
  started.add(() => alarms.close())
  metrics.counter('parley_alarms_total', 'Alarms that were raised', () => alarms.count)
  return alarms
}
