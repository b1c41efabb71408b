import pino, { type DestinationStream, type Logger } from 'pino'

/** JSON lines. `part` says who speaks, `callId` and `aor` of what; `error` means that somebody must act now. */
export type Log = Logger

export interface LoggingOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** Where the lines go; standard error unless a test reads them. */
  readonly destination?: DestinationStream
}

/** Whatever somebody hands to the log by mistake under one of these names is not written. */
const secrets = ['password', 'token', 'authorization', 'ha1', '*.password', '*.token', '*.authorization', '*.ha1']

/** More than this waits only when nobody reads standard error; lines are dropped then, the server goes on. */
const mostWaitingBytes = 8 * 1024 * 1024

export function openLog(options: LoggingOptions): Log {
  const destination = options.destination ?? pino.destination({ fd: 2, sync: false, maxLength: mostWaitingBytes })
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secrets, censor: '***' },
    },
    destination,
  )
}
