import type { Database } from '../../../database/index.ts'
import type { Failure } from '../../../failure.ts'
import { ChangeListeners } from './change-listeners.ts'
import { ChangeLog } from './change-log.ts'
import type { Changes, ChangesOptions, Tombstone } from './changes.ts'
import type { Content } from './content.ts'
import { Contents } from './contents.ts'
import { Cursors } from './cursors.ts'
import { erase } from './erase.ts'
import type { Folder, FolderList, FolderSizes } from './folder.ts'
import { FolderSearch } from './folder-search.ts'
import { Folders } from './folders.ts'
import { uuid } from './names.ts'
import { Objects } from './objects.ts'
import { type Keeper, Retention } from './retention.ts'
import { Search } from './search.ts'
import type { FoundFolders, FoundObjects, Selection, ShownObjects } from './selection.ts'
import type { Copied, FlagChange, MailboxState, NewObject, ObjectUpdate, StoredObject } from './stored-object.ts'
import { type Chosen, Transfers } from './transfers.ts'

export interface MailboxesNeeds {
  readonly database: Database
  readonly now: () => number
  readonly newId: () => string
  /** Bytes and objects that a user may keep; 0: any number. */
  readonly maxBytes: number
  readonly maxObjects: number
  /** Text search configurations of Postgres. The first is `simple`, by which words are what they are. */
  readonly languages: readonly string[]
  /** How long objects are kept; 0: for ever. */
  readonly keepDays: number
  /** How long a client may stay away and still learn what went. */
  readonly tombstoneDays: number
}

const pageOfAll = 200

/** What users keep, as all doors see it. Every call names the owner, and touches nothing of anybody else. */
export class Mailboxes {
  readonly #objects: Objects
  readonly #contents: Contents
  readonly #folders: Folders
  readonly #transfers: Transfers
  readonly #search: Search
  readonly #folderSearch: FolderSearch
  readonly #log: ChangeLog
  readonly #listeners: ChangeListeners
  readonly #retention: Retention
  readonly #database: Database

  constructor(needs: MailboxesNeeds) {
    const { database, newId } = needs
    const cursors = new Cursors(database)
    this.#database = database
    this.#contents = new Contents(database, newId)
    this.#objects = new Objects({ ...needs, contents: this.#contents })
    this.#folders = new Folders(database, cursors)
    this.#transfers = new Transfers(needs)
    this.#search = new Search({ database, folders: this.#folders, cursors, languages: needs.languages })
    this.#folderSearch = new FolderSearch({ database, folders: this.#folders, cursors })
    this.#log = new ChangeLog(database)
    this.#listeners = new ChangeListeners(database)
    const remove: Objects['remove'] = (owner, ids, expired) => this.#objects.remove(owner, ids, expired)
    this.#retention = new Retention({ ...needs, remove, changed: (owner) => this.changed(owner) })
  }

  find(owner: number, id: string): Promise<StoredObject | undefined> {
    return this.#objects.find(owner, id)
  }

  /** Those that there are, in no order. */
  findMany(owner: number, ids: readonly string[]): Promise<StoredObject[]> {
    return this.#objects.findMany(owner, ids)
  }

  /** Paths of folders (`Default/tel:+1555`) and of objects (`Default/tel:+1555/<object id>`); a `/` at either end says nothing. */
  async byPath(owner: number, path: string): Promise<Located | undefined> {
    const bare = path.replace(/^\/|\/$/g, '')
    if (bare.length > 4_000 || bare.includes('\0')) return undefined
    if (bare === '') return { kind: 'folder', id: (await this.root(owner)).id }
    const folder = await this.#folders.byPath(owner, bare)
    if (folder !== undefined) return { kind: 'folder', id: folder.id }
    const slash = bare.lastIndexOf('/')
    const object = await this.#objects.find(owner, bare.slice(slash + 1))
    if (object === undefined) return undefined
    const within = (await this.#folders.pathsOf(owner, [object.folder])).get(object.folder)
    return within === bare.slice(0, Math.max(slash, 0)) ? { kind: 'object', id: object.id } : undefined
  }

  /** Of folders by id: their paths, for as many objects as there are. */
  pathsOf(owner: number, folders: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#folders.pathsOf(
      owner,
      folders.filter((id) => uuid.test(id)),
    )
  }

  /** The text of each object that has one (TextContent). */
  textsOf(owner: number, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#objects.textsOf(owner, ids)
  }

  /** Throws `mailbox-full`, `folder-unknown`, `malformed`. The same id again: what there is. */
  create(owner: number, object: NewObject): Promise<StoredObject> {
    return this.#telling(owner, this.#objects.create(owner, object))
  }

  /** Each by itself, in the order given. */
  createMany(owner: number, objects: readonly NewObject[]): Promise<(StoredObject | Failure)[]> {
    return this.#telling(owner, this.#objects.createMany(owner, objects))
  }

  /** Those that there are, with their flags now; what does not change keeps its sequence. */
  change(owner: number, ids: readonly string[], change: FlagChange): Promise<StoredObject[]> {
    return this.#telling(owner, this.#objects.change(owner, ids, change))
  }

  /** Throws `object-unknown`, `mailbox-full`, `malformed`. */
  update(owner: number, id: string, update: ObjectUpdate): Promise<StoredObject> {
    return this.#telling(owner, this.#objects.update(owner, id, update))
  }

  /** How many of them there were. `expired`: not by the owner's wish. */
  remove(owner: number, ids: readonly string[], expired = false): Promise<number> {
    return this.#telling(owner, this.#objects.remove(owner, ids, expired))
  }

  async content(owner: number, id: string): Promise<Content | undefined> {
    return uuid.test(id) ? await this.#contents.ofObject(owner, id) : undefined
  }

  async part(owner: number, id: string, number: number): Promise<Content | undefined> {
    if (!uuid.test(id) || !(number >= 1 && number <= 1_000)) return undefined
    return await this.#contents.ofPart(owner, id, Math.floor(number))
  }

  root(owner: number): Promise<Folder> {
    return this.#folders.root(owner)
  }

  folder(owner: number, id: string): Promise<Folder | undefined> {
    return this.#folders.find(owner, id)
  }

  /** Throws `folder-unknown` (the parent), `conflict` (the name is taken), `malformed` (no name, or one with a `/`). */
  createFolder(owner: number, parent: string, name: string): Promise<Folder> {
    return this.#telling(owner, this.#folders.create(owner, parent, name))
  }

  /** The folder on a way below the root; what is missing of it is made. */
  folderAt(owner: number, names: readonly string[]): Promise<Folder> {
    return this.#telling(owner, this.#folders.at(owner, names))
  }

  /** Throws `folder-unknown`, `conflict`, `not-permitted`, `malformed`. */
  renameFolder(owner: number, id: string, name: string): Promise<Folder> {
    return this.#telling(owner, this.#folders.rename(owner, id, name))
  }

  /** With all that is in it. Throws `folder-unknown`, `not-permitted`. */
  removeFolder(owner: number, id: string): Promise<void> {
    return this.#telling(owner, this.#folders.remove(owner, id))
  }

  /** Those in `parent`, in the order of their names; without it all, in that of their paths. */
  folders(owner: number, options: { parent?: string; cursor?: string; limit: number }): Promise<FolderList> {
    return this.#folders.list(owner, options)
  }

  folderSizes(owner: number, id: string, subtree: boolean): Promise<FolderSizes> {
    return this.#folders.sizes(owner, id, subtree)
  }

  /** Folders with all that is in them. All or nothing. Throws `object-unknown`, `folder-unknown`, `not-permitted`, `mailbox-full`, `conflict`. */
  copy(owner: number, chosen: Chosen, target: string): Promise<Copied[]> {
    return this.#telling(owner, this.#transfers.copy(owner, chosen, target))
  }

  move(owner: number, chosen: Chosen, target: string): Promise<Copied[]> {
    return this.#telling(owner, this.#transfers.move(owner, chosen, target))
  }

  /** Throws `malformed` (criteria, cursor), `folder-unknown` (the scope), `overloaded` (it took too long). */
  search(owner: number, selection: Selection): Promise<FoundObjects> {
    return this.#search.find(owner, selection)
  }

  /** The same, with all that a client shows of objects. */
  searchToShow(owner: number, selection: Selection): Promise<ShownObjects> {
    return this.#search.findToShow(owner, selection)
  }

  searchFolders(owner: number, selection: Selection): Promise<FoundFolders> {
    return this.#folderSearch.find(owner, selection)
  }

  /** Objects that went after a sequence, oldest first (NMS VanishedObjects). Throws `cursor-gone`. */
  vanished(owner: number, after: number, limit: number): Promise<Vanished> {
    return this.#log.vanished(owner, after, limit)
  }

  /** Objects that went, as far back as it is known, the latest first. */
  latestVanished(owner: number, limit: number): Promise<Tombstone[]> {
    return this.#log.latestVanished(owner, limit)
  }

  /** Throws `cursor-gone` where it is not known any more what went since then: the client begins again with 0. */
  changes(owner: number, since: number, limit: number, options?: ChangesOptions): Promise<Changes> {
    return this.#log.since(owner, since, limit, options)
  }

  state(owner: number): Promise<MailboxState> {
    return this.#log.state(owner)
  }

  /** All that clients know of the mailbox is void; nothing in it is touched. */
  reset(owner: number): Promise<MailboxState> {
    return this.#telling(owner, this.#log.reset(owner))
  }

  /**
   * Tells of each owner whose mailbox has changed, here or by another node; once for what comes together. `onLost`: some
   * changes by other nodes may have been missed.
   */
  onChanged(listener: (owner: number) => void, onLost?: () => void): () => void {
    return this.#listeners.add(listener, onLost)
  }

  /** Somebody else has changed rows of this owner's. */
  changed(owner: number): void {
    this.#listeners.changed(owner)
  }

  /** Oldest first, without those that come meanwhile. */
  async *all(owner: number): AsyncIterable<StoredObject> {
    for (let cursor: string | undefined; ; ) {
      const sort = { by: 'date', descending: false } as const
      const page = await this.search(owner, { sort, limit: pageOfAll, ...(cursor !== undefined && { cursor }) })
      yield* page.objects
      if (page.cursor === undefined) return
      cursor = page.cursor
    }
  }

  /** Nothing is left, not even what it was called. */
  erase(owner: number): Promise<void> {
    return this.#telling(owner, erase(this.#database, owner))
  }

  /** Removes what has been kept for long enough, for the operator or for its owner. Returns how many objects went. */
  sweep(keepers: AsyncIterable<Keeper>, signal: AbortSignal): Promise<number> {
    return this.#retention.sweep(keepers, signal)
  }

  async close(): Promise<void> {
    this.#listeners.close()
    await this.#objects.close()
  }

  async #telling<T>(owner: number, work: Promise<T>): Promise<T> {
    const result = await work
    this.#listeners.changed(owner)
    return result
  }
}

export interface Located {
  readonly kind: 'object' | 'folder'
  readonly id: string
}

export interface Vanished {
  readonly objects: readonly Tombstone[]
  readonly upTo: number
  readonly more: boolean
}
