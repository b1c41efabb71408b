/** The whole server. A line with its addresses goes to standard output, and one with its memory for each line that comes in. */
import { createInterface } from 'node:readline'
import { startApp } from '../../../src/app.ts'
import { readConfig } from '../../../src/config/read-config.ts'
import { openLog } from '../../../src/operations/logging.ts'

const settings = JSON.parse(process.argv[2] ?? '{}') as Record<string, string>
const app = await startApp(readConfig({ set: Object.entries(settings) }).config, openLog({ level: 'warn' }))
process.stdout.write(`${JSON.stringify(app.addresses)}\n`)
for await (const _ of createInterface({ input: process.stdin })) {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  process.stdout.write(`${JSON.stringify(process.memoryUsage())}\n`)
}
