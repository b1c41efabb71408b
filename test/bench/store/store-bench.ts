import { machineLoad, print, type Result } from '../bench-results.ts'
import type { BenchPostgres } from '../postgres.ts'
import { tableOf } from './table.ts'

export interface StoreOptions {
  readonly seconds: number
  readonly clients: number
  /** Of the store, for those cases that look at how it grows. */
  readonly sizes: readonly number[]
  readonly dovecotFolder: string | undefined
  readonly dovecotFormats: readonly string[]
  /** No IMAP folder gets more messages. */
  readonly dovecotMost: number
  readonly mebibytes: number
  /** A folder for CPU profiles of the server. */
  readonly profile: string | undefined
}

const columns = ['case', 'server', 'door', 'clients', 'objects', 'messages', 'rate', 'megabytesPerSecond']
columns.push('p50Ms', 'p99Ms', 'microsecondsEach', 'postgresMicrosecondsEach', 'machineLoad', 'missing', 'error')

/** What was asked for, and what came of it. */
export interface Goal {
  readonly goal: string
  readonly measured: number
  readonly asked: number
  readonly reached: boolean
}

/** A run: what its cases share, and what they have found. */
export class StoreBench {
  readonly postgres: BenchPostgres
  readonly options: StoreOptions
  readonly #results: Result[] = []
  readonly #goals: Goal[] = []

  constructor(postgres: BenchPostgres, options: StoreOptions) {
    this.postgres = postgres
    this.options = options
  }

  report(result: object): void {
    const line = { ...(result as Result), machineLoad: machineLoad() }
    this.#results.push(line)
    print(line)
  }

  /** At least as much as was asked for. */
  atLeast(goal: string, measured: number, asked: number): void {
    this.#judge({ goal, measured, asked, reached: measured >= asked })
  }

  atMost(goal: string, measured: number, asked: number): void {
    this.#judge({ goal, measured, asked, reached: measured <= asked })
  }

  /** For people: all that was found, and what was asked for. */
  table(): string {
    const results = tableOf(columns, this.#results)
    const goals = tableOf(
      ['goal', 'measured', 'asked', 'reached'],
      this.#goals.map((goal) => ({ ...goal })),
    )
    return `\n${results}\n\n${goals}\n`
  }

  #judge(goal: Goal): void {
    this.#goals.push(goal)
    print(goal)
  }
}
