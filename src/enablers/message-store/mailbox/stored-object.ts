import type { Content } from './content.ts'

export const objectKinds = ['message', 'file', 'session', 'group-state', 'notification', 'call'] as const
export type ObjectKind = (typeof objectKinds)[number]

export type Direction = 'in' | 'out'

/** Names as `canonicalName` writes them; a name has one value or more. */
export type Attributes = Readonly<Record<string, readonly string[]>>

/** What an object says of one of its parts. Numbers begin with 1. */
export interface Part {
  readonly number: number
  readonly contentType: string
  readonly contentId?: string
  readonly contentLocation?: string
  readonly disposition?: string
  readonly fileName?: string
  readonly size: number
}

/** An object of one owner's mailbox (CPM object model, features 1.8). */
export interface StoredObject {
  readonly owner: number
  readonly id: string
  /** The id of its folder. */
  readonly folder: string
  readonly kind: ObjectKind
  /** Of its last change. */
  readonly modseq: number
  /** The modification sequence that it came with. */
  readonly created: number
  /** Milliseconds since 1970. */
  readonly date: number
  readonly direction: Direction
  /** Canonical address of the other party; of a group, its conversation. */
  readonly peer: string
  readonly flags: readonly string[]
  /** imdn.Message-ID. */
  readonly correlationId?: string
  readonly correlationTag?: string
  readonly conversationId?: string
  readonly contributionId?: string
  readonly attributes: Attributes
  /** Of the payload; without it there is none. */
  readonly contentType?: string
  /** Bytes of payload and parts. */
  readonly size: number
  readonly parts: readonly Part[]
  readonly expiresAt?: number
  /** 0: none; else the rank of the last notification: 1 delivered … as controllers/message/disposition-notification.ts ranks them. */
  readonly disposition: number
}

/** Bytes in memory, or a stream of them that is read once, as far as the quota allows. */
export type Bytes = Buffer | AsyncIterable<Buffer>

export interface NewContent {
  readonly contentType: string
  readonly content: Bytes
}

export interface NewPart extends Omit<Part, 'number' | 'size'> {
  readonly content: Bytes
}

export interface NewObject {
  /** Given: creating it again changes nothing. A UUID. */
  readonly id?: string
  /** Where it goes: a folder's id, or the names on its way below the root (missing ones are made); else `Default/<peer>`. */
  readonly folder?: string
  readonly folderPath?: readonly string[]
  readonly kind: ObjectKind
  /** Milliseconds since 1970. */
  readonly date: number
  readonly direction: Direction
  readonly peer: string
  readonly flags: readonly string[]
  readonly correlationId?: string
  readonly correlationTag?: string
  readonly conversationId?: string
  readonly contributionId?: string
  readonly attributes: Attributes
  readonly payload?: NewContent
  readonly parts?: readonly NewPart[]
  /** What it can be found by, besides its attributes. */
  readonly text?: string
  readonly expiresAt?: number
}

/** Flags are compared without regard to case; `set` replaces all. */
export interface FlagChange {
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
  readonly set?: readonly string[]
}

/** An edit: what is given takes the place of what there was. */
export interface ObjectUpdate {
  readonly payload?: NewContent
  /** Each given name is replaced; an empty list removes it. */
  readonly attributes?: Attributes
  /** Only ever rises. */
  readonly disposition?: number
  readonly text?: string
  readonly expiresAt?: number
}

export interface Copied {
  readonly kind: 'object' | 'folder'
  /** What was copied or moved, as it was asked for. */
  readonly from: string
  /** Its id now; after a move the same. */
  readonly to: string
}

export interface MailboxState {
  readonly modseq: number
  /** Another one after each reset: what a client knows of before is worth nothing. */
  readonly epoch: string
  readonly objects: number
  readonly bytes: number
}

export type { Content }
