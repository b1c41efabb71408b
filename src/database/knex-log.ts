import type { Knex } from 'knex'
import type { Log } from './log.ts'

/** Knex writes to standard output unless it is told otherwise. What it says of errors it throws as well. */
export function knexLog(log: Log): Knex.Logger {
  return {
    warn: (message: unknown) => log.warn({}, `knex: ${String(message)}`),
    error: (message: unknown) => log.warn({}, `knex: ${String(message)}`),
    deprecate: (method: string) => log.warn({}, `knex: ${method} is deprecated`),
    debug() {},
  }
}
