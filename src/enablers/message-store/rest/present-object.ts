import { mediaType } from '../../../protocols/mime/content-type.ts'
import type { Structure } from '../../../protocols/nms/structures.ts'
import type { Mailboxes } from '../mailbox/mailboxes.ts'
import { longestShown, type ShownObject } from '../mailbox/selection.ts'
import type { StoredObject } from '../mailbox/stored-object.ts'
import type { NmsCall } from './nms-operation.ts'

/** Of a text that is shown with its object, and is then no payload of its own (NMS §5.1.9). */
const longestInline = 8_192

type Needs = Pick<Mailboxes, 'pathsOf' | 'textsOf'>

/** Objects as their owner's clients see them, in the same order. */
export async function presentObjects(
  mailboxes: Needs,
  call: Pick<NmsCall, 'owner' | 'identities' | 'urls'>,
  objects: readonly StoredObject[],
): Promise<Structure<'Object'>[]> {
  if (objects.length === 0) return []
  const withText = objects.filter(mayHaveText).map(({ id }) => id)
  const [paths, texts] = await Promise.all([
    mailboxes.pathsOf(call.owner, [...new Set(objects.map(({ folder }) => folder))]),
    withText.length === 0 ? new Map<string, string>() : mailboxes.textsOf(call.owner, withText),
  ])
  return objects.map((object) => presentObject(call, object, paths.get(object.folder) ?? '', texts.get(object.id)))
}

/** The same of those that came with all that is shown. */
export const presentShown = (
  call: Pick<NmsCall, 'identities' | 'urls'>,
  objects: readonly ShownObject[],
): Structure<'Object'>[] =>
  objects.map((object) => presentObject(call, object, object.folderPath, mayHaveText(object) ? object.text : undefined))

/** A text, alone or in a message/cpim. */
function mayHaveText({ contentType = '', size, parts }: StoredObject): boolean {
  const type = mediaType(contentType)
  const alone = type === 'text/plain' && parts.length === 0
  const wrapped = type === 'message/cpim' && parts.every((part) => mediaType(part.contentType) === 'text/plain')
  return (alone || wrapped) && size <= longestShown
}

/** Whether all that the payload says may be its text. */
export const isInline = (object: StoredObject): boolean =>
  object.size <= longestInline && mediaType(object.contentType ?? '') === 'text/plain' && mayHaveText(object)

function presentObject(
  { urls, identities }: Pick<NmsCall, 'identities' | 'urls'>,
  object: StoredObject,
  folderPath: string,
  text: string | undefined,
): Structure<'Object'> {
  const { id, folder, flags, modseq, correlationId, correlationTag } = object
  const inline = text !== undefined && isInline(object)
  return {
    parentFolder: urls.folder(folder),
    attributes: { attribute: attributesOf(object, identities[0] ?? '', text) },
    flags: { flag: flags, resourceURL: urls.flags(id) },
    resourceURL: urls.object(id),
    path: objectPath(folderPath, id),
    ...(object.contentType !== undefined && !inline && { payloadURL: urls.payload(id) }),
    ...(object.parts.length > 0 && { payloadPart: object.parts.map((part) => presentPart(urls, id, part)) }),
    lastModSeq: modseq,
    ...(correlationId !== undefined && { correlationId }),
    ...(correlationTag !== undefined && { correlationTag }),
  }
}

export const objectPath = (folderPath: string, id: string): string =>
  `${folderPath === '' ? '' : '/'}${folderPath}/${id}`

function presentPart(
  urls: NmsCall['urls'],
  id: string,
  part: StoredObject['parts'][number],
): Structure<'PayloadPartInfo'> {
  const { number, contentType, contentId, contentLocation, size } = part
  return {
    contentType,
    ...(contentId !== undefined && { contentId }),
    ...(contentLocation !== undefined && { contentLocation }),
    size,
    href: urls.payloadPart(id, number),
  }
}

/** What the store knows by itself comes before what is said in attributes (NMS Appendix I). */
export function attributesOf(object: StoredObject, self: string, text: string | undefined): Structure<'Attribute'>[] {
  const { date, direction, peer, contentType, conversationId, contributionId } = object
  const [from, to] = direction === 'in' ? [peer, self] : [self, peer]
  const all: Record<string, readonly string[]> = {}
  if (from !== '') all.From = [from]
  if (to !== '') all.To = [to]
  Object.assign(all, object.attributes)
  all.Date = [new Date(date).toISOString()]
  all.Direction = [direction === 'in' ? 'In' : 'Out']
  if (contentType !== undefined) all['Content-Type'] = [contentType]
  if (conversationId !== undefined) all['Conversation-ID'] = [conversationId]
  if (contributionId !== undefined) all['Contribution-ID'] = [contributionId]
  if (text !== undefined && text.length <= longestInline) all.TextContent = [text]
  return Object.entries(all).map(([name, value]) => ({ name, value }))
}
