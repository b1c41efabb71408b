import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import { type Database, openDatabase } from '../../src/database/index.ts'
import { quiet } from './quiet-log.ts'

/** A database with all tables and no rows. */
export interface EmptyDatabase {
  readonly url: string
  drop(): Promise<void>
}

export interface TestDatabase extends AsyncDisposable {
  readonly url: string
  readonly database: Database
  close(): Promise<void>
}

/** For one test or one file, open; it is dropped when the test ends. */
export async function testDatabase(): Promise<TestDatabase> {
  const { url, drop } = await createDatabase()
  const database = await openDatabase({ url }, quiet)
  const close = async () => {
    await database.close()
    await drop()
  }
  return { url, database, close, [Symbol.asyncDispose]: close }
}

export async function createDatabase(): Promise<EmptyDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`
  const template = inject('templateUrl')
  await administer(template, `CREATE DATABASE ${name} TEMPLATE ${nameOf(template)}`)
  const drop = () => administer(template, `DROP DATABASE ${name} WITH (FORCE)`)
  return { url: withName(template, name), drop }
}

const nameOf = (url: string) => new URL(url).pathname.slice(1)

function withName(url: string, name: string): string {
  const other = new URL(url)
  other.pathname = `/${name}`
  return other.href
}

async function administer(template: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: withName(template, 'postgres') })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
