import type { Mailboxes } from '../mailbox/mailboxes.ts'
import type { NewObject, StoredObject } from '../mailbox/stored-object.ts'

/** Of an object, what is the same wherever the object is. */
export interface ArchivedObject extends NewObject {
  readonly id: string
  readonly disposition: number
}

/** What an archive holds, in its order. Contents are to be read before the next entry is asked for; else they are passed over. */
export type Entry =
  | { readonly line: number; readonly folder: readonly string[] }
  | { readonly line: number; readonly object: ArchivedObject; readonly bytes: number }
  | { readonly line: number; readonly fault: string }

/** An object to be written, with what else there is of it. */
export interface Written {
  readonly object: StoredObject
  /** Of its folder. */
  readonly path: string
  readonly text: string | undefined
}

export const formats = ['jsonl', 'mbox'] as const
export type Format = (typeof formats)[number]

/** Contents up to this size are held whole; larger ones pass in pieces. */
export const heldWhole = 16_384
/** Of the contents of one object together. */
export const heldTogether = 262_144
/** Of what passes in pieces: a multiple of three, so that base64 has no padding inside. */
export const pieceBytes = 196_608

/** What an archive asks of the mailboxes. */
export type Store = Pick<
  Mailboxes,
  'all' | 'content' | 'part' | 'textsOf' | 'pathsOf' | 'folders' | 'folderAt' | 'findMany' | 'createMany' | 'update'
>

export interface ImportOptions {
  /** What is wrong with a line, which is passed over. */
  readonly onFault: (line: number, fault: string) => void
  readonly onObject?: () => void
}
