import { createHash } from 'node:crypto'

/** The owner of the documents in the global tree. */
export const everybody = 0

export interface DocumentKey {
  /** A subscriber, or `everybody`. */
  readonly owner: number
  readonly auid: string
  /** The path below the home directory, such as `index`. */
  readonly name: string
}

export interface Document extends DocumentKey {
  /** Without quotes. */
  readonly etag: string
  readonly content: Buffer
}

/** A document was written or removed; an etag is undefined where there was, or is, none. */
export interface DocumentChange {
  readonly key: DocumentKey
  readonly previousEtag: string | undefined
  readonly etag: string | undefined
}

/** The same content has the same entity tag, so that a PUT which changes nothing is none. */
export const etagOf = (content: Buffer): string => createHash('sha256').update(content).digest('base64url').slice(0, 22)
