import { type Folder, rootId } from '../mailbox/folder.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import { NmsFault } from './nms-fault.ts'

const longest = 4_096
const deepest = 32

/** The names in a path such as `/main/trip`; none for the root. A `/` at the beginning may be left out. */
export function folderNames(path: string): readonly string[] {
  const names = path.replace(/^\//, '').split('/')
  if (names.length === 1 && names[0] === '') return []
  const fits = path.length <= longest && names.length <= deepest && names.every((name) => name !== '')
  if (!fits) throw new NmsFault(400, 'SVC0002', [path.slice(0, 256)])
  return names
}

/** A folder by its id; the root comes with the first look at it. */
export async function folderById(
  mailboxes: Pick<Mailboxes, 'folder' | 'root'>,
  owner: number,
  id: string,
): Promise<Folder | undefined> {
  return id === rootId ? await mailboxes.root(owner) : await mailboxes.folder(owner, id)
}
