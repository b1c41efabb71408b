import type { Content } from '../mailbox/content.ts'
import type { Part, StoredObject } from '../mailbox/stored-object.ts'
import { heldTogether, heldWhole, pieceBytes, type Written } from './entry.ts'
import { inPieces } from './pieces.ts'

/** How the first line of an archive begins. */
export const jsonHead = '{"archive":"parley mailbox","version":1'

export const writeJsonHead = (user: string): Buffer => Buffer.from(`${jsonHead},"user":${JSON.stringify(user)}}\n`)

export const writeJsonFolder = (path: string): Buffer => Buffer.from(`${JSON.stringify({ folder: path })}\n`)

/** One line, and one for each piece of a content that is large. */
export async function* writeJsonObject(written: Written, contents: readonly Content[]): AsyncGenerator<Buffer> {
  const small = held(contents)
  const fields: object[] = []
  for (const content of contents) fields.push(await contentField(content, small.has(content)))
  yield Buffer.from(`${JSON.stringify({ object: objectFields(written, fields) })}\n`)
  for (const content of contents) {
    if (small.has(content)) continue
    for await (const piece of inPieces(content.read(), pieceBytes))
      yield Buffer.from(`{"chunk":"${piece.toString('base64')}"}\n`)
  }
}

/** Of the contents, those that are small, as long as all of them together are. */
function held(contents: readonly Content[]): ReadonlySet<Content> {
  let room = heldTogether
  const small = new Set<Content>()
  for (const content of contents) {
    if (content.size > heldWhole || content.size > room) continue
    room -= content.size
    small.add(content)
  }
  return small
}

async function contentField(content: Content, small: boolean): Promise<object> {
  if (!small) return { size: content.size, chunks: Math.ceil(content.size / pieceBytes) }
  return { size: content.size, base64: (await content.buffer(heldWhole)).toString('base64') }
}

/** Without what is undefined, once it is written; `contents` says what there is of payload and parts, in their order. */
export function objectFields({ object, path, text }: Written, contents: readonly object[]): object {
  const { id, kind, date, direction, peer, correlationId, correlationTag, conversationId, contributionId } = object
  const parts = object.contentType === undefined ? contents : contents.slice(1)
  return {
    ...{ id, folder: path, kind, date: new Date(date).toISOString(), direction, peer },
    flags: [...object.flags].sort(),
    ...{ correlationId, correlationTag, conversationId, contributionId },
    attributes: sorted(object.attributes),
    ...(object.disposition > 0 && { disposition: object.disposition }),
    ...(object.expiresAt !== undefined && { expires: new Date(object.expiresAt).toISOString() }),
    text,
    ...(object.contentType !== undefined && { payload: { contentType: object.contentType, ...contents[0] } }),
    ...(object.parts.length > 0 && { parts: object.parts.map((part, at) => ({ ...partFields(part), ...parts[at] })) }),
  }
}

const partFields = ({ contentType, contentId, contentLocation, disposition, fileName }: Part) => ({
  ...{ contentType, contentId, contentLocation, disposition, fileName },
})

const sorted = (attributes: StoredObject['attributes']) =>
  Object.fromEntries(Object.entries(attributes).sort(([one], [other]) => (one < other ? -1 : 1)))
