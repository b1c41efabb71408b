import type { Structure } from '../../../protocols/nms/structures.ts'
import type { Folder } from '../mailbox/folder.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import { NmsFault } from './nms-fault.ts'
import type { NmsCall } from './nms-operation.ts'
import { folderPath } from './present-folder.ts'
import { objectPath } from './present-object.ts'

type Listed = Pick<Structure<'Folder'>, 'subFolders' | 'objects' | 'cursor'>
type Needs = Pick<Mailboxes, 'folders' | 'search'>

const mostEntries = 500
const usualEntries = 100

/** What is in a folder, folders first, as far as the client wants to hear at a time (NMS §6.11.3). */
export async function listFolder(mailboxes: Needs, call: NmsCall, folder: Folder): Promise<Listed> {
  const { listFilter, fromCursor } = call.query
  const [withFolders, withObjects] = [listFilter !== 'Objects', listFilter !== 'Subfolders']
  const limit = limitIn(call)
  const from = readCursor(typeof fromCursor === 'string' ? fromCursor : undefined, withFolders)
  const folders = from.list === 'folders' ? await foldersIn(mailboxes, call, folder, limit, from.cursor) : undefined
  const left = limit - (folders?.references.length ?? 0)
  const listsObjects = withObjects && folders?.cursor === undefined && left > 0
  const start = from.list === 'objects' ? from.cursor : undefined
  const objects = listsObjects ? await objectsIn(mailboxes, call, folder, left, start) : undefined
  const cursor = nextCursor(folders?.cursor, objects?.cursor, withObjects && objects === undefined)
  return {
    ...(cursor !== undefined && { cursor }),
    ...(withFolders && { subFolders: { folderReference: folders?.references ?? [] } }),
    ...(withObjects && { objects: { objectReference: objects?.references ?? [] } }),
  }
}

function limitIn({ query: { maxEntries } }: NmsCall): number {
  if (maxEntries === undefined) return usualEntries
  const wanted = Number(maxEntries)
  if (wanted < 1) throw new NmsFault(400, 'SVC0002', ['maxEntries'])
  return Math.min(wanted, mostEntries)
}

interface Position {
  readonly list: 'folders' | 'objects'
  /** Of the mailbox; undefined: its beginning. */
  readonly cursor?: string
}

function readCursor(text: string | undefined, withFolders: boolean): Position {
  if (text === undefined) return { list: withFolders ? 'folders' : 'objects' }
  const [, list, cursor] = /^([fo])\.(.*)$/s.exec(text) ?? []
  if (list === undefined || (list === 'f' && !withFolders)) throw new NmsFault(400, 'SVC0002', ['fromCursor'])
  return { list: list === 'f' ? 'folders' : 'objects', ...(cursor !== '' && cursor !== undefined && { cursor }) }
}

function nextCursor(folders: string | undefined, objects: string | undefined, objectsToCome: boolean) {
  if (folders !== undefined) return `f.${folders}`
  if (objects !== undefined) return `o.${objects}`
  return objectsToCome ? 'o.' : undefined
}

async function foldersIn(
  mailboxes: Needs,
  { owner, urls, query }: NmsCall,
  of: Folder,
  limit: number,
  cursor?: string,
) {
  const page = { parent: of.id, limit, ...(cursor !== undefined && { cursor }) }
  const found = await mailboxes.folders(owner, page)
  const references = found.folders.map((folder) => ({
    resourceURL: urls.folder(folder.id),
    ...(query.path === 'Yes' && { path: folderPath(folder) }),
  }))
  return { references, cursor: found.cursor }
}

async function objectsIn(
  mailboxes: Needs,
  { owner, urls, query }: NmsCall,
  of: Folder,
  limit: number,
  cursor?: string,
) {
  const selection = { scope: of.id, recursive: false, limit, ...(cursor !== undefined && { cursor }) }
  const found = await mailboxes.search(owner, selection)
  const references = found.objects.map(({ id }) => ({
    resourceURL: urls.object(id),
    ...(query.path === 'Yes' && { path: objectPath(of.path, id) }),
  }))
  return { references, cursor: found.cursor }
}
