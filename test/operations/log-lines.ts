import { openLog } from '../../src/operations/logging.ts'

/** A log whose lines a test can read. */
export function readableLog(level: 'trace' | 'info' = 'info') {
  const lines: Record<string, unknown>[] = []
  const log = openLog({ level, destination: { write: (line: string) => void lines.push(JSON.parse(line)) } })
  return { log, lines }
}
