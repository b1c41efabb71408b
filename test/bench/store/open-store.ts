import { randomUUID } from 'node:crypto'
import { StoredMessages } from '../../../src/controllers/message/stored-messages.ts'
import { type Database, openDatabase } from '../../../src/database/index.ts'
import { Mailboxes } from '../../../src/enablers/message-store/index.ts'

/** The repositories of the store, in this process. */
export interface OpenStore {
  readonly database: Database
  readonly messages: StoredMessages
  readonly mailboxes: Mailboxes
  close(): Promise<void>
}

export async function openStore(url: string): Promise<OpenStore> {
  const database = await openDatabase({ url }, console)
  const needs = { database, now: Date.now, newId: randomUUID, languages: ['simple'] }
  const unlimited = { maxBytes: 0, maxObjects: 0, keepDays: 0, keepDaysOf: () => undefined, tombstoneDays: 30 }
  const mailboxes = new Mailboxes({ ...needs, ...unlimited })
  const messages = new StoredMessages({ database })
  const close = async () => {
    await messages.close()
    await mailboxes.close()
    await database.close()
  }
  return { database, messages, mailboxes, close }
}
