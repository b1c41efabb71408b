import type { Output } from './output.ts'
import type { Needs as PasswordNeeds } from './password.ts'

/** A SIP client, as `client` makes it. */
export interface Client {
  start(): Promise<unknown>
  register(expires?: number): Promise<Answer>
  message(to: string, text: string): Promise<Answer & { readonly messageId: string }>
  on(event: 'message', listener: (message: ReceivedMessage) => void): unknown
  on(event: 'notification', listener: (notification: ReceivedNotification) => void): unknown
  /** Somebody wants to chat. Who listens for it before `register` gets such. */
  on(event: 'invitation', listener: (invitation: Invitation) => void): unknown
  chat(to: string, options: ChatOptions): Promise<Answer & { readonly chat?: Chat }>
  close(): Promise<void>
}

export interface ChatOptions {
  readonly events: ChatEvents
  readonly cancelled: AbortSignal
  readonly onRinging?: (status: number) => void
}

export interface ChatEvents {
  onMessage(message: ReceivedMessage): void
  onNotification(notification: ReceivedNotification): void
  onComposing(composing: boolean): void
  onEnded(by: 'peer' | 'lost'): void
}

export interface Chat {
  readonly peer: string
  send(text: string, messageId: string): Promise<unknown>
  typing(something: boolean): void
  displayed(message: ReceivedMessage): void
  end(): Promise<void>
}

export interface Invitation {
  readonly from: string
  accept(events: ChatEvents): Promise<Chat>
  refuse(status: number): void
}

export interface Answer {
  readonly status: number
  readonly reason: string
}

export interface ReceivedMessage {
  readonly from: string
  readonly text: string
  readonly messageId: string
  readonly contentType: string
  readonly date: string | undefined
}

export interface ReceivedNotification {
  readonly messageId: string
  /** `delivered`, `displayed`, `failed` … (RFC 5438 §7). */
  readonly status: string
}

/** What the commands that are SIP clients need. */
export interface ClientNeeds extends PasswordNeeds {
  createClient(account: { aor: string; password: string; server: string }): Client
  readonly output: Output
  /** Says something beside the results, if there is something. */
  readonly note: (text: string | undefined) => void
  readonly domain: string
  readonly sipListen: readonly { readonly transport: string; readonly address: string; readonly port: number }[]
}
