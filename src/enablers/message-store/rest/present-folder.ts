import type { Structure } from '../../../protocols/nms/structures.ts'
import { type Folder, rootId } from '../mailbox/folder.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import type { NmsCall } from './nms-operation.ts'

type Attributes = Record<string, readonly string[]>

/** Attributes that have to be counted, and are told to those who ask for them (NMS §6.11.3, Appendix K). */
const counted = {
  msgcount: ['MsgCount', 'objects', false],
  unreadmsgcount: ['UnreadMsgCount', 'unread', false],
  size: ['Size', 'bytes', false],
  subtreemsgcount: ['SubtreeMsgCount', 'objects', true],
  subtreeunreadmsgcount: ['SubtreeUnreadMsgCount', 'unread', true],
  subtreesize: ['SubtreeSize', 'bytes', true],
} as const

/** A folder as its owner's clients see it. */
export function presentFolder(
  { urls }: Pick<NmsCall, 'urls'>,
  folder: Folder,
  options: { readonly path: boolean; readonly sizes?: Readonly<Attributes> },
): Structure<'Folder'> {
  const { id, parent, name, date, modseq, path } = folder
  const attributes: Attributes = {
    ...(id === rootId && { Root: ['Yes'] }),
    ...conversationOf(path),
    Date: [new Date(date).toISOString()],
    Name: [name],
    ...options.sizes,
  }
  return {
    ...(parent !== undefined && { parentFolder: urls.folder(parent) }),
    attributes: { attribute: Object.entries(attributes).map(([each, value]) => ({ name: each, value })) },
    resourceURL: urls.folder(id),
    ...(options.path && { path: folderPath(folder) }),
    name,
    lastModSeq: modseq,
  }
}

/** That of the root is empty (NMS §6.13.5.1). */
export const folderPath = ({ path }: Pick<Folder, 'path'>): string => (path === '' ? '' : `/${path}`)

/** `Default/<Conversation-ID>/<Contribution-ID>` of groups. */
function conversationOf(path: string): Attributes {
  const [root, conversation, contribution, ...more] = path.split('/')
  if (root !== 'Default' || conversation === undefined || contribution === undefined || more.length > 0) return {}
  return { 'Conversation-ID': [conversation], 'Contribution-ID': [contribution] }
}

/** Those of `names` that have to be counted. */
export async function countedAttributes(
  mailboxes: Pick<Mailboxes, 'folderSizes'>,
  { owner, id }: Folder,
  names: readonly string[],
): Promise<Attributes> {
  const asked = [...new Set(names.map((name) => name.toLowerCase()))].filter(isCounted).map((name) => counted[name])
  const sizes = new Map<boolean, Awaited<ReturnType<Mailboxes['folderSizes']>>>()
  for (const [, , subtree] of asked) {
    if (!sizes.has(subtree)) sizes.set(subtree, await mailboxes.folderSizes(owner, id, subtree))
  }
  return Object.fromEntries(asked.map(([name, what, subtree]) => [name, [String(sizes.get(subtree)?.[what] ?? 0)]]))
}

const isCounted = (name: string): name is keyof typeof counted => Object.hasOwn(counted, name)
