import type { Knex } from 'knex'
import type { Database } from '../../../database/index.ts'
import { Failure } from '../../../failure.ts'

const deadlock = '40P01'
const canceled = '57014'
const sqlState = (err: unknown): unknown => (err instanceof Error && 'code' in err ? err.code : undefined)

/** Work on one mailbox, under its lock: whoever else changes it waits. */
export async function withMailbox<T>(
  database: Database,
  owner: number,
  work: (trx: Knex.Transaction) => Promise<T>,
): Promise<T> {
  const attempt = () =>
    database.transaction(async (trx) => {
      await trx.raw('select lock_mailboxes(array[?::bigint])', [owner])
      return await work(trx)
    })
  try {
    return await attempt()
  } catch (err) {
    if (sqlState(err) !== deadlock) throw err
    return await attempt()
  }
}

export const searchTimeoutMs = 3_000

/** A question that may turn out to be a slow one. Throws `overloaded` where it is. */
export async function boundedRows<Row>(database: Database, sql: string, values: readonly unknown[]): Promise<Row[]> {
  try {
    return await database.transaction(async (trx) => {
      await trx.raw(`set local statement_timeout = ${searchTimeoutMs}`)
      const { rows } = await trx.raw<{ rows: Row[] }>(sql, values as Knex.RawBinding[])
      return rows
    })
  } catch (err) {
    if (sqlState(err) !== canceled) throw err
    throw new Failure('overloaded', 'the search took too long: ask for less', { cause: err, retryAfter: 5 })
  }
}
