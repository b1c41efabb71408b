import type { Structure } from '../../../protocols/nms/structures.ts'
import type { Folder } from '../mailbox/folder.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import type { ShownObjects } from '../mailbox/selection.ts'
import type { MailboxState } from '../mailbox/stored-object.ts'
import { listFolder } from './folder-list.ts'
import { answer, type NmsAnswer, type NmsCall, type NmsOperation } from './nms-operation.ts'
import { presentFolder } from './present-folder.ts'
import { presentShown } from './present-object.ts'
import { isForVanished, readChecks } from './search-criteria.ts'
import { folderSelectionOf, isForRoot, limitOf, selectionOf } from './search-selection.ts'
import { readPoint, writePoint } from './subscriptions/restart-token.ts'

interface Needs {
  readonly mailboxes: Mailboxes
}

type Request = Structure<'SelectionCriteria'>

/** Searches (NMS §6.7, §6.13). */
export class SearchOperations {
  readonly #needs: Needs

  constructor(needs: Needs) {
    this.#needs = needs
  }

  searchObjects: NmsOperation = async (call) => {
    const request = call.read('selectionCriteria')
    const checks = request.searchCriteria && readChecks(request.searchCriteria)
    if (checks !== undefined && isForVanished(checks)) return await this.#vanished(call, request)
    const isForCreated = checks?.checks.some(({ type }) => type === 'created') === true
    const state = isForCreated ? await this.#needs.mailboxes.state(call.owner) : undefined
    const selection = selectionOf(request, checks, call, (cursor) => createdAfter(cursor, state))
    const byCreation = isForCreated && selection.sort === undefined
    const sort = byCreation ? { sort: { by: 'created', descending: false } as const } : {}
    const found = await this.#needs.mailboxes.searchToShow(call.owner, { ...selection, ...sort })
    return answer(200, 'objectList', {
      object: presentShown(call, found.objects),
      ...(found.cursor !== undefined && { cursor: found.cursor }),
      ...(state !== undefined && { creationCursor: creationCursor(request, found, state, byCreation) }),
    })
  }

  searchFolders: NmsOperation = async (call) => {
    const request = call.read('selectionCriteria')
    const checks = request.searchCriteria && readChecks(request.searchCriteria)
    const selection = folderSelectionOf(request, checks, call)
    const { folders, cursor } = await this.#needs.mailboxes.searchFolders(call.owner, selection)
    const folder = await this.#presented(call, folders, isForRoot(checks))
    return answer(200, 'folderList', { folder, ...(cursor !== undefined && { cursor }) })
  }

  /** With what is in it where the root is looked for (§5.3.2.8). */
  async #presented(call: NmsCall, folders: readonly Folder[], withLists: boolean): Promise<Structure<'Folder'>[]> {
    const listing = { ...call, query: { listFilter: 'All', path: 'Yes' } }
    const presented: Structure<'Folder'>[] = []
    for (const folder of folders) {
      const lists = withLists ? await listFolder(this.#needs.mailboxes, listing, folder) : {}
      presented.push({ ...presentFolder(call, folder, { path: true }), ...lists })
    }
    return presented
  }

  /** The latest: an ObjectReferenceList has no cursor. */
  async #vanished({ owner, urls }: NmsCall, request: Request): Promise<NmsAnswer> {
    const gone = await this.#needs.mailboxes.latestVanished(owner, limitOf(request))
    const objectReference = gone.map(({ id }) => ({ resourceURL: urls.object(id) }))
    return answer(200, 'objectReferenceList', { objectReference })
  }
}

/** After a reset all that there is was created since (NMS §5.1.5.2). */
function createdAfter(cursor: string, state: MailboxState | undefined): number {
  if (cursor === '') return 0
  const { epoch, modseq } = readPoint(cursor, 'searchCriteria.criterion: CreatedObjects')
  return epoch === state?.epoch ? modseq : 0
}

/** How far a client is that has seen this answer, and those before it. In another order it may have missed some as yet. */
function creationCursor(
  { fromCursor, searchCriteria }: Request,
  { cursor, objects }: ShownObjects,
  state: MailboxState,
  byCreation: boolean,
): string {
  const { epoch, modseq } = state
  if (cursor === undefined && (byCreation || fromCursor === undefined)) return writePoint({ epoch, modseq })
  if (byCreation) return writePoint({ epoch, modseq: objects.at(-1)?.created ?? 0 })
  const before = searchCriteria?.criterion.find(({ type }) => type === 'CreatedObjects')?.value ?? ''
  return writePoint({ epoch, modseq: createdAfter(before, state) })
}
