import { Failure } from '../../../failure.ts'
import type { Structure } from '../../../protocols/nms/structures.ts'
import { rootId } from '../mailbox/folder.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import { failed, succeeded } from './bulk-responses.ts'
import { NmsFault } from './nms-fault.ts'
import { answer, type NmsCall, type NmsOperation } from './nms-operation.ts'

interface Needs {
  readonly mailboxes: Pick<Mailboxes, 'byPath'>
}

type Kind = 'object' | 'folder'

const mostPaths = 100
const longestPath = 4096

/** From paths to resource URLs (NMS §6.8, §6.14). */
export class PathOperations {
  readonly #mailboxes: Needs['mailboxes']

  constructor({ mailboxes }: Needs) {
    this.#mailboxes = mailboxes
  }

  objectPathToId: NmsOperation = async (call) => {
    const { path } = call.query
    if (typeof path !== 'string') throw new NmsFault(400, 'SVC0004', ['path'])
    return await this.#one(call, 'object', path)
  }

  /** Without a path, the root is meant: there is one. */
  folderPathToId: NmsOperation = async (call) => {
    const { path } = call.query
    return await this.#one(call, 'folder', typeof path === 'string' ? path : '')
  }

  objectPathsToIds: NmsOperation = (call) => this.#many(call, 'object')
  folderPathsToIds: NmsOperation = (call) => this.#many(call, 'folder')

  async #one(call: NmsCall, kind: Kind, path: string) {
    const id = await this.#idAt(call, kind, path)
    if (id === undefined) throw new NmsFault(404, 'SVC0004', [path])
    return answer(200, 'reference', { resourceURL: call.urls[kind](id), path })
  }

  async #many(call: NmsCall, kind: Kind) {
    const { path: paths } = call.read('pathList')
    if (paths.length > mostPaths) throw new Failure('malformed', 'pathList.path: too many')
    const response: Structure<'Response'>[] = []
    for (const path of paths) {
      const id = await this.#idAt(call, kind, path)
      response.push(id === undefined ? failed(faultAt(kind, path)) : succeeded(call.urls[kind](id), path))
    }
    return answer(200, 'bulkResponseList', { response })
  }

  async #idAt({ owner }: NmsCall, kind: Kind, path: string): Promise<string | undefined> {
    if (!isWellFormed(path)) return undefined
    if (path === '' || path === '/') return kind === 'folder' ? rootId : undefined
    const found = await this.#mailboxes.byPath(owner, path)
    return found?.kind === kind ? found.id : undefined
  }
}

const isWellFormed = (path: string): boolean => path.length <= longestPath && !/\/\/|.\/$/.test(path)

/** A folder that there is not is told from a path that is none (§6.14.5.2); an object is not (§6.8.5.2). */
const faultAt = (kind: Kind, path: string): NmsFault =>
  kind === 'folder' && isWellFormed(path)
    ? new NmsFault(404, 'SVC2008', ['path', path])
    : new NmsFault(400, 'SVC0002', [path])
