import type { Database } from '../../../database/index.ts'
import { withMailbox } from './transaction.ts'

/** What stands in the tables by its owner, the row that is the lock last. */
const mailboxTables = [
  'deferred',
  'messages',
  'message_parts',
  'chunks',
  'staged_chunks',
  'tombstones',
  'folders',
  'nms_subscriptions',
  'nms_channels',
  'mailboxes',
] as const

/** A mailbox that is made anew has another epoch, so that no client takes it for the old one. */
export async function erase(database: Database, owner: number): Promise<void> {
  await withMailbox(database, owner, async (trx) => {
    for (const table of mailboxTables) await trx(table).where({ owner }).delete()
  })
}
