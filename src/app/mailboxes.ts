import { randomUUID } from 'node:crypto'
import type { Config } from '../config/config.ts'
import type { Database } from '../database/index.ts'
import { Mailboxes } from '../enablers/message-store/index.ts'
import type { ServiceSettings } from '../enablers/xdm/index.ts'
import { ConfigurationFault } from '../failure.ts'
import type { Parts } from './parts.ts'
import type { Started } from './started.ts'

const sweepEvery = 3_600_000
/** What all of them make of the longest text fits into one value of Postgres. */
const mostLanguages = 5

export async function buildMailboxes({ storage }: Config, database: Database, started: Started): Promise<Mailboxes> {
  const languages = searchedIn(storage.languages)
  await checkLanguages(languages, database)
  const { maxBytes, maxObjects, keepDays, tombstoneDays } = storage
  const limits = { maxBytes, maxObjects, keepDays, tombstoneDays, languages }
  const mailboxes = new Mailboxes({ database, now: Date.now, newId: randomUUID, ...limits })
  started.add(() => mailboxes.close())
  return mailboxes
}

/** The first of them takes words as they are. */
export const searchedIn = (languages: readonly string[]): readonly string[] => [...new Set(['simple', ...languages])]

/** Removes what has been kept for long enough, now and from now on. */
export function startRetention({ mailboxes, metrics, log }: Parts, settings: ServiceSettings, started: Started): void {
  const stop = new AbortController()
  let expired = 0
  metrics.counter('parley_mailbox_expired_total', 'Stored objects that went by policy', () => expired)
  const sweep = async () => {
    try {
      expired += await mailboxes.sweep(settings.keepers(), stop.signal)
    } catch (err) {
      log.warn({ part: 'mailboxes', err }, 'what has been kept for long enough was not removed')
    }
  }
  let sweeping = sweep()
  const timer = setInterval(() => {
    sweeping = sweeping.then(sweep)
  }, sweepEvery)
  started.add(async () => {
    clearInterval(timer)
    stop.abort()
    await sweeping
  })
}

async function checkLanguages(languages: readonly string[], database: Database): Promise<void> {
  if (languages.length > mostLanguages) {
    throw new ConfigurationFault('storage.languages', 'too many', `give ${mostLanguages - 1} besides simple, or less`)
  }
  const known = await database.query<{ name: string }>(knownStatement, [])
  const unknown = languages.find((language) => !known.some(({ name }) => name === language))
  if (unknown === undefined) return
  const names = known.map(({ name }) => name).join(', ')
  throw new ConfigurationFault('storage.languages', `this Postgres has no ${unknown}`, `give some of ${names}`)
}

const knownStatement = {
  name: '',
  text: 'select cfgname as name from pg_ts_config where pg_ts_config_is_visible(oid) order by cfgname',
}
