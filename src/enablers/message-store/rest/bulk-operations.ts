import { Failure } from '../../../failure.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import { bulkAnswer, failed, succeeded } from './bulk-responses.ts'
import { NmsFault } from './nms-fault.ts'
import type { NmsAnswer, NmsCall, NmsOperation } from './nms-operation.ts'
import { type Named, readReferences } from './references.ts'

interface Needs {
  readonly mailboxes: Pick<Mailboxes, 'change' | 'findMany' | 'remove'>
}

/** Changes to many objects in one request, as stores that are in use have them beside what is specified. */
export class BulkOperations {
  readonly #mailboxes: Needs['mailboxes']

  constructor({ mailboxes }: Needs) {
    this.#mailboxes = mailboxes
  }

  bulkUpdate: NmsOperation = async (call) => {
    const { objects, operation, flags } = call.read('bulkUpdate')
    const named = readObjects(objects.objectReference, call)
    const changed = flags?.flag ?? []
    if (changed.length === 0) throw new Failure('malformed', 'flags.flag')
    const change = operation === 'AddFlag' ? { add: changed } : { remove: changed }
    const found = await this.#mailboxes.change(call.owner, named.ids, change)
    return answerFor(named, new Set(found.map(({ id }) => id)), call, 200)
  }

  bulkDelete: NmsOperation = async (call) => {
    const named = readObjects(call.read('bulkDelete').objects.objectReference, call)
    const found = await this.#mailboxes.findMany(call.owner, named.ids)
    const ids = found.map(({ id }) => id)
    if (ids.length > 0) await this.#mailboxes.remove(call.owner, ids)
    return answerFor(named, new Set(ids), call, 204)
  }

  bulkDeleteByDelete: NmsOperation = (call) => this.bulkDelete(call)
}

function readObjects(references: Parameters<typeof readReferences>[0], { urls }: NmsCall): Named {
  const named = readReferences(references, urls.objectId, 'objects.objectReference')
  if (named.asked.length === 0) throw new Failure('malformed', 'objects.objectReference')
  return named
}

function answerFor({ asked }: Named, done: ReadonlySet<string>, { urls }: NmsCall, code: number): NmsAnswer {
  return bulkAnswer(
    asked.map(({ url, id }) =>
      id !== undefined && done.has(id)
        ? succeeded(urls.object(id), undefined, code)
        : failed(new NmsFault(404, 'SVC0004', [url])),
    ),
  )
}
