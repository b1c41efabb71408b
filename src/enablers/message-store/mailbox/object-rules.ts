import { Failure } from '../../../failure.ts'
import { storedAttributes } from './attributes.ts'
import { isInline } from './contents.ts'
import { storedFlags } from './flags.ts'
import { checkName, checkPath, uuid } from './names.ts'
import type { Attributes, NewObject } from './stored-object.ts'

const mostParts = 100

/** Of a correlation id, as far as its index takes it. */
export const longestId = 255

/** As words_of has them beside words. */
export const termOf = (id: string): string => `=${id.slice(0, 200)}`

/** In one row, with nothing beside it. */
export const isWhole = ({ payload, parts = [] }: NewObject): boolean =>
  parts.length === 0 && (payload === undefined || isInline(payload.content))

/** Ids that only its attributes tell of are the object's own all the same. */
export function withIds(object: NewObject): NewObject {
  const { attributes, correlationId, conversationId, contributionId } = object
  const first = (name: string) => attributes[name]?.[0]
  const ids = {
    correlationId: (correlationId ?? first('IMDN-Message-ID'))?.slice(0, longestId),
    conversationId: conversationId ?? first('Conversation-ID'),
    contributionId: contributionId ?? first('Contribution-ID'),
  }
  const known = Object.entries(ids).filter(([, id]) => id !== undefined)
  return { ...object, ...Object.fromEntries(known) }
}

/** All that an insertion could fail for is said before. */
export function checkNew({
  id,
  kind: _,
  folder,
  folderPath,
  date,
  parts = [],
  attributes,
  flags,
  expiresAt,
}: NewObject): void {
  if (id !== undefined && !uuid.test(id)) throw new Failure('malformed', 'the id is no UUID')
  if (folder !== undefined && !uuid.test(folder)) throw new Failure('folder-unknown')
  if (folderPath !== undefined) checkPath(folderPath.map(checkName).join('/'))
  if (parts.length > mostParts) throw new Failure('malformed', 'too many parts')
  for (const at of [date, expiresAt ?? 0])
    if (!(Math.abs(at) < 8.64e15 / 2)) throw new Failure('malformed', 'no such time')
  storedAttributes(attributes)
  storedFlags(flags)
}

export function mergedAttributes(before: Attributes, update: Attributes = {}) {
  const merged = { ...before, ...storedAttributes(update) }
  return storedAttributes(Object.fromEntries(Object.entries(merged).filter(([, values]) => values.length > 0)))
}
