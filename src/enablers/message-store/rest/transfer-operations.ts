import { Failure } from '../../../failure.ts'
import type { Structure } from '../../../protocols/nms/structures.ts'
import type { Folder } from '../mailbox/folder.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import { bulkAnswer, failed, refused, succeeded } from './bulk-responses.ts'
import { NmsFault } from './nms-fault.ts'
import type { NmsCall, NmsOperation } from './nms-operation.ts'
import { type Named, readReferences, unknownSource } from './references.ts'

interface Needs {
  readonly mailboxes: Pick<Mailboxes, 'copy' | 'move' | 'findMany' | 'folder' | 'pathsOf'>
}

type How = 'copy' | 'move'
type Response = Structure<'Response'>

interface Transfer {
  readonly how: How
  readonly call: NmsCall
  readonly target: string
  /** Of the target, as NMS writes it. */
  readonly path: string
}

/** Copies and moves of objects and of folders with all that is in them (NMS §6.15, §6.16). */
export class TransferOperations {
  readonly #mailboxes: Needs['mailboxes']

  constructor({ mailboxes }: Needs) {
    this.#mailboxes = mailboxes
  }

  copyToFolder: NmsOperation = (call) => this.#transfer('copy', call)
  moveToFolder: NmsOperation = (call) => this.#transfer('move', call)

  async #transfer(how: How, call: NmsCall) {
    const { targetRef, sourceRefs } = call.read('targetSourceRef')
    const { urls, owner } = call
    const folders = readReferences(sourceRefs.folders.folderReference, urls.folderId, 'sourceRefs.folders')
    const objects = readReferences(sourceRefs.objects.objectReference, urls.objectId, 'sourceRefs.objects')
    if (folders.asked.length + objects.asked.length === 0) throw new Failure('malformed', 'sourceRefs')
    const target = urls.folderId(targetRef.resourceURL)
    const folder = target === undefined ? undefined : await this.#mailboxes.folder(owner, target)
    if (folder === undefined) throw new NmsFault(404, 'SVC0004', [targetRef.resourceURL])
    if (isKept(folder, folders.asked.length > 0)) throw new NmsFault(403, 'POL1031', [targetRef.resourceURL])
    const transfer = { how, call, target: folder.id, path: folder.path === '' ? '' : `/${folder.path}` }
    return bulkAnswer([...(await this.#folders(transfer, folders)), ...(await this.#objects(transfer, objects))])
  }

  /** Each by itself: a name may be taken where it goes. */
  async #folders({ how, call, target }: Transfer, { asked }: Named): Promise<Response[]> {
    const { owner, urls } = call
    const responses: Response[] = []
    for (const { url, id } of asked) {
      if (id === undefined || (await this.#mailboxes.folder(owner, id)) === undefined) {
        responses.push(failed(unknownSource(url)))
        continue
      }
      try {
        const [copied] = await this.#mailboxes[how](owner, { folders: [id] }, target)
        const to = copied?.to ?? id
        const paths = await this.#mailboxes.pathsOf(owner, [to])
        responses.push(succeeded(urls.folder(to), `/${paths.get(to) ?? ''}`))
      } catch (err) {
        responses.push(refused(err, url))
      }
    }
    return responses
  }

  async #objects(transfer: Transfer, { asked, ids }: Named): Promise<Response[]> {
    const { owner, urls } = transfer.call
    const known = (await this.#mailboxes.findMany(owner, ids)).map(({ id }) => id)
    const done = await this.#transferObjects(transfer, known)
    return asked.map(({ url, id = '' }) => {
      const to = done instanceof Map ? done.get(id) : undefined
      if (to !== undefined) return succeeded(urls.object(to), `${transfer.path}/${to}`)
      return done instanceof Failure && known.includes(id) ? refused(done, url) : failed(unknownSource(url))
    })
  }

  async #transferObjects({ how, call, target }: Transfer, objects: readonly string[]) {
    if (objects.length === 0) return new Map<string, string>()
    try {
      const done = await this.#mailboxes[how](call.owner, { objects }, target)
      return new Map(done.map(({ from, to }) => [from, to]))
    } catch (err) {
      if (!(err instanceof Failure)) throw err
      if (err.condition === 'not-permitted') throw new NmsFault(403, 'POL1031', [call.urls.folder(target)])
      return err
    }
  }
}

/** The folders of conversations come from the server: below Default, only objects may be added, and only to them. */
const isKept = ({ path }: Folder, takesFolders: boolean): boolean =>
  path === 'Default' || (takesFolders && path.startsWith('Default/'))
