import type { FileSelector } from '../../protocols/sdp/file-selector.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import type { Headers } from '../../protocols/sip/headers.ts'
import type { G711 } from '../../protocols/wav/g711.ts'

export type Side = 'caller' | 'callee'

export const sides = ['caller', 'callee'] as const
export const otherSide = (side: Side): Side => (side === 'caller' ? 'callee' : 'caller')

/** Who is at an end of a session. */
export interface Party {
  readonly aor: string
  /** One of our users, who may have a history. */
  readonly subscriber?: { readonly id: number; readonly identities: readonly string[] }
  readonly trusted: boolean
  readonly anonymous: boolean
}

export type Parties = Readonly<Record<Side, Party>>

/** Hears what passes on a line of voice. */
export interface SoundTap {
  formats(formats: Readonly<Record<Side, ReadonlyMap<number, G711>>>): void
  packet(from: Side, packet: Buffer): void
}

/** The media of a session, as far as they can be recorded. */
export interface RecordedMedia {
  readonly isAnchored: boolean
  readonly isAudible: boolean
  readonly agreed: Readonly<Record<Side, SessionDescription>> | undefined
  hear(tap: SoundTap | undefined): void
}

/** A message that has come whole, and has not passed. */
export interface SaidMessage {
  readonly messageId: string
  readonly contentType: string
  readonly body: Buffer
}

/** A file that begins to pass. */
export interface PassingFile {
  readonly selector: FileSelector | undefined
  readonly contentType: string
  readonly media: MediaDescription | undefined
}

export interface Said {
  /** Of the INVITE. */
  readonly chat: Headers
  readonly sender: Party
  readonly recipient: string
  readonly message: SaidMessage
}

/** Whose histories have it. */
export interface Copies {
  readonly recipient: number | undefined
  readonly sender: number | undefined
}

/** An object for a mailbox. */
export interface NewObject {
  readonly id: string
  readonly kind: 'session' | 'call' | 'file'
  readonly date: number
  readonly direction: 'in' | 'out'
  readonly peer: string
  /** Names below the root. */
  readonly folderPath: readonly string[]
  readonly flags: readonly string[]
  readonly conversationId?: string
  readonly contributionId?: string
  readonly attributes: Readonly<Record<string, readonly string[]>>
  readonly payload?: NewContent
  readonly parts?: readonly (NewContent & {
    readonly contentId?: string
    readonly disposition?: string
    readonly fileName?: string
  })[]
}

export interface NewContent {
  readonly contentType: string
  readonly content: Buffer | AsyncIterable<Buffer>
}

export interface ObjectUpdate {
  readonly payload?: NewContent
  readonly attributes?: Readonly<Record<string, readonly string[]>>
}

export interface Mailboxes {
  /** The same id again changes nothing. */
  create(owner: number, object: NewObject): Promise<unknown>
  update(owner: number, id: string, update: ObjectUpdate): Promise<unknown>
  find(owner: number, id: string): Promise<{ readonly kind: string; readonly date: number } | undefined>
}

export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}
