import { Failure } from '../../../failure.ts'
import { mediaType, readContentType } from '../../../protocols/mime/content-type.ts'
import type { Structure } from '../../../protocols/nms/structures.ts'
import { canonicalName } from '../mailbox/attributes.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import type { NewContent, NewObject } from '../mailbox/stored-object.ts'
import { NmsFault } from './nms-fault.ts'
import type { NmsCall } from './nms-operation.ts'
import { folderById, folderNames } from './paths.ts'
import type { UploadedContent } from './upload.ts'

interface Needs {
  readonly mailboxes: Pick<Mailboxes, 'folder' | 'byPath' | 'root'>
  /** The canonical form of a user's address. */
  readonly addressOf: (uri: string) => string | undefined
  readonly now: () => number
}

type Attributes = Record<string, readonly string[]>
type Caller = Pick<NmsCall, 'owner' | 'identities' | 'urls'>

/** Of a text that objects can be found by. */
const longestText = 65_536

/** The object that a client asks for (NMS §5.3.2.1, §6.1.5). Throws the fault that answers one that cannot be. */
export async function newObject(
  needs: Needs,
  caller: Caller,
  asked: Structure<'Object'>,
  content: UploadedContent | undefined,
): Promise<NewObject> {
  refuseOwnElements(asked)
  const attributes = attributesIn(asked)
  const { direction, peer } = partiesIn(attributes, caller.identities, needs.addressOf)
  const place = await placeOf(needs, caller, asked, peer)
  const payload = content === undefined ? inlineIn(attributes) : await payloadOf(content)
  const { correlationId, correlationTag, flags } = asked
  const [conversationId] = attributes['Conversation-ID'] ?? []
  const [contributionId] = attributes['Contribution-ID'] ?? []
  const date = dateIn(attributes, needs.now())
  for (const name of ownAttributes) delete attributes[name]
  return {
    kind: 'message',
    ...{ date, direction, peer, attributes, flags: flags.flag ?? [] },
    ...place,
    ...payload,
    ...(correlationId !== undefined && { correlationId }),
    ...(correlationTag !== undefined && { correlationTag }),
    ...(conversationId !== undefined && { conversationId }),
    ...(contributionId !== undefined && { contributionId }),
  }
}

/** Said of an object by the store itself. */
const ownAttributes = ['Date', 'Direction', 'TextContent', 'Content-Type', 'Conversation-ID', 'Contribution-ID']

function refuseOwnElements(asked: Structure<'Object'>): void {
  for (const name of ['resourceURL', 'path', 'payloadURL', 'payloadPart', 'lastModSeq'] as const) {
    if (asked[name] !== undefined) throw new NmsFault(400, 'SVC0002', [`object.${name} (not in a request)`])
  }
}

/** Names are compared without regard to case. */
function attributesIn({ attributes: { attribute = [] } }: Structure<'Object'>): Attributes {
  const found: Attributes = Object.create(null)
  for (const { name, value = [] } of attribute) {
    if (name === '' || name === '__proto__') throw new NmsFault(400, 'SVC0002', ['object.attributes.attribute.name'])
    const known = canonicalName(name)
    found[known] = [...(found[known] ?? []), ...value]
  }
  return found
}

/** xs:dateTimeStamp: with a time zone. */
function dateIn(attributes: Attributes, now: number): number {
  const [text] = attributes.Date ?? []
  if (text === undefined) return now
  const form = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.exec(text)
  const date = form === null ? Number.NaN : Date.parse(`${form[1]}${form[2]?.slice(0, 4) ?? ''}${form[3]}`)
  if (!(date >= 0)) throw new NmsFault(400, 'SVC0002', ['object.attributes.Date'])
  return date
}

/** Who the other one is, from From, To and Direction, each of which may be left out. */
function partiesIn(
  attributes: Attributes,
  identities: readonly string[],
  addressOf: Needs['addressOf'],
): Pick<NewObject, 'direction' | 'peer'> {
  const [[said], [from], [to]] = [attributes.Direction ?? [], attributes.From ?? [], attributes.To ?? []]
  if (said !== undefined && !/^(in|out)$/i.test(said)) {
    throw new NmsFault(400, 'SVC0003', ['object.attributes.Direction', 'In, Out'])
  }
  const own = from !== undefined && identities.includes(addressOf(from) ?? '')
  const direction = (said?.toLowerCase() ?? (own ? 'out' : 'in')) as 'in' | 'out'
  const other = direction === 'in' ? from : to
  return { direction, peer: other === undefined ? '' : (addressOf(other) ?? other) }
}

/**
 * Where it goes: where the client says, else to the conversation with the other one, else to the root. Conversations begin
 * and end with the server: below Default, only folders that are there take what clients add.
 */
async function placeOf(
  { mailboxes }: Needs,
  { owner, urls }: Caller,
  { parentFolder, parentFolderPath }: Structure<'Object'>,
  peer: string,
): Promise<Pick<NewObject, 'folder' | 'folderPath'>> {
  if (parentFolder !== undefined) {
    const id = urls.folderId(parentFolder)
    const folder = id === undefined ? undefined : await folderById(mailboxes, owner, id)
    if (folder === undefined) throw new NmsFault(400, 'SVC0002', [parentFolder])
    if (folder.path === 'Default') throw prohibited()
    return { folder: folder.id }
  }
  if (parentFolderPath !== undefined) {
    const names = folderNames(parentFolderPath)
    if (names.length === 0) return { folder: (await mailboxes.root(owner)).id }
    if (names[0] === 'Default') {
      const found = names.length === 1 ? undefined : await mailboxes.byPath(owner, names.join('/'))
      if (found?.kind !== 'folder') throw prohibited()
    }
    return { folderPath: names }
  }
  return peer === '' || peer.includes('/') ? { folder: (await mailboxes.root(owner)).id } : {}
}

export const prohibited = (): NmsFault => new NmsFault(403, 'POL1031', ['/Default'])

function inlineIn({ TextContent }: Attributes): Pick<NewObject, 'payload' | 'text'> {
  const [text] = TextContent ?? []
  if (text === undefined) return {}
  return { payload: { contentType: 'text/plain; charset=utf-8', content: Buffer.from(text) }, text }
}

/** The type of a payload is that of the bytes which came: what an attribute says of it is not heard. */
async function payloadOf(content: UploadedContent): Promise<Pick<NewObject, 'payload' | 'parts' | 'text'>> {
  const { contentType, content: bytes, parts } = content
  if (parts === undefined) {
    const text = bytes === undefined ? undefined : await textOf(contentType, bytes)
    const payload: NewContent = { contentType, content: bytes ?? Buffer.alloc(0) }
    return { payload, ...(text !== undefined && { text }) }
  }
  const texts: string[] = []
  for (const part of parts) texts.push((await textOf(part.contentType, part.content)) ?? '')
  const text = texts.filter((one) => one !== '').join('\n')
  // The payload as a whole is written from its parts when it is asked for.
  return { payload: { contentType, content: Buffer.alloc(0) }, parts, ...(text !== '' && { text }) }
}

async function textOf(
  contentType: string,
  bytes: NonNullable<UploadedContent['content']>,
): Promise<string | undefined> {
  if (mediaType(contentType) !== 'text/plain' || bytes.size > longestText) return undefined
  const charset = readContentType(contentType).params.get('charset') ?? 'utf-8'
  try {
    return new TextDecoder(charset, { fatal: true }).decode(await bytes.buffer()).replaceAll('\0', '')
  } catch (err) {
    if (err instanceof RangeError || err instanceof TypeError) return undefined // it is not what it says: bytes, then
    throw err
  }
}

/** A folder that went meanwhile was named by the client. */
export function asCreationFault(err: unknown, { parentFolder, parentFolderPath }: Structure<'Object'>): unknown {
  const gone = err instanceof Failure && err.condition === 'folder-unknown'
  return gone ? new NmsFault(400, 'SVC0002', [parentFolder ?? parentFolderPath ?? 'parentFolder']) : err
}
