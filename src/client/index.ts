import { Client, type ClientOptions } from './client.ts'

export type { Chat, ChatEvents } from './chat.ts'
export type { Called, ChatOptions } from './chats.ts'
export {
  Client,
  type ClientOptions,
  type Invitation,
  type Outcome,
  type SentMessage,
  type Subscribed,
} from './client.ts'
export type { ReceivedMessage, ReceivedNotification } from './content.ts'
export type { ClientMedia, MessageEnd } from './media.ts'
export type { Notification, Subscribing } from './subscription.ts'

/** A CPM client: registers, sends and receives pager messages, chats (spec/1 §7). */
export const createClient = (options: ClientOptions): Client => new Client(options)
