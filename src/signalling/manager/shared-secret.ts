import { randomBytes } from 'node:crypto'

interface Statements {
  query<Row>(statement: { name: string; text: string }, values: readonly unknown[]): Promise<Row[]>
}

const addStatement = {
  name: 'secret-add',
  text: 'insert into secrets (name, value) values ($1, $2) on conflict (name) do nothing',
}
const readStatement = { name: 'secret-read', text: 'select value from secrets where name = $1' }

/** A random key that all nodes of a database share; the first to ask makes it. */
export async function sharedSecret(database: Statements, name: string): Promise<Buffer> {
  await database.query(addStatement, [name, randomBytes(32)])
  const [row] = await database.query<{ value: Buffer }>(readStatement, [name])
  if (row === undefined) throw new Error(`the secret ${name} is gone`)
  return row.value
}
