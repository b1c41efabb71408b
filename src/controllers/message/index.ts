import type { Database } from '../../database/index.ts'
import { DeferredMessages } from './deferred-messages.ts'
import { MessageController } from './message-controller.ts'
import type { Needs } from './needs.ts'
import { StoredMessages } from './stored-messages.ts'

export type { Device } from './device.ts'
export { isDispositionNotification } from './disposition-notification.ts'
export { LargeMessageController } from './large-message-controller.ts'
export type { MessageController, ServiceRequest } from './message-controller.ts'
export type { MessageCounts, Needs } from './needs.ts'
export type { Policy } from './policy.ts'
export type { MessageReply } from './reply.ts'

export interface BuildNeeds extends Needs {
  readonly database: Database
  /** A group commit wrote `size` rows at once. */
  readonly onBatch?: (name: string, size: number) => void
}

/** The controller, and its repositories for those who administrate them. */
export function buildMessages({ database, onBatch, ...needs }: BuildNeeds) {
  const options = onBatch === undefined ? { database } : { database, onBatch }
  const stored = new StoredMessages(options)
  const deferred = new DeferredMessages(options)
  return { controller: new MessageController(needs, stored, deferred), stored, deferred }
}
