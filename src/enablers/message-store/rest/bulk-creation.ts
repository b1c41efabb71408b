import { Failure } from '../../../failure.ts'
import type { Structure } from '../../../protocols/nms/structures.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import type { NewObject, StoredObject } from '../mailbox/stored-object.ts'
import { bulkAnswer, failed, succeeded } from './bulk-responses.ts'
import { asCreationFault, newObject } from './new-object.ts'
import { bugFault, faultOf, NmsFault } from './nms-fault.ts'
import type { NmsAnswer, NmsCall } from './nms-operation.ts'
import { objectPath } from './present-object.ts'
import type { UploadedContent } from './upload.ts'

interface Needs {
  readonly mailboxes: Mailboxes
  readonly addressOf: (uri: string) => string | undefined
  readonly now: () => number
}

type Asked = Structure<'Object'>
type Outcome = StoredObject | NmsFault

/** Each object by itself; what becomes of one does nothing to another (NMS §5.1.11, §6.9). */
export async function createInBulk(
  needs: Needs,
  call: NmsCall,
  { object: asked = [], cursor, creationCursor }: Structure<'ObjectList'>,
  contents: readonly (UploadedContent | undefined)[],
): Promise<NmsAnswer> {
  if (cursor !== undefined || creationCursor !== undefined) throw new NmsFault(400, 'SVC0002', ['objectList.cursor'])
  if (asked.length === 0) throw new NmsFault(400, 'SVC0002', ['objectList.object (missing)'])
  if (asked.length > mostInBulk) throw new NmsFault(403, 'POL0001', ['too-many'])
  if (contents.length > 0 && contents.length !== asked.length) {
    throw new NmsFault(400, 'SVC0002', [`attachments (${contents.length} for ${asked.length} objects)`])
  }
  const wanted: (NewObject | NmsFault)[] = []
  for (const [at, one] of asked.entries()) {
    wanted.push(await orFault(call, () => newObject(needs, call, one, contents[at])))
  }
  const outcomes = await createWanted(needs.mailboxes, call, asked, wanted)
  return await answerOf(needs.mailboxes, call, outcomes)
}

export const mostInBulk = 100

async function createWanted(
  mailboxes: Mailboxes,
  call: NmsCall,
  asked: readonly Asked[],
  wanted: readonly (NewObject | NmsFault)[],
): Promise<Outcome[]> {
  const made = await mailboxes.createMany(
    call.owner,
    wanted.filter((one): one is NewObject => !(one instanceof NmsFault)),
  )
  const next = made.values()
  return wanted.map((one, at) => {
    if (one instanceof NmsFault) return one
    const result = next.next().value
    if (result instanceof Failure) return faultFor(call, asCreationFault(result, asked[at] as Asked))
    return result as StoredObject
  })
}

async function answerOf(mailboxes: Mailboxes, call: NmsCall, outcomes: readonly Outcome[]): Promise<NmsAnswer> {
  const folders = outcomes.flatMap((one) => (one instanceof NmsFault ? [] : [one.folder]))
  const paths = await mailboxes.pathsOf(call.owner, [...new Set(folders)])
  const response = outcomes.map((one) =>
    one instanceof NmsFault
      ? failed(one)
      : succeeded(call.urls.object(one.id), objectPath(paths.get(one.folder) ?? '', one.id), 201),
  )
  return bulkAnswer(response)
}

async function orFault<T>(call: NmsCall, work: () => Promise<T>): Promise<T | NmsFault> {
  try {
    return await work()
  } catch (err) {
    const fault = faultOf(err, call.path)
    if (fault === undefined || fault.status >= 500) throw err
    return fault
  }
}

const faultFor = (call: NmsCall, err: unknown): NmsFault => faultOf(err, call.path) ?? bugFault()
