import { columns, type Database, GroupCommit, indexedText } from '../../../database/index.ts'
import { Failure } from '../../../failure.ts'
import { folderName } from '../../../protocols/cpm/conversation-folder.ts'
import { searchableTexts } from '../../../protocols/cpm/searchable-texts.ts'
import { clean, storedAttributes } from './attributes.ts'
import { storedFlags } from './flags.ts'
import { fromRow, type ObjectRow } from './object-row.ts'
import type { NewObject, StoredObject } from './stored-object.ts'

interface Needs {
  readonly database: Pick<Database, 'query'>
  readonly maxBytes: number
  readonly maxObjects: number
  readonly languages: readonly string[]
}

/** An object in one piece. */
interface Whole {
  readonly owner: number
  readonly object: NewObject
  readonly row: Omit<ObjectRow, 'folder' | 'modseq' | 'created'>
  readonly content: Buffer | undefined
  readonly text: string | undefined
  readonly searched: string
}

interface Outcome {
  readonly number: number
  readonly outcome: 'made' | 'known' | 'no-room' | 'too-many' | 'no-folder'
  readonly in_folder: string | null
  readonly as_modseq: number | null
}

const mostTogether = 100
const longestText = 100_000

/** Creates objects that have no parts and fit into a row: those that come at one time share one commit. */
export class ObjectCreation {
  readonly #needs: Needs
  readonly #commits: GroupCommit<Whole, StoredObject | Failure | undefined, Outcome>

  constructor(needs: Needs) {
    this.#needs = needs
    this.#commits = new GroupCommit({
      database: needs.database,
      name: 'mailbox-create',
      text: `select * from create_objects(${Array.from({ length: 23 }, (_, at) => `$${at + 1}`).join(', ')})`,
      toValues: (wholes) => this.#values(wholes),
      toResults,
      maxBatch: mostTogether,
    })
  }

  /** Undefined: an object with that id is there. The caller has looked at what the object is made of. */
  async create(owner: number, id: string, object: NewObject): Promise<StoredObject | undefined> {
    const result = await this.#commits.add(wholeOf(owner, id, object))
    if (result instanceof Failure) throw result
    return result
  }

  close(): Promise<void> {
    return this.#commits.close()
  }

  #values(wholes: readonly Whole[]): unknown[] {
    const { languages, maxObjects, maxBytes } = this.#needs
    const of = <T>(value: (whole: Whole) => T) => wholes.map(value)
    return [
      columns.bigints(of(({ owner }) => owner)),
      columns.uuids(of(({ row }) => row.id)),
      columns.uuids(of(({ object }) => object.folder)),
      columns.texts(of(({ object }) => wayOf(object))),
      columns.texts(of(({ row }) => row.kind)),
      columns.bigints(of(({ row }) => row.arrived)),
      columns.texts(of(({ row }) => row.direction)),
      columns.texts(of(({ row }) => row.peer)),
      columns.texts(of(({ row }) => JSON.stringify(row.flags))),
      columns.texts(of(({ row }) => row.correlation_id)),
      columns.texts(of(({ row }) => row.correlation_tag)),
      columns.texts(of(({ row }) => row.conversation_id)),
      columns.texts(of(({ row }) => row.contribution_id)),
      columns.texts(of(({ row }) => JSON.stringify(row.attributes))),
      columns.texts(of(({ row }) => row.content_type)),
      columns.bytes(of(({ content }) => content)),
      columns.bigints(of(({ row }) => row.size)),
      columns.texts(of(({ text }) => text)),
      columns.times(of(({ row }) => row.expires_at?.getTime())),
      columns.texts(of(({ searched }) => searched)),
      languages,
      maxObjects,
      maxBytes,
    ]
  }
}

/** Names on the way have no slash in them. */
const wayOf = ({ folderPath, peer }: NewObject): string => (folderPath ?? ['Default', folderName(peer)]).join('/')

function wholeOf(owner: number, id: string, object: NewObject): Whole {
  const { kind, direction, payload, expiresAt } = object
  const attributes = storedAttributes(object.attributes)
  const content = Buffer.isBuffer(payload?.content) ? payload.content : undefined
  const row = {
    ...{ owner, id: id.toLowerCase(), kind, direction, attributes, parts: [], disposition: 0 },
    arrived: Math.round(object.date * 1000),
    peer: clean(object.peer),
    flags: storedFlags(object.flags),
    correlation_id: orNull(object.correlationId),
    correlation_tag: orNull(object.correlationTag),
    conversation_id: orNull(object.conversationId),
    contribution_id: orNull(object.contributionId),
    content_type: orNull(payload?.contentType),
    size: content?.length ?? 0,
    expires_at: expiresAt === undefined ? null : new Date(expiresAt),
  }
  const text = object.text === undefined ? undefined : clean(object.text.slice(0, longestText))
  return { owner, object, row, content, text, searched: indexedText(...searchableTexts(attributes, object.text)) }
}

function toResults(wholes: readonly Whole[], outcomes: readonly Outcome[]): (StoredObject | Failure | undefined)[] {
  const results: (StoredObject | Failure | undefined)[] = []
  for (const { number, ...outcome } of outcomes) results[number - 1] = resultOf(wholes[number - 1] as Whole, outcome)
  return results
}

function resultOf(
  { row }: Whole,
  { outcome, in_folder, as_modseq }: Omit<Outcome, 'number'>,
): StoredObject | Failure | undefined {
  switch (outcome) {
    case 'made':
      return fromRow({ ...row, folder: in_folder ?? '', modseq: as_modseq ?? 0, created: as_modseq ?? 0 })
    case 'known':
      return undefined
    case 'no-room':
      return new Failure('mailbox-full', 'no room for so many bytes')
    case 'too-many':
      return new Failure('mailbox-full', 'too many objects')
    case 'no-folder':
      return new Failure('folder-unknown')
  }
}

const orNull = (text: string | undefined): string | null => (text === undefined ? null : clean(text))
