import { vi } from 'vitest'
import type { Database } from '../../src/database/index.ts'

/** Resolves when this node hears of changes; before that its caches trust nothing. */
export const listening = (database: Database, channel: string): Promise<boolean> =>
  vi.waitUntil(() => database.notifications.listening(channel), { timeout: 10_000, interval: 5 })
