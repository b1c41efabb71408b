import type { Structure } from '../../../../protocols/nms/structures.ts'
import type { Changes, Tombstone } from '../../mailbox/changes.ts'
import { type Folder, rootId } from '../../mailbox/folder.ts'
import type { StoredObject } from '../../mailbox/stored-object.ts'

type NmsEvent = Structure<'NmsEvent'>

/** One change, and what it is of. */
export interface Event {
  readonly modseq: number
  readonly of: StoredObject | Folder | Tombstone
  readonly kind: 'object' | 'folder' | 'gone-object' | 'gone-folder'
}

/** All that has changed, in the order in which it did. */
export function eventsIn({ objects, folders, removedObjects, removedFolders }: Changes): Event[] {
  const events: Event[] = [
    ...objects.map((of) => ({ kind: 'object' as const, modseq: of.modseq, of })),
    ...folders.filter(({ id }) => id !== rootId).map((of) => ({ kind: 'folder' as const, modseq: of.modseq, of })),
    ...removedObjects.map((of) => ({ kind: 'gone-object' as const, modseq: of.modseq, of })),
    ...removedFolders.map((of) => ({ kind: 'gone-folder' as const, modseq: of.modseq, of })),
  ]
  return events.sort((a, b) => a.modseq - b.modseq || order.indexOf(a.kind) - order.indexOf(b.kind))
}

/** What happens at once: a folder is there before what is in it. */
const order: readonly Event['kind'][] = ['folder', 'object', 'gone-object', 'gone-folder']

/** The state after the change, all of it that can change (NMS §5.1.4.1): it may be applied twice, and in any order. */
export function nmsEvent({ kind, of }: Event, base: string): NmsEvent {
  switch (kind) {
    case 'object':
      return { changedObject: changedObject(of as StoredObject, base) }
    case 'folder':
      return { changedFolder: changedFolder(of as Folder, base) }
    case 'gone-object': {
      const gone = of as Tombstone
      const deleted = { ...deletedIn(`${base}/objects/${gone.id}`, gone), ...correlationOf(gone) }
      return gone.expired ? { expiredObject: deleted } : { deletedObject: deleted }
    }
    case 'gone-folder': {
      const deleted = deletedIn(`${base}/folders/${of.id}`, of as Tombstone)
      return (of as Tombstone).expired ? { expiredFolder: deleted } : { deletedFolder: deleted }
    }
  }
}

/** NMS §5.3.2.27. */
function changedObject(object: StoredObject, base: string): Structure<'ChangedObject'> {
  const resourceURL = `${base}/objects/${object.id}`
  return {
    parentFolder: `${base}/folders/${object.folder}`,
    flags: { flag: object.flags, resourceURL: `${resourceURL}/flags` },
    resourceURL,
    lastModSeq: object.modseq,
    ...correlationOf(object),
  }
}

/** NMS §5.3.2.28. */
const changedFolder = ({ id, parent, name, modseq }: Folder, base: string): Structure<'ChangedFolder'> => ({
  parentFolder: `${base}/folders/${parent ?? rootId}`,
  resourceURL: `${base}/folders/${id}`,
  name,
  lastModSeq: modseq,
})

const deletedIn = (resourceURL: string, { modseq }: Tombstone) => ({ resourceURL, lastModSeq: modseq })

const correlationOf = ({ correlationId, correlationTag }: Pick<StoredObject, 'correlationId' | 'correlationTag'>) => ({
  ...(correlationId !== undefined && { correlationId }),
  ...(correlationTag !== undefined && { correlationTag }),
})
