import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Pair, RelayServer } from './relay-server.ts'

/** A relay in a process of its own, which writes its pairs as one line of JSON. */
export async function startChild(name: string, script: string, count: number): Promise<RelayServer> {
  const file = join(import.meta.dirname, script)
  const child = spawn(process.execPath, ['--import', 'tsx', file, String(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const lines = createInterface(child.stdout)
  const nextLine = async () => ((await once(lines, 'line')) as [string])[0]
  const pairs = JSON.parse(await nextLine()) as Pair[]
  return {
    name,
    pids: [child.pid ?? 0],
    pairs,
    longestTurn: async () => {
      child.stdin.write('turn\n')
      return Number(await nextLine())
    },
    close: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
