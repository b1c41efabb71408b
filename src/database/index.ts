export * as columns from './columns.ts'
export { type Database, type DatabaseOptions, openDatabase, type Statement } from './database.ts'
export {
  DataDirectoryHeld,
  type EmbeddedPostgres,
  embeddedUrl,
  startEmbeddedPostgres,
  useEmbeddedPostgres,
} from './embedded-postgres.ts'
export { GroupCommit, type GroupCommitOptions } from './group-commit.ts'
export { indexedText, searchedWords } from './indexed-text.ts'
export type { Log } from './log.ts'
export { migrate } from './migrate.ts'
export { type Heir, Nodes, type NodesOptions } from './nodes.ts'
export { Notifications } from './notifications.ts'
