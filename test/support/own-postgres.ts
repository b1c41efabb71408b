import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate, startEmbeddedPostgres } from '../../src/database/index.ts'
import { quiet } from './quiet-log.ts'

/** A Postgres of one test's own, which can be stopped and started again at the same address. */
export async function ownPostgres() {
  const dataDir = await mkdtemp(join(tmpdir(), 'parley-outage-'))
  const start = () => startEmbeddedPostgres({ dataDir, log: quiet })
  let running = await start()
  await migrate(running)
  return {
    url: running.url,
    stop: () => running.stop(),
    startAgain: async () => {
      running = await start()
    },
    [Symbol.asyncDispose]: async () => {
      await running.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
