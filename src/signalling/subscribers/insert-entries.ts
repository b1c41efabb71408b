import type { Knex } from 'knex'
import { Failure } from '../../failure.ts'
import type { CredentialRow } from './credential-rows.ts'
import type { Subscriber } from './subscriber.ts'

/** A new subscriber with all rows that make them. */
export interface DirectoryEntry {
  readonly name: string
  readonly username: string
  readonly identities: readonly string[]
  readonly credentials: readonly CredentialRow[]
}

const uniqueViolation = '23505'

/** Inserts many in three statements. Throws `conflict`, naming what is taken already. */
export async function insertEntries(trx: Knex.Transaction, entries: readonly DirectoryEntry[]): Promise<Subscriber[]> {
  try {
    const ids = await insertSubscribers(trx, entries)
    await insertIdentities(trx, entries, ids)
    await insertCredentials(trx, entries, ids)
    return entries.map(({ name, username, identities }, at) => ({ id: ids[at] as number, name, username, identities }))
  } catch (err) {
    throw asConflict(err)
  }
}

/** The ids, in the order of the entries. */
async function insertSubscribers(trx: Knex.Transaction, entries: readonly DirectoryEntry[]): Promise<number[]> {
  const { rows } = await trx.raw<{ rows: { id: number; username: string }[] }>(
    `insert into subscribers (username, name)
     select * from unnest(?::text[], ?::text[])
     returning id, username`,
    [entries.map(({ username }) => username), entries.map(({ name }) => name)],
  )
  const ids = new Map(rows.map(({ id, username }) => [username, id]))
  return entries.map(({ username }) => ids.get(username) as number)
}

/** Gives a subscriber another name and other identities. Throws `conflict`, naming what is taken already. */
export async function replaceEntry(trx: Knex.Transaction, { id, name, identities }: Subscriber): Promise<void> {
  try {
    await trx('subscribers').where({ id }).update({ name })
    await trx('identities').where({ subscriber: id }).delete()
    await insertIdentities(trx, [{ identities }], [id])
  } catch (err) {
    throw asConflict(err)
  }
}

async function insertIdentities(
  trx: Knex.Transaction,
  entries: readonly Pick<DirectoryEntry, 'identities'>[],
  ids: readonly number[],
): Promise<void> {
  const uris: string[] = []
  const owners: number[] = []
  const positions: number[] = []
  for (const [at, { identities }] of entries.entries()) {
    for (const [position, uri] of identities.entries()) {
      uris.push(uri)
      owners.push(ids[at] as number)
      positions.push(position)
    }
  }
  await trx.raw(
    `insert into identities (uri, subscriber, position)
     select * from unnest(?::text[], ?::bigint[], ?::smallint[])`,
    [uris, owners, positions],
  )
}

async function insertCredentials(
  trx: Knex.Transaction,
  entries: readonly DirectoryEntry[],
  ids: readonly number[],
): Promise<void> {
  const rows = entries.flatMap(({ credentials }) => credentials)
  const owners = entries.flatMap(({ credentials }, at) => credentials.map(() => ids[at] as number))
  await trx.raw(
    `insert into credentials (username, md5, sha256, subscriber)
     select * from unnest(?::text[], ?::text[], ?::text[], ?::bigint[])`,
    [rows.map(({ username }) => username), rows.map(({ md5 }) => md5), rows.map(({ sha256 }) => sha256), owners],
  )
}

function asConflict(err: unknown): unknown {
  if (!(err instanceof Error) || (err as { code?: string }).code !== uniqueViolation) return err
  const { detail = '' } = err as { detail?: string }
  const [, taken = 'this user'] = /\)=\((.*)\) already exists/.exec(detail) ?? []
  return new Failure('conflict', `${taken} is taken`, { cause: err })
}
