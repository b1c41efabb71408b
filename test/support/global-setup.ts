import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { migrate, startEmbeddedPostgres } from '../../src/database/index.ts'
import { quiet } from './quiet-log.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A database of the run's Postgres that has the tables of this version and nobody's rows. */
    readonly templateUrl: string
  }
}

const unsafe = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200' }

const prefix = 'parley-test-postgres-'

/** One Postgres for the run, in a directory of its own; the migrations run once, into the template of all databases. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await stopAbandoned()
  const directory = await mkdtemp(join(tmpdir(), prefix))
  const postgres = await startEmbeddedPostgres({ dataDir: directory, log: quiet, settings: unsafe })
  const close = async () => {
    await postgres.stop()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await migrate(postgres)
    project.provide('templateUrl', postgres.url)
  } catch (error) {
    await close()
    throw error
  }
  return close
}

const minuteMs = 60_000

/** A run that was killed left its Postgres running. */
async function stopAbandoned(): Promise<void> {
  for (const name of (await readdir(tmpdir())).filter((entry) => entry.startsWith(prefix))) {
    const dataDir = join(tmpdir(), name)
    const found = await stat(dataDir).catch(() => undefined)
    if (found === undefined || Date.now() - found.ctimeMs < minuteMs) continue // perhaps just starting
    const abandoned = await startEmbeddedPostgres({ dataDir, log: quiet, settings: unsafe }).catch(() => undefined)
    await abandoned?.stop()
    if (abandoned !== undefined) await rm(dataDir, { recursive: true, force: true })
  }
}
