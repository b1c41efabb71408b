import { randomUUID } from 'node:crypto'
import { Failure } from '../../../failure.ts'
import type { Structure } from '../../../protocols/nms/structures.ts'
import type { Folder } from '../mailbox/folder.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import { isId } from './box-urls.ts'
import { listFolder } from './folder-list.ts'
import { prohibited } from './new-object.ts'
import { NmsFault } from './nms-fault.ts'
import { answer, type NmsAnswer, type NmsCall, type NmsOperations, noContent } from './nms-operation.ts'
import { folderById, folderNames } from './paths.ts'
import { countedAttributes, folderPath, presentFolder } from './present-folder.ts'

interface Needs {
  readonly mailboxes: Mailboxes
}

/** /folders, /folders/{folderId} and /folders/{folderId}/folderName (NMS §6.10 to §6.12). */
export class FolderOperations {
  readonly #mailboxes: Mailboxes
  constructor({ mailboxes }: Needs) {
    this.#mailboxes = mailboxes
  }

  readonly operations: NmsOperations = {
    createFolder: (call) => this.#create(call),
    findFolder: (call) => this.#find(call),
    removeFolder: (call) => this.#remove(call),
    findFolderName: (call) => this.#findName(call),
    setFolderName: (call) => this.#setName(call),
  }

  /** The folder itself, or what it is called where the client prefers less (RFC 7240 §4.2). */
  async #create(call: NmsCall): Promise<NmsAnswer> {
    const asked = call.read('folder')
    refuseOwnElements(asked)
    const parent = await this.#parentOf(call, asked)
    if (parent.path === 'Default' || parent.path.startsWith('Default/')) throw prohibited()
    const made = await this.#createIn(call, parent, asked.name ?? randomUUID())
    const resourceURL = call.urls.folder(made.id)
    const headers = { location: resourceURL }
    if (/\breturn=minimal\b/.test(`${call.headers.prefer}`)) {
      return answer(201, 'reference', { resourceURL, path: folderPath(made) }, headers)
    }
    return answer(201, 'folder', presentFolder(call, made, { path: true }), headers)
  }

  async #createIn({ owner }: NmsCall, parent: Folder, name: string): Promise<Folder> {
    try {
      return await this.#mailboxes.createFolder(owner, parent.id, name)
    } catch (err) {
      throw asNameFault(err, 'folder.name', name)
    }
  }

  async #parentOf(call: NmsCall, { parentFolder, parentFolderPath }: Structure<'Folder'>): Promise<Folder> {
    const named = parentFolder ?? parentFolderPath
    if (named === undefined) throw new NmsFault(400, 'SVC0002', ['Parent folder (missing)'])
    const id = parentFolder === undefined ? await this.#idAt(call, named) : call.urls.folderId(named)
    const folder = id === undefined ? undefined : await folderById(this.#mailboxes, call.owner, id)
    if (folder === undefined) throw new NmsFault(400, 'SVC0002', [named])
    return folder
  }

  async #idAt({ owner }: NmsCall, path: string): Promise<string | undefined> {
    const names = folderNames(path)
    if (names.length === 0) return (await this.#mailboxes.root(owner)).id
    const found = await this.#mailboxes.byPath(owner, names.join('/'))
    if (found === undefined && names[0] === 'Default') throw prohibited()
    return found?.kind === 'folder' ? found.id : undefined
  }

  async #find(call: NmsCall): Promise<NmsAnswer> {
    const folder = await this.#folder(call)
    const { listFilter, path, attrFilter = [] } = call.query
    const sizes = await countedAttributes(this.#mailboxes, folder, [attrFilter].flat())
    const presented = presentFolder(call, folder, { path: path === 'Yes', sizes })
    if (listFilter === undefined) return answer(200, 'folder', presented)
    return answer(200, 'folder', { ...presented, ...(await listFolder(this.#mailboxes, call, folder)) })
  }

  async #remove(call: NmsCall): Promise<NmsAnswer> {
    const { folderId = '' } = call.params
    if (!isId(folderId)) throw unknownFolder(call)
    await this.#mailboxes.removeFolder(call.owner, folderId).catch((err) => {
      throw err instanceof Failure && err.condition === 'folder-unknown' ? unknownFolder(call) : err
    })
    return noContent
  }

  async #findName(call: NmsCall): Promise<NmsAnswer> {
    return answer(200, 'name', (await this.#folder(call)).name)
  }

  async #setName(call: NmsCall): Promise<NmsAnswer> {
    const name = call.read('name')
    const folder = await this.#folder(call)
    try {
      return answer(200, 'name', (await this.#mailboxes.renameFolder(call.owner, folder.id, name)).name)
    } catch (err) {
      if (err instanceof Failure && err.condition === 'not-permitted') throw new NmsFault(403, 'POL1030')
      if (err instanceof Failure && err.condition === 'folder-unknown') throw unknownFolder(call)
      throw asNameFault(err, 'name', name)
    }
  }

  async #folder(call: NmsCall): Promise<Folder> {
    const { folderId = '' } = call.params
    const folder = isId(folderId) ? await folderById(this.#mailboxes, call.owner, folderId.toLowerCase()) : undefined
    if (folder === undefined) throw unknownFolder(call)
    return folder
  }
}

/** NMS §6.11.3.2. */
const unknownFolder = ({ urls, params: { folderId = '' } }: NmsCall): NmsFault =>
  new NmsFault(404, 'SVC0004', ['Request-URI'], {
    link: { rel: 'folder', href: `${urls.box}/folders/${encodeURIComponent(folderId)}` },
  })

function asNameFault(err: unknown, part: string, name: string): unknown {
  if (!(err instanceof Failure)) return err
  if (err.condition === 'malformed') return new NmsFault(400, 'SVC0002', [part])
  return err.condition === 'conflict' ? new NmsFault(409, 'SVC0002', [`${part} (${name} is taken)`]) : err
}

/** What only the store says of a folder; attributes of the client's own are not kept. */
function refuseOwnElements(asked: Structure<'Folder'>): void {
  for (const name of ['resourceURL', 'path', 'lastModSeq', 'cursor', 'subFolders', 'objects'] as const) {
    if (asked[name] !== undefined) throw new NmsFault(400, 'SVC0002', [`folder.${name} (not in a request)`])
  }
  const [attribute] = asked.attributes.attribute ?? []
  if (attribute !== undefined) throw new NmsFault(400, 'SVC0002', [`folder.attributes (${attribute.name})`])
}
