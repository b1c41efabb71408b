import { readdir } from 'node:fs/promises'
import knex, { type Knex } from 'knex'
import { ConfigurationFault } from '../failure.ts'
import { connectionTo } from './connection.ts'
import { checkServer } from './database.ts'
import { knexLog } from './knex-log.ts'

const folder = new URL('../../migrations/', import.meta.url)
/** Any number that nobody else takes. */
const lock = 7_275_395

interface Migration {
  up(knex: Knex): Promise<void>
  down(knex: Knex): Promise<void>
}

/** Brings the tables to the state that this version needs. Returns the names of the migrations that were applied. */
export async function migrate(database: { readonly url: string }): Promise<readonly string[]> {
  await checkServer(database.url)
  const db = knex({
    client: 'pg',
    connection: connectionTo(database.url) as Knex.PgConnectionConfig,
    pool: { min: 0, max: 2 },
    log: knexLog({ info() {}, warn() {}, error() {} }), // it throws what it would say
    migrations: { migrationSource: source, tableName: 'migrations' },
  })
  try {
    return await alone(db, async () => {
      await db.migrate.forceFreeMigrationsLock()
      const [, names] = await db.migrate.latest()
      return names
    })
  } catch (error) {
    throw newerDatabase(error) ?? error
  } finally {
    await db.destroy()
  }
}

/**
 * One at a time among all nodes. The lock is the server's and goes with the connection, so a node killed in the middle
 * leaves none behind, as knex's own, a row, would be.
 */
function alone<T>(db: Knex, work: () => Promise<T>): Promise<T> {
  return db.transaction(async (trx) => {
    await trx.raw('SELECT pg_advisory_xact_lock(?)', [lock])
    return await work()
  })
}

const source: Knex.MigrationSource<string> = {
  getMigrations: async () => (await readdir(folder)).filter((name) => name.endsWith('.ts')).sort(),
  getMigrationName: (name) => name.replace(/\.ts$/, ''),
  getMigration: async (name) => (await import(new URL(name, folder).href)) as Migration,
}

function newerDatabase(error: unknown): ConfigurationFault | undefined {
  if (!(error instanceof Error) || !error.message.startsWith('The migration directory is corrupt')) return undefined
  return new ConfigurationFault(
    'database.url',
    'the database was migrated by a newer version',
    'start that version, or restore a backup made before it',
    error,
  )
}
