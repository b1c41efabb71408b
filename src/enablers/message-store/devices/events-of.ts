import type { ObjectReference, StoreEvent } from '../../../protocols/cpm-event-framework/store-events.ts'
import { writeStoreEvents } from '../../../protocols/cpm-event-framework/write-store-events.ts'
import type { Tombstone } from '../mailbox/changes.ts'
import type { StoredObject } from '../mailbox/stored-object.ts'

/** What a device is to be told. Paths are those of folders, by their ids. */
export interface News {
  readonly created: readonly StoredObject[]
  readonly flagged: readonly StoredObject[]
  readonly removed: readonly Pick<Tombstone, 'id' | 'correlationId' | 'parent'>[]
  readonly paths: ReadonlyMap<string, string>
}

const seen = '\\Seen'
/** A flag that an object has not any more is only known by its absence. */
const removable = [seen, '\\Flagged']

/** Each flag that an object has now is added, and each of the usual ones that it has not is removed: all the same twice. */
export function eventsOf({ created, flagged, removed, paths }: News): readonly StoreEvent[] {
  const operations = new Operations(paths)
  for (const object of created) {
    for (const flag of object.flags) if (!isNatural(object, flag)) operations.add('add', flag, object)
  }
  for (const object of flagged) {
    for (const flag of object.flags) operations.add('add', flag, object)
    for (const flag of removable) if (!has(object, flag)) operations.add('remove', flag, object)
  }
  for (const tombstone of removed) operations.remove(tombstone)
  const objects = created.map((object) => referenceTo(object, paths))
  return [
    ...(objects.length > 0 ? [{ type: 'objects', objects } as const] : []),
    ...(operations.list.length > 0 ? [{ type: 'flags', operations: operations.list } as const] : []),
  ]
}

interface Operation {
  readonly name: 'add' | 'remove'
  readonly flag: string
  readonly objects: ObjectReference[]
}

/** Objects with the same change stand together. */
class Operations {
  readonly #paths: ReadonlyMap<string, string>
  readonly #byName = new Map<string, Operation>()

  constructor(paths: ReadonlyMap<string, string>) {
    this.#paths = paths
  }

  get list(): readonly Operation[] {
    return [...this.#byName.values()]
  }

  add(name: Operation['name'], flag: string, object: StoredObject): void {
    this.#of(name, flag).objects.push(referenceTo(object, this.#paths))
  }

  remove({ id, correlationId, parent }: News['removed'][number]): void {
    const folder = folderPath(this.#paths, parent)
    this.#of('add', '\\Deleted').objects.push({ ...folder, messageId: correlationId ?? id })
  }

  #of(name: Operation['name'], flag: string): Operation {
    const key = `${name} ${flag.toLowerCase()}`
    const known = this.#byName.get(key) ?? { name, flag, objects: [] }
    this.#byName.set(key, known)
    return known
  }
}

const has = ({ flags }: StoredObject, flag: string): boolean =>
  flags.some((one) => one.toLowerCase() === flag.toLowerCase())

/** What one has sent one has seen. */
const isNatural = ({ direction }: StoredObject, flag: string): boolean =>
  direction === 'out' && flag.toLowerCase() === seen.toLowerCase()

function referenceTo(object: StoredObject, paths: ReadonlyMap<string, string>): ObjectReference {
  const { id, folder, peer, correlationId, conversationId, contributionId } = object
  return {
    ...folderPath(paths, folder),
    ...(conversationId !== undefined && { conversationId }),
    ...(contributionId !== undefined && { contributionId }),
    otherParty: peer,
    messageId: correlationId ?? id,
  }
}

function folderPath(paths: ReadonlyMap<string, string>, folder: string | undefined): { folderPath?: string } {
  const path = folder === undefined ? undefined : paths.get(folder)
  return path === undefined ? {} : { folderPath: `${path}/` }
}

/** Documents of no more than `room` bytes each; undefined: there would be more than `most` of them. */
export function documentsOf(news: News, room: number, most: number): readonly Buffer[] | undefined {
  const document = writeStoreEvents(eventsOf(news))
  if (document.length <= room) return [document]
  const halves = halvesOf(news)
  if (most < 2 || halves === undefined) return undefined
  const documents: Buffer[] = []
  for (const half of halves) {
    const some = documentsOf(half, room, most - 1)
    if (some === undefined || documents.length + some.length > most) return undefined
    documents.push(...some)
  }
  return documents
}

function halvesOf({ created, flagged, removed, paths }: News): readonly [News, News] | undefined {
  const all = created.length + flagged.length + removed.length
  if (all < 2) return undefined
  const half = Math.ceil(all / 2)
  /** What of a list stands in the half that begins at `from`, where the lists stand one after the other. */
  const slice = <T>(list: readonly T[], before: number, from: number, to: number): readonly T[] =>
    list.slice(Math.max(0, from - before), Math.max(0, to - before))
  const part = (from: number, to: number): News => ({
    created: slice(created, 0, from, to),
    flagged: slice(flagged, created.length, from, to),
    removed: slice(removed, created.length + flagged.length, from, to),
    paths,
  })
  return [part(0, half), part(half, all)]
}
