import { Failure } from '../../../failure.ts'
import { readNms } from '../../../protocols/nms/read-nms.ts'
import type { RootName, RootValue } from '../../../protocols/nms/structures.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import type { StoredObject } from '../mailbox/stored-object.ts'
import { isId } from './box-urls.ts'
import { createInBulk, mostInBulk } from './bulk-creation.ts'
import { formatOfType } from './negotiation.ts'
import { asCreationFault, newObject } from './new-object.ts'
import { NmsFault } from './nms-fault.ts'
import { answer, type NmsAnswer, type NmsCall, type NmsOperations, noContent } from './nms-operation.ts'
import { objectPath, presentObjects } from './present-object.ts'
import { type Upload, UploadReader } from './upload.ts'

export interface ObjectNeeds {
  readonly mailboxes: Mailboxes
  readonly addressOf: (uri: string) => string | undefined
  readonly now: () => number
  /** Where uploads are kept until they are whole. */
  readonly directory: string
  /** Of one upload. */
  readonly maxBytes: number
}

/** Uploads of one user at a time. */
const mostUploads = 8

/** /objects and /objects/{objectId} (NMS §6.1, §6.2, §6.9). */
export class ObjectOperations {
  readonly #needs: ObjectNeeds
  readonly #uploads = new Map<number, number>()

  constructor(needs: ObjectNeeds) {
    this.#needs = needs
  }

  readonly operations: NmsOperations = {
    createObject: (call) => this.#create(call),
    createObjects: (call) => this.#createMany(call),
    findObject: (call) => this.#find(call),
    removeObject: (call) => this.#remove(call),
  }

  async #create(call: NmsCall): Promise<NmsAnswer> {
    return await this.#withBody(call, 'object', 1, async (asked, { contents: [content] }) => {
      const wanted = await newObject(this.#needs, call, asked, content)
      const made = await this.#needs.mailboxes.create(call.owner, wanted).catch((err) => {
        throw asCreationFault(err, asked)
      })
      return await this.#created(call, made)
    })
  }

  /** The object itself where the client prefers that (RFC 7240 §4.2), else what it is called. */
  async #created(call: NmsCall, object: StoredObject): Promise<NmsAnswer> {
    const resourceURL = call.urls.object(object.id)
    const headers = { location: resourceURL }
    if (/\breturn=representation\b/.test(`${call.headers.prefer}`)) {
      return answer(201, 'object', await this.#present(call, object), headers)
    }
    const paths = await this.#needs.mailboxes.pathsOf(call.owner, [object.folder])
    const path = objectPath(paths.get(object.folder) ?? '', object.id)
    return answer(201, 'reference', { resourceURL, path }, headers)
  }

  async #createMany(call: NmsCall): Promise<NmsAnswer> {
    return await this.#withBody(call, 'objectList', mostInBulk, (asked, upload) =>
      createInBulk(this.#needs, call, asked, upload.contents),
    )
  }

  async #find(call: NmsCall): Promise<NmsAnswer> {
    return answer(200, 'object', await this.#present(call, await this.#object(call)))
  }

  async #remove(call: NmsCall): Promise<NmsAnswer> {
    const { objectId = '' } = call.params
    const gone = isId(objectId) ? await this.#needs.mailboxes.remove(call.owner, [objectId]) : 0
    if (gone === 0) throw unknownObject(call)
    return noContent
  }

  async #object(call: NmsCall): Promise<StoredObject> {
    return await findObject(this.#needs.mailboxes, call)
  }

  async #present(call: NmsCall, object: StoredObject) {
    const [presented] = await presentObjects(this.#needs.mailboxes, call, [object])
    if (presented === undefined) throw new Error('an object was not presented')
    return presented
  }

  /** A body with attachments, or one without. */
  async #withBody<Root extends RootName>(
    call: NmsCall,
    root: Root,
    contents: number,
    work: (asked: RootValue<Root>, upload: Pick<Upload, 'contents'>) => Promise<NmsAnswer>,
  ): Promise<NmsAnswer> {
    if (call.upload === undefined) return await work(call.read(root), { contents: [] })
    this.#begin(call.owner)
    let reader: UploadReader | undefined
    try {
      const { directory, now, maxBytes } = this.#needs
      const limits = { bytes: maxBytes, contents }
      reader = new UploadReader(call.headers['content-type'] ?? '', directory, limits, now)
      // Not destroyed when it is left: the answer to it has to go out.
      const upload = await reader.read(call.upload.iterator({ destroyOnReturn: false }))
      const format = formatOfType(upload.fieldsType)
      if (format === undefined) throw new NmsFault(415, 'POL0011')
      return await work(readNms(format, root, upload.fields), upload)
    } catch (err) {
      if (call.upload.readableAborted) throw new NmsFault(400, 'SVC0002', ['body (cut off)'], { cause: err })
      throw err
    } finally {
      await reader?.close()
      this.#end(call.owner)
    }
  }

  #begin(owner: number): void {
    const running = this.#uploads.get(owner) ?? 0
    if (running >= mostUploads) throw new Failure('overloaded', 'too many uploads at a time', { retryAfter: 1 })
    this.#uploads.set(owner, running + 1)
  }

  #end(owner: number): void {
    const running = (this.#uploads.get(owner) ?? 1) - 1
    if (running === 0) this.#uploads.delete(owner)
    else this.#uploads.set(owner, running)
  }
}

export async function findObject(mailboxes: Pick<Mailboxes, 'find'>, call: NmsCall): Promise<StoredObject> {
  const { objectId = '' } = call.params
  const object = isId(objectId) ? await mailboxes.find(call.owner, objectId) : undefined
  if (object === undefined) throw unknownObject(call)
  return object
}

export const unknownObject = ({ path }: Pick<NmsCall, 'path'>): NmsFault => new NmsFault(404, 'SVC0004', [path])
