/** The folder that all others are in; its name is empty. It and `Default` can be neither renamed, moved nor removed. */
export const rootId = '00000000-0000-0000-0000-000000000000'

export interface Folder {
  readonly owner: number
  readonly id: string
  /** Undefined: this is the root. */
  readonly parent?: string
  readonly name: string
  /** Names from the root, joined by `/`, without one at the beginning; that of the root is empty. */
  readonly path: string
  /** Of its last change: made, renamed or moved. What it holds has sequences of its own. */
  readonly modseq: number
  /** The modification sequence that it came with. */
  readonly created: number
  /** Milliseconds since 1970. */
  readonly date: number
}

/** What a folder holds. */
export interface FolderSizes {
  readonly objects: number
  /** Without \Seen. */
  readonly unread: number
  readonly bytes: number
}

export interface FolderList {
  readonly folders: readonly Folder[]
  /** Undefined: that was all. */
  readonly cursor?: string
}
