/**
 * SQLSTATEs that speak of the server and not of the statement: class 08 is the connection, 57P01 to 57P03 a server that
 * stops or starts, 25006 a server that a fail-over has made read-only.
 */
const ofServer = /^(08|57P0[123]$|25006$)/

/** What pg says, without a code, of a connection that is gone or does not answer; knex puts the statement before it. */
const ofConnection =
  /(^| - )(Connection terminated|timeout e|Query read timeout|Client has encountered|Client was closed)/

/** Whether `error` means that the database cannot be reached, so that any other statement would fail as well. */
export function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = sqlState(error)
  if (code !== undefined) return ofServer.test(code)
  return 'syscall' in error || ofConnection.test(error.message)
}

/** A database that answers but has no room: disk, memory, connections (class 53), or time (57014). */
export function isExhaustion(error: unknown): boolean {
  const code = sqlState(error)
  return code !== undefined && (code.startsWith('53') || code === '57014')
}

/** A prepared statement that a change of its tables has made useless, or that a pooler has lost: a new connection helps. */
export function isStalePlan(error: unknown): boolean {
  const code = sqlState(error)
  return code === '0A000' || code === '26000'
}

/** The five characters by which Postgres names an error, where Postgres sent it. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('severity' in error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
