import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Pair, RelayServer } from './relay-server.ts'

/** A relay in a process of its own, which writes its pairs as one line of JSON. */
export async function startChild(name: string, script: string, count: number): Promise<RelayServer> {
  const file = join(import.meta.dirname, script)
  const child = spawn(process.execPath, ['--import', 'tsx', file, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return {
    name,
    pids: [child.pid ?? 0],
    pairs: JSON.parse(line) as Pair[],
    close: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
