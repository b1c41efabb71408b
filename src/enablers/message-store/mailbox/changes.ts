import type { Folder } from './folder.ts'
import type { StoredObject } from './stored-object.ts'

/** What is left of an object or a folder. */
export interface Tombstone {
  readonly id: string
  readonly modseq: number
  readonly correlationId?: string
  /** By policy, not by its owner. */
  readonly expired: boolean
  /** The folder that it was in. */
  readonly parent?: string
}

/**
 * All that differs from what a client knew at `since`, each with its state now. In the order of `modseq` within each list;
 * applied list by list in the order objects, folders, removed…: later pages never speak of earlier sequences.
 */
export interface Changes {
  readonly objects: readonly StoredObject[]
  readonly folders: readonly Folder[]
  readonly removedObjects: readonly Tombstone[]
  readonly removedFolders: readonly Tombstone[]
  /** What to ask for next. */
  readonly upTo: number
  readonly more: boolean
  readonly epoch: string
  /** To be given back with the next page of a listing that began with 0. */
  readonly begun: number
}

export interface ChangesOptions {
  /** What the client has from before: another epoch by now fails with `cursor-gone`. */
  readonly epoch?: string
  readonly begun?: number
}
