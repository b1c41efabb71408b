import type { Database } from '../../database/index.ts'
import { DeferredMessages } from './deferred-messages.ts'
import { MessageController } from './message-controller.ts'
import type { Needs } from './needs.ts'
import { type HistoryOptions, StoredMessages } from './stored-messages.ts'
import { WaitingMessages } from './waiting-messages.ts'

export type { Device } from './device.ts'
export { isDispositionNotification } from './disposition-notification.ts'
export { LargeMessageController } from './large-message-controller.ts'
export type { MessageController, ServiceRequest } from './message-controller.ts'
export { rowIdOf } from './message-id.ts'
export type { MessageCounts, Needs } from './needs.ts'
export { senderKey } from './pager-message.ts'
export type { Policy } from './policy.ts'
export type { MessageReply } from './reply.ts'
export { isRevocation } from './revocation-content.ts'
export type { Waiting, WaitingEntry, WaitingPage } from './waiting.ts'
export type { Place } from './waiting-messages.ts'

export interface BuildNeeds extends Needs {
  readonly database: Database
  /** A group commit wrote `size` rows at once. */
  readonly onBatch?: (name: string, size: number) => void
  /** Without it, mailboxes have no bounds, and nobody is told of them. */
  readonly history?: HistoryOptions
}

/** The controller, and its repositories for those who administrate them. */
export function buildMessages({ database, onBatch, history, ...needs }: BuildNeeds) {
  const options = onBatch === undefined ? { database } : { database, onBatch }
  const stored = new StoredMessages(history === undefined ? options : { ...options, history })
  const deferred = new DeferredMessages(options)
  const waiting = new WaitingMessages({ database })
  return { controller: new MessageController(needs, stored, deferred, waiting), stored, deferred }
}
