/** For a relay in a process of its own: each line on standard input is answered with the longest turn since the last one. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'

const resolution = 5

export function tellLongestTurn(): void {
  const delay = monitorEventLoopDelay({ resolution })
  delay.enable()
  createInterface({ input: process.stdin }).on('line', () => {
    process.stdout.write(`${Math.max(0, Math.round(delay.max / 1e6) - resolution)}\n`)
    delay.reset()
  })
}
