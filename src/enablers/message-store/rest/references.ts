import { Failure } from '../../../failure.ts'
import type { Structure } from '../../../protocols/nms/structures.ts'
import { NmsFault } from './nms-fault.ts'

type Reference = Structure<'Reference'>

/** What one request may name. */
export const mostReferences = 500

/** Ids of what is named, each once and in order; and the URLs that name nothing that could be here. */
export interface Named {
  readonly ids: readonly string[]
  /** By URL, in order, as they stand in the request; without an id where they lead nowhere. */
  readonly asked: readonly { readonly url: string; readonly id: string | undefined }[]
}

/** Throws `malformed` where there are none, or too many. */
export function readReferences(
  references: readonly Reference[] | undefined,
  idIn: (url: string) => string | undefined,
  element: string,
): Named {
  const given = references ?? []
  if (given.length > mostReferences) throw new Failure('malformed', `${element}: too many`)
  const asked = given.map(({ resourceURL: url }) => ({ url, id: idIn(url) }))
  return { asked, ids: [...new Set(asked.flatMap(({ id }) => id ?? []))] }
}

/** NMS §6.15.5.3: a source that there is not. */
export const unknownSource = (url: string) => new NmsFault(400, 'SVC0002', [url])
