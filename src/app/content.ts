import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import {
  type ByteStore,
  ContentChunks,
  ContentDirectory,
  ContentFiles,
  ContentServer,
  Transfers,
} from '../enablers/content/index.ts'
import type { HttpRoutes } from '../operations/index.ts'
import { sharedSecret } from '../signalling/manager/shared-secret.ts'
import type { Access } from './access.ts'
import { type Parts, useMetrics } from './parts.ts'
import type { Started } from './started.ts'

const day = 86_400_000
const ofUser = 16
/** 32 KiB in half a minute. */
const pace = { every: 30_000, least: 32_768 }

/** Files that users put up for each other. */
export async function buildContent(parts: Parts, { door }: Access, started: Started): Promise<HttpRoutes> {
  const { config, database, log, metrics } = parts
  const { maxFileSize, maxThumbnailSize, maxUserBytes, maxTransfers, keepDays, url, downloads } = config.content
  const files = new ContentFiles({
    database,
    now: Date.now,
    maxUserBytes,
    keepFor: keepDays * day,
    log: log.child({ part: 'content' }),
  })
  started.add(() => files.close())
  const bytes = await buildBytes(parts, files, started)
  const transfers = new Transfers({ most: maxTransfers, ofUser })
  useMetrics(metrics, 'content_transfers', 'Uploads and downloads of files', transfers)
  const server = new ContentServer({
    ...{ files, bytes, transfers, url, maxFileSize, maxThumbnailSize, downloads, pace },
    principalOf: (sent) => door.principalOf(sent, 'content'),
  })
  return server.routes
}

/** One node alone has files on its disk; several have them on one that they share, or in the database. */
async function buildBytes({ config, database, log }: Parts, files: ContentFiles, started: Started): Promise<ByteStore> {
  const root = directoryOf(config)
  if (root === undefined) return new ContentChunks(database)
  const name = (await sharedSecret(database, 'content')).toString('hex', 0, 8)
  const dir = join(root, name) // what another database has there is not tidied away
  const directory = new ContentDirectory({ dir, progress: (writing, size) => files.progress(writing, size) })
  const filesOf = (owner: number) => files.of(owner)
  const part = log.child({ part: 'content' })
  const late = (err: unknown) => part.info({ err, dir }, 'files that are no more go from the disk at the next start')
  const tidying = directory.tidy(filesOf).catch(late)
  started.add(() => tidying)
  files.onGone((gone) => {
    const removed = 'id' in gone ? directory.remove(gone) : directory.tidyOwner(gone.owner, filesOf)
    removed.catch(late)
  })
  return directory
}

const directoryOf = ({ content, data, database }: Config): string | undefined =>
  content.dir ?? (database.url === undefined ? join(data.dir, 'content') : undefined)
