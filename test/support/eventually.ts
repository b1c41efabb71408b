import { setTimeout as sleep } from 'node:timers/promises'

/** Tries until `check` does not throw, for what tells nobody when it is there; gives up after a generous time. */
export async function eventually<T>(check: () => T | Promise<T>, patience = 20_000): Promise<T> {
  const end = Date.now() + patience
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (Date.now() > end) throw error
      await sleep(20)
    }
  }
}
