export { Archive } from './archive/archive.ts'
export type { Changes, ChangesOptions, Tombstone } from './mailbox/changes.ts'
export type { ByteRange, Content } from './mailbox/content.ts'
export { type Folder, type FolderList, type FolderSizes, rootId } from './mailbox/folder.ts'
export { Mailboxes, type MailboxesNeeds } from './mailbox/mailboxes.ts'
export {
  type Criterion,
  deepest,
  type FoundFolders,
  type FoundObjects,
  mostCriteria,
  type Selection,
  type Sort,
  type SortKey,
} from './mailbox/selection.ts'
export {
  type Attributes,
  type Copied,
  type Direction,
  type FlagChange,
  type MailboxState,
  type NewContent,
  type NewObject,
  type NewPart,
  type ObjectKind,
  type ObjectUpdate,
  objectKinds,
  type Part,
  type StoredObject,
} from './mailbox/stored-object.ts'
export { ContentOperations } from './rest/content-operations.ts'
export { FlagOperations } from './rest/flag-operations.ts'
export { FolderOperations } from './rest/folder-operations.ts'
export { registerNms } from './rest/nms-edge.ts'
export type { NmsOperations } from './rest/nms-operation.ts'
export { ObjectOperations } from './rest/object-operations.ts'
export { operationsOver } from './rest/operations-over.ts'
export { StoreNotifications } from './rest/subscriptions/store-notifications.ts'
