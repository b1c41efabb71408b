import type { Attributes, Direction, ObjectKind, Part, StoredObject } from './stored-object.ts'

/** The columns of messages that make a StoredObject, in SQL that calls the table m. */
export const objectColumns = `m.owner, m.id, m.folder, m.kind, m.modseq, m.created, m.arrived, m.direction, m.peer,
  m.flags, m.correlation_id, m.correlation_tag, m.conversation_id, m.contribution_id, m.attributes, m.content_type,
  m.size, m.parts, m.expires_at, m.disposition`

export interface ObjectRow {
  readonly owner: number
  readonly id: string
  readonly folder: string
  readonly kind: ObjectKind
  readonly modseq: number
  readonly created: number
  /** Microseconds. */
  readonly arrived: number
  readonly direction: Direction
  readonly peer: string
  readonly flags: readonly string[]
  readonly correlation_id: string | null
  readonly correlation_tag: string | null
  readonly conversation_id: string | null
  readonly contribution_id: string | null
  readonly attributes: Attributes
  readonly content_type: string | null
  readonly size: number
  readonly parts: readonly Part[]
  readonly expires_at: Date | null
  readonly disposition: number
}

type Made = { -readonly [Name in keyof StoredObject]: StoredObject[Name] }

/** Lists have many: nothing is made here that is not kept. */
export function fromRow(row: ObjectRow): StoredObject {
  const object: Made = {
    owner: row.owner,
    id: row.id,
    folder: row.folder,
    kind: row.kind,
    modseq: row.modseq,
    created: row.created,
    date: Math.floor(row.arrived / 1000),
    direction: row.direction,
    peer: peerOf(row),
    flags: row.flags,
    attributes: row.attributes,
    size: row.size,
    parts: row.parts,
    disposition: row.disposition,
  }
  if (row.correlation_id !== null) object.correlationId = row.correlation_id
  if (row.correlation_tag !== null) object.correlationTag = row.correlation_tag
  if (row.conversation_id !== null) object.conversationId = row.conversation_id
  if (row.contribution_id !== null) object.contributionId = row.contribution_id
  if (row.content_type !== null) object.contentType = row.content_type
  if (row.expires_at !== null) object.expiresAt = row.expires_at.getTime()
  return object
}

/** Who wanted to be nobody is known to the server alone. */
function peerOf({ direction, attributes, peer }: ObjectRow): string {
  const [from] = direction === 'in' ? (attributes.From ?? []) : []
  return from !== undefined && /@anonymous\.invalid\b/i.test(from) ? from : peer
}
