/** The content type of what tells of changes in a message store (OMA CPM, event reporting framework; features 1.8). */
export const storeEventsType = 'application/vnd.oma.cpm-eventfw+xml'
export const storeEventsNamespace = 'urn:oma:xml:cpm:evfw'

/** An object of the store, by any of its names. */
export interface ObjectReference {
  readonly folderPath?: string
  readonly uid?: string
  readonly conversationId?: string
  readonly contributionId?: string
  readonly otherParty?: string
  /** imdn.Message-ID. */
  readonly messageId?: string
}

export interface FlagsOperation {
  readonly name: 'add' | 'remove'
  /** Such as `\Seen`. What is gone from the store has `\Deleted` added. */
  readonly flag: string
  readonly objects: readonly ObjectReference[]
}

/**
 * What has happened in a store. `flags` is all that sources at hand know of. Two more are this server's own, and a client
 * passes over a type that it does not know: `objects` are new in the store, and after `synchronize` a client had better ask
 * the store, as more has changed than it is told.
 */
export type StoreEvent =
  | { readonly type: 'flags'; readonly operations: readonly FlagsOperation[] }
  | { readonly type: 'objects'; readonly objects: readonly ObjectReference[] }
  | { readonly type: 'synchronize' }
