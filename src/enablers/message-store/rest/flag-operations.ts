import type { Structure } from '../../../protocols/nms/structures.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import type { StoredObject } from '../mailbox/stored-object.ts'
import { NmsFault } from './nms-fault.ts'
import { answer, type NmsAnswer, type NmsCall, type NmsOperations, noContent } from './nms-operation.ts'
import { findObject, unknownObject } from './object-operations.ts'

interface Needs {
  readonly mailboxes: Pick<Mailboxes, 'find' | 'change'>
}

/** /objects/{objectId}/flags and /objects/{objectId}/flags/{flagName} (NMS §6.3, §6.4). */
export class FlagOperations {
  readonly #needs: Needs
  constructor(needs: Needs) {
    this.#needs = needs
  }

  readonly operations: NmsOperations = {
    findFlags: (call) => this.#find(call),
    setFlags: (call) => this.#set(call),
    findFlag: (call) => this.#findOne(call),
    addFlag: (call) => this.#addOne(call),
    removeFlag: (call) => this.#removeOne(call),
  }

  async #find(call: NmsCall): Promise<NmsAnswer> {
    return answer(200, 'flagList', flagsOf(call, await findObject(this.#needs.mailboxes, call)))
  }

  async #set(call: NmsCall): Promise<NmsAnswer> {
    const { flag = [], resourceURL } = call.read('flagList')
    const { id } = await findObject(this.#needs.mailboxes, call)
    if (resourceURL !== undefined && call.urls.objectId(resourceURL.replace(/\/flags$/, '')) !== id) {
      throw new NmsFault(400, 'SVC0002', ['flagList.resourceURL'])
    }
    return answer(200, 'flagList', flagsOf(call, await this.#change(call, id, { set: flag })))
  }

  async #findOne(call: NmsCall): Promise<NmsAnswer> {
    const object = await findObject(this.#needs.mailboxes, call)
    return has(object, nameIn(call)) ? noContent : absent
  }

  async #addOne(call: NmsCall): Promise<NmsAnswer> {
    if (call.hasBody) call.read('empty')
    const name = nameIn(call)
    const before = await findObject(this.#needs.mailboxes, call)
    await this.#change(call, before.id, { add: [name] })
    if (has(before, name)) return noContent
    return answer(201, 'empty', {}, { location: call.urls.flag(before.id, name) })
  }

  async #removeOne(call: NmsCall): Promise<NmsAnswer> {
    const name = nameIn(call)
    const before = await findObject(this.#needs.mailboxes, call)
    if (!has(before, name)) return absent
    await this.#change(call, before.id, { remove: [name] })
    return noContent
  }

  async #change(call: NmsCall, id: string, change: Parameters<Mailboxes['change']>[2]): Promise<StoredObject> {
    const [changed] = await this.#needs.mailboxes.change(call.owner, [id], change)
    if (changed === undefined) throw unknownObject(call) // gone meanwhile
    return changed
  }
}

/** An expected condition, and no exception (NMS §6.4.3). */
const absent: NmsAnswer = answer(404, 'empty', {})

const nameIn = ({ params: { flagName = '' } }: NmsCall): string => flagName

const has = ({ flags }: StoredObject, name: string): boolean =>
  flags.some((flag) => flag.toLowerCase() === name.toLowerCase())

const flagsOf = ({ urls }: NmsCall, { id, flags }: StoredObject): Structure<'FlagList'> => ({
  flag: flags,
  resourceURL: urls.flags(id),
})
