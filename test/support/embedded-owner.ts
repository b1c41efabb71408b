import { startEmbeddedPostgres } from '../../src/database/index.ts'

/** A process that owns the embedded Postgres of a data directory: says `ready` or what was wrong; SIGTERM ends it in order. */
const [dataDir = ''] = process.argv.slice(2)
const log = { info() {}, warn() {}, error() {} }

try {
  const postgres = await startEmbeddedPostgres({ dataDir, log, settings: { fsync: 'off', shared_buffers: '16MB' } })
  const stayAlive = setInterval(() => {}, 1000)
  process.once('SIGTERM', async () => {
    clearInterval(stayAlive)
    await postgres.stop()
  })
  console.log(JSON.stringify({ ready: true, url: postgres.url, adopted: postgres.adopted }))
} catch (error) {
  console.log(JSON.stringify({ ready: false, problem: error instanceof Error ? error.message : String(error) }))
}
