import type { Folder } from './folder.ts'
import type { ObjectKind, StoredObject } from './stored-object.ts'

/**
 * What is looked for. Values are data: none of them is a pattern or an expression. Trees deeper than `deepest` or of more than
 * `mostCriteria` nodes are refused (`malformed`).
 */
export type Criterion =
  | { readonly type: 'and' | 'or'; readonly of: readonly Criterion[] }
  | { readonly type: 'not'; readonly of: Criterion }
  /** Milliseconds since 1970, both included. */
  | { readonly type: 'date'; readonly from?: number; readonly to?: number }
  /** `equals` and `contains` (as a substring): without regard to case; `exact`: letter by letter. Without a value: whether the object has it. */
  | {
      readonly type: 'attribute'
      readonly name: string
      readonly value?: string
      readonly match: 'exact' | 'equals' | 'contains'
    }
  /** All its words are in the text or the attributes; the last of them may be the beginning of a word. */
  | { readonly type: 'text'; readonly value: string }
  /** The same words, whole and next to each other, in any of the text (or in the attribute `name`). */
  | { readonly type: 'whole-word'; readonly value: string; readonly name?: string }
  | { readonly type: 'flag'; readonly value: string }
  | { readonly type: 'kind'; readonly value: ObjectKind }
  /** Made after this modification sequence (NMS CreatedObjects). */
  | { readonly type: 'created'; readonly after: number }
  /** Changed or made after it. */
  | { readonly type: 'changed'; readonly after: number }

export const deepest = 16
export const mostCriteria = 100

export type SortKey = 'date' | 'created' | 'modseq' | 'size' | { readonly attribute: string }

export interface Sort {
  readonly by: SortKey
  readonly descending: boolean
}

/** Of folders, `attribute` knows Name and Root; `text`, `flag` and `kind` are refused (`malformed`). */
export interface Selection {
  readonly criteria?: Criterion
  /** A folder's id; without it, the root. */
  readonly scope?: string
  /** Folders below the scope as well. Default: true. */
  readonly recursive?: boolean
  /** Default: newest first. Folders: by path always. */
  readonly sort?: Sort
  /** Of an earlier answer to the same question by the same owner; else `malformed`. */
  readonly cursor?: string
  readonly limit: number
}

export interface FoundObjects {
  readonly objects: readonly StoredObject[]
  /** Undefined: that was all. */
  readonly cursor?: string
}

/** An object with what a client shows of it. */
export interface ShownObject extends StoredObject {
  readonly folderPath: string
  /** Of an object of at most `longestShown` bytes that has one. */
  readonly text?: string
}

export const longestShown = 16_384

export interface ShownObjects {
  readonly objects: readonly ShownObject[]
  readonly cursor?: string
}

export interface FoundFolders {
  readonly folders: readonly Folder[]
  readonly cursor?: string
}
