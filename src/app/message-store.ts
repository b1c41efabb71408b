import { join } from 'node:path'
import {
  ContentOperations,
  FlagOperations,
  FolderOperations,
  type NmsOperations,
  ObjectOperations,
  operationsOver,
  registerNms,
} from '../enablers/message-store/index.ts'
import type { HttpRoutes } from '../operations/index.ts'
import type { Access } from './access.ts'
import { fetching } from './fetched.ts'
import type { Parts } from './parts.ts'
import type { Signalling } from './signalling.ts'
import type { Started } from './started.ts'
import { buildStoreNotifications } from './store-notifications.ts'

/** Milliseconds for a body that is no upload, as for all other requests. */
const patience = 15_000

/** The REST door to the mailboxes. */
export function buildMessageStore(
  parts: Parts,
  { addresses, messaging }: Signalling,
  { door }: Access,
  started: Started,
): HttpRoutes {
  const { config, log, mailboxes } = parts
  const addressOf = (uri: string) => addresses.of(uri)
  const directory = join(config.data.dir, 'uploads')
  const objects = new ObjectOperations({
    ...{ mailboxes, addressOf, directory, now: Date.now },
    maxBytes: config.storage.maxUpload,
  })
  const notifications = buildStoreNotifications(parts, started)
  const operations: NmsOperations = {
    ...objects.operations,
    ...new FlagOperations({ mailboxes }).operations,
    ...new ContentOperations({ mailboxes }).operations,
    ...new FolderOperations({ mailboxes }).operations,
    ...operationsOver(mailboxes),
    ...notifications.operations,
  }
  const { names: stores, url } = config.storage
  const needs = { door, addressOf, stores, url, patience, log: log.child({ part: 'message-store' }) }
  return async (app) => {
    app.addHook('preClose', async () => notifications.endPolls())
    await registerNms(app, needs, fetching(operations, messaging))
  }
}
