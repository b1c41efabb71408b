import type { Log } from '../../src/database/index.ts'

/** Says nothing. */
export const quiet: Log = { info() {}, warn() {}, error() {} }
