import type { Config } from '../config/config.ts'
import { migrate } from '../database/index.ts'
import { Archive } from '../enablers/message-store/index.ts'
import { Failure } from '../failure.ts'
import type { Log } from '../operations/index.ts'
import { addressOfRecord } from '../protocols/sip/address-of-record.ts'
import type { Subscribers } from '../signalling/subscribers/index.ts'
import { buildDatabase, buildSubscribers, useDatabase } from './data.ts'
import { buildMailboxes } from './mailboxes.ts'
import { Started } from './started.ts'

/** What users have stored, with a server running beside or without one. */
export async function openStore(config: Config, log: Log) {
  const opened = new Started()
  try {
    const postgres = await useDatabase(config, log, opened)
    await migrate(postgres)
    const database = await buildDatabase(config, postgres.url, log, opened)
    const subscribers = buildSubscribers(config, database, opened)
    const mailboxes = await buildMailboxes(config, database, opened)
    return {
      archive: new Archive(mailboxes),
      userOf: (uri: string) => userOf(subscribers, uri),
      stateOf: (owner: number) => mailboxes.state(owner),
      erase: (owner: number) => mailboxes.erase(owner),
      close: () => opened.close(),
    }
  } catch (err) {
    await opened.close()
    throw err
  }
}

async function userOf(subscribers: Subscribers, uri: string) {
  const aor = addressOfRecord(uri)
  const found = aor === undefined ? undefined : await subscribers.find(aor)
  if (found === undefined) throw new Failure('not-found', uri)
  return found
}
