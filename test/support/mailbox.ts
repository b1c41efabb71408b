import { randomUUID } from 'node:crypto'
import { Mailboxes, type MailboxesNeeds, type NewObject } from '../../src/enablers/message-store/index.ts'
import type { TestDatabase } from './database.ts'

/** Mailboxes on a database of the test's, without bounds where it does not say some. */
export function mailboxesOn(
  { database }: Pick<TestDatabase, 'database'>,
  needs: Partial<MailboxesNeeds> = {},
): Mailboxes {
  const unbounded = { maxBytes: 0, maxObjects: 0, keepDays: 0, tombstoneDays: 90, languages: ['simple'] }
  return new Mailboxes({ database, now: Date.now, newId: randomUUID, ...unbounded, ...needs })
}

let at = Date.parse('2026-01-01T00:00:00Z')

/** A message from bob, a second later than the last one. */
export function anObject(change: Partial<NewObject> = {}): NewObject {
  at += 1000
  const text = change.text ?? 'are you there?'
  return {
    kind: 'message',
    date: at,
    direction: 'in',
    peer: 'tel:+15550100',
    flags: [],
    attributes: { From: ['tel:+15550100'], To: ['sip:alice@parley.test'], Subject: ['lunch'] },
    payload: { contentType: 'text/plain', content: Buffer.from(text) },
    text,
    ...change,
  }
}

/** Users who want their objects to be kept for less than the operator would. */
export async function* nobody() {}
export async function* who(owner: number, keepDays: number) {
  yield { owner, keepDays }
}
