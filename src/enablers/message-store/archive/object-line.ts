import { z } from 'zod'
import { type Bytes, type NewContent, type NewPart, objectKinds } from '../mailbox/stored-object.ts'
import type { ArchivedObject } from './entry.ts'
import { badLine } from './lines.ts'
import { isUuid, readPath } from './values.ts'

const text = (most: number) => z.string().max(most)
const content = {
  contentType: text(1000),
  size: z.int().min(0),
  base64: z.base64().optional(),
  chunks: z.int().min(1).optional(),
}
export const partLine = z.strictObject({
  ...content,
  contentId: text(1000).optional(),
  contentLocation: text(4000).optional(),
  disposition: text(1000).optional(),
  fileName: text(1000).optional(),
})
/** An object as an archive has it, of either format. */
export const objectLine = z.strictObject({
  id: z.string().refine(isUuid, 'no UUID'),
  folder: text(10_000),
  kind: z.enum(objectKinds),
  date: z.iso.datetime(),
  direction: z.enum(['in', 'out']),
  peer: text(1000),
  flags: z.array(text(200)).max(1000),
  correlationId: text(1000).optional(),
  correlationTag: text(10_000).optional(),
  conversationId: text(1000).optional(),
  contributionId: text(1000).optional(),
  attributes: z.record(text(200), z.array(z.string()).min(1)),
  disposition: z.int().min(0).max(100).optional(),
  expires: z.iso.datetime().optional(),
  text: z.string().optional(),
  payload: z.strictObject(content).optional(),
  parts: z.array(partLine).max(1000).optional(),
})
type ObjectLine = z.infer<typeof objectLine>
type PartLine = z.infer<typeof partLine>
export type ContentFields = Pick<PartLine, 'size' | 'base64' | 'chunks'>

/** Gives the contents of one object, in their order. */
export interface ContentSource {
  readonly line: number
  /** Throws Failure where the archive says of it what cannot be. */
  add(fields: ContentFields): Bytes
}

/** Throws Failure('malformed'). */
export function toObject(
  { folder, date, expires, payload, parts, ...rest }: ObjectLine,
  contents: ContentSource,
): ArchivedObject {
  const names = readPath(folder)
  if (names === undefined) throw badLine(contents.line, 'not the path of a folder')
  const { id, kind, direction, peer, flags, attributes, disposition = 0 } = rest
  const { correlationId, correlationTag, conversationId, contributionId, text } = rest
  return {
    ...{ id, kind, direction, peer, flags, attributes, disposition },
    ...(correlationId !== undefined && { correlationId }),
    ...(correlationTag !== undefined && { correlationTag }),
    ...(conversationId !== undefined && { conversationId }),
    ...(contributionId !== undefined && { contributionId }),
    ...(text !== undefined && { text }),
    folderPath: names,
    date: Date.parse(date),
    ...(expires !== undefined && { expiresAt: Date.parse(expires) }),
    ...(payload && { payload: toContent(payload, contents) }),
    ...(parts && { parts: parts.map((one) => toPart(one, contents)) }),
  }
}

const toContent = (read: NonNullable<ObjectLine['payload']>, contents: ContentSource): NewContent => ({
  contentType: read.contentType,
  content: contents.add(read),
})

function toPart(read: PartLine, contents: ContentSource): NewPart {
  const { contentType, contentId, contentLocation, disposition, fileName } = read
  return {
    contentType,
    ...(contentId !== undefined && { contentId }),
    ...(contentLocation !== undefined && { contentLocation }),
    ...(disposition !== undefined && { disposition }),
    ...(fileName !== undefined && { fileName }),
    content: contents.add(read),
  }
}
