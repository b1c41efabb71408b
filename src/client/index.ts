import { Client, type ClientOptions } from './client.ts'

export { Client, type ClientOptions, type Outcome, type SentMessage } from './client.ts'
export type { ReceivedMessage, ReceivedNotification } from './pager-message.ts'

/** A CPM client: registers, sends and receives pager messages (spec/1 §7). */
export const createClient = (options: ClientOptions): Client => new Client(options)
