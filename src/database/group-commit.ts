import { Failure } from '../failure.ts'
import { sqlState } from './connection-failure.ts'

/** What group commit needs of the database. */
interface Statements {
  query<Returned>(statement: { name: string; text: string }, values: readonly unknown[]): Promise<Returned[]>
}

export interface GroupCommitOptions<Row, Result, Returned> {
  readonly database: Statements
  /** Names the prepared statement. */
  readonly name: string
  /** `INSERT … SELECT … FROM unnest($1::bigint[], …)`: right for one row and for many. */
  readonly text: string
  /** One array for each parameter; columns.ts has cheap ones. */
  toValues(rows: readonly Row[]): unknown[]
  /** The result of each row, in the order of `rows`; `returned` has an order of its own. Without it: undefined. */
  toResults?(rows: readonly Row[], returned: Returned[]): Result[]
  readonly maxBatch?: number
  /** Rows that may wait for a commit; one more is refused. */
  readonly maxWaiting?: number
  /** Between the starts of two statements, so that what comes in quick succession shares one. */
  readonly spacingMs?: number
  onBatch?(size: number): void
}

interface Waiting<Row, Result> {
  readonly row: Row
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

const maxUnderWay = 2
const defaultSpacingMs = 2

/**
 * Rows that come together share one statement and one fsync; each caller waits for the commit of its own. Alone, a row
 * goes at once; while a statement is under way, or has just started, the next one gathers.
 */
export class GroupCommit<Row, Result = void, Returned = Record<string, unknown>> {
  readonly #options: GroupCommitOptions<Row, Result, Returned>
  readonly #statement: { readonly name: string; readonly text: string }
  readonly #maxBatch: number
  readonly #maxWaiting: number
  readonly #spacingMs: number
  #gathering: Waiting<Row, Result>[] = []
  #waiting = 0
  #underWay = 0
  #lastStart = 0
  #scheduled = false
  #idle: (() => void) | undefined
  #closed = false

  constructor(options: GroupCommitOptions<Row, Result, Returned>) {
    this.#options = options
    this.#statement = { name: options.name, text: options.text }
    this.#maxBatch = options.maxBatch ?? 500
    this.#maxWaiting = options.maxWaiting ?? 10_000
    this.#spacingMs = options.spacingMs ?? defaultSpacingMs
  }

  /** Rows whose commit is waited for. */
  get waiting(): number {
    return this.#waiting
  }

  /** Resolves once the row is committed. A row that may or may not be committed rejects: `database-unavailable`. */
  add(row: Row): Promise<Result> {
    if (this.#waiting >= this.#maxWaiting || this.#closed) {
      return Promise.reject(new Failure('overloaded', `rows wait for ${this.#statement.name}`, { retryAfter: 2 }))
    }
    this.#waiting += 1
    return new Promise((resolve, reject) => {
      this.#gathering.push({ row, resolve, reject })
      if (!this.#scheduled && this.#mayStart()) this.#schedule()
    })
  }

  /** Resolves when what was added is settled. */
  close(): Promise<void> {
    this.#closed = true
    if (this.#waiting === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#idle = resolve
    })
  }

  /** A second statement starts beside the first only when it is full: small ones cost more than they gain. */
  #mayStart(): boolean {
    return this.#underWay === 0 || (this.#underWay < maxUnderWay && this.#gathering.length >= this.#maxBatch)
  }

  /** Not at once even when idle: what the same turn of the event loop still brings goes along. */
  #schedule(): void {
    this.#scheduled = true
    const early = this.#lastStart + this.#spacingMs - performance.now()
    if (early > 0 && this.#gathering.length < this.#maxBatch) setTimeout(this.#start, early)
    else setImmediate(this.#start)
  }

  readonly #start = (): void => {
    this.#scheduled = false
    while (this.#gathering.length > 0 && this.#mayStart()) void this.#commit(this.#take())
  }

  #take(): Waiting<Row, Result>[] {
    if (this.#gathering.length > this.#maxBatch) return this.#gathering.splice(0, this.#maxBatch)
    const batch = this.#gathering
    this.#gathering = []
    return batch
  }

  async #commit(batch: Waiting<Row, Result>[]): Promise<void> {
    this.#underWay += 1
    this.#lastStart = performance.now()
    this.#options.onBatch?.(batch.length)
    await this.#settle(batch)
    this.#underWay -= 1
    this.#waiting -= batch.length
    if (this.#gathering.length > 0 && !this.#scheduled) this.#schedule()
    if (this.#waiting === 0) this.#idle?.()
  }

  /** One bad row must not fail its neighbours: halves are tried until it stands alone. */
  async #settle(batch: Waiting<Row, Result>[]): Promise<void> {
    const rows = batch.map(({ row }) => row)
    let returned: Returned[]
    try {
      returned = await this.#options.database.query(this.#statement, this.#options.toValues(rows))
    } catch (error) {
      if (batch.length === 1 || !concernsRows(error)) return rejectAll(batch, error)
      const half = batch.length >> 1
      await this.#settle(batch.slice(0, half))
      return await this.#settle(batch.slice(half))
    }
    this.#resolveAll(batch, rows, returned)
  }

  #resolveAll(batch: Waiting<Row, Result>[], rows: Row[], returned: Returned[]): void {
    try {
      const results = this.#options.toResults?.(rows, returned)
      for (let index = 0; index < batch.length; index += 1) batch[index]?.resolve(results?.[index] as Result)
    } catch (error) {
      rejectAll(batch, error)
    }
  }
}

function rejectAll(batch: readonly { reject(error: unknown): void }[], error: unknown): void {
  for (const waiting of batch) waiting.reject(error)
}

/** Data exceptions, violated constraints, a row twice in one upsert, a limit exceeded; a deadlock is worth another try too. */
function concernsRows(error: unknown): boolean {
  return /^(21|22|23|40|54)/.test(sqlState(error) ?? '') || error instanceof TypeError || error instanceof RangeError
}
