import { setTimeout } from 'node:timers/promises'
import { Failure } from '../../failure.ts'

const attempts = 60
const between = 2_000

/** Does what may be done more than once, and again while the database is away; after `closing` not again. */
export async function persistently(work: () => Promise<void>, closing: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work()
      return
    } catch (err) {
      const passing = err instanceof Failure && err.condition === 'database-unavailable'
      if (!passing || closing.aborted || attempt === attempts) throw err
      await setTimeout(between, undefined, { signal: closing, ref: false }).catch(() => {})
    }
  }
}
