import type { Knex } from 'knex'
import { type Database, indexedText } from '../../../database/index.ts'
import { Failure } from '../../../failure.ts'
import { folderName } from '../../../protocols/cpm/conversation-folder.ts'
import { searchableTexts } from '../../../protocols/cpm/searchable-texts.ts'
import { clean, storedAttributes } from './attributes.ts'
import type { Contents, Placed } from './contents.ts'
import { storedFlags } from './flags.ts'
import { folderAt, folderIn } from './folders.ts'
import { uuid } from './names.ts'
import { ObjectCreation } from './object-creation.ts'
import { fromRow, type ObjectRow, objectColumns } from './object-row.ts'
import { checkNew, isWhole, mergedAttributes, termOf, withIds } from './object-rules.ts'
import { type TextRow, textColumns, textOf } from './object-text.ts'
import type { FlagChange, NewObject, NewPart, ObjectUpdate, Part, StoredObject } from './stored-object.ts'
import { withMailbox } from './transaction.ts'

export interface ObjectsNeeds {
  readonly database: Database
  readonly contents: Contents
  readonly newId: () => string
  readonly maxBytes: number
  readonly maxObjects: number
  readonly languages: readonly string[]
}

/** An object whose bytes are where it will find them. */
interface Prepared {
  readonly id: string
  readonly object: NewObject
  readonly payload: Placed | undefined
  readonly parts: readonly Placed[]
  readonly size: number
}

const longestText = 100_000
const mostInTransaction = 100

/** The objects of mailboxes, one by one. */
export class Objects {
  readonly #needs: ObjectsNeeds
  readonly #creation: ObjectCreation
  constructor(needs: ObjectsNeeds) {
    this.#needs = needs
    this.#creation = new ObjectCreation(needs)
  }

  async find(owner: number, id: string): Promise<StoredObject | undefined> {
    return (await this.findMany(owner, [id]))[0]
  }

  async findMany(owner: number, ids: readonly string[]): Promise<StoredObject[]> {
    const known = ids.filter((id) => uuid.test(id))
    if (known.length === 0) return []
    const rows = await this.#needs.database.query<ObjectRow>(findStatement, [owner, known])
    return rows.map(fromRow)
  }

  async textsOf(owner: number, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#needs.database.query<TextRow & { id: string }>(textStatement, [
      owner,
      ids.filter((id) => uuid.test(id)),
    ])
    const texts = new Map<string, string>()
    for (const row of rows) {
      const text = textOf(row)
      if (text !== undefined) texts.set(row.id, text)
    }
    return texts
  }

  async create(owner: number, given: NewObject): Promise<StoredObject> {
    const object = withIds(given)
    if (isWhole(object)) {
      checkNew(object)
      const created = await this.#creation.create(owner, object.id ?? this.#needs.newId(), object)
      if (created !== undefined) return created
    }
    const [made] = await this.createMany(owner, [object])
    if (made === undefined || made instanceof Failure) throw made
    return made
  }

  async createMany(owner: number, objects: readonly NewObject[]): Promise<(StoredObject | Failure)[]> {
    const made: (StoredObject | Failure)[] = []
    for (let at = 0; at < objects.length; at += mostInTransaction) {
      made.push(...(await this.#createSome(owner, objects.slice(at, at + mostInTransaction).map(withIds))))
    }
    return made
  }

  async change(
    owner: number,
    ids: readonly string[],
    { add = [], remove = [], set }: FlagChange,
  ): Promise<StoredObject[]> {
    const known = ids.filter((id) => uuid.test(id))
    if (known.length === 0) return []
    const said = set === undefined ? null : storedFlags(set)
    await this.#needs.database.query(changeStatement, [owner, known, storedFlags(add), storedFlags(remove), said])
    return await this.findMany(owner, known)
  }

  async update(owner: number, id: string, update: ObjectUpdate): Promise<StoredObject> {
    const { contents, database } = this.#needs
    if (!uuid.test(id)) throw new Failure('object-unknown')
    const payload = update.payload && (await contents.place(owner, update.payload, await this.#room(owner)))
    const placed = payload === undefined ? [] : [payload]
    try {
      return await withMailbox(database, owner, async (trx) => {
        await contents.settle(trx, owner, placed)
        return await this.#updateWith(trx, owner, id, update, payload)
      })
    } catch (err) {
      await contents.abandon(owner, placed)
      throw err
    }
  }

  async remove(owner: number, ids: readonly string[], expired: boolean): Promise<number> {
    const known = ids.filter((id) => uuid.test(id))
    if (known.length === 0) return 0
    const [row] = await this.#needs.database.query<{ gone: number }>(removeStatement, [owner, known, expired])
    return row?.gone ?? 0
  }

  close(): Promise<void> {
    return this.#creation.close()
  }

  async #createSome(owner: number, objects: readonly NewObject[]): Promise<(StoredObject | Failure)[]> {
    const room = await this.#room(owner)
    const prepared: (Prepared | Failure)[] = []
    try {
      for (const object of objects) prepared.push(await orFailure(() => this.#prepare(owner, object, room)))
      return await withMailbox(this.#needs.database, owner, async (trx) => {
        const made: (StoredObject | Failure)[] = []
        for (const one of prepared) {
          made.push(one instanceof Failure ? one : await orFailure(() => this.#insert(trx, owner, one)))
        }
        return made
      })
    } finally {
      // What was made has been taken off the list of what is staged; the rest goes.
      await this.#abandon(owner, prepared)
    }
  }

  async #abandon(owner: number, prepared: readonly (Prepared | Failure)[]): Promise<void> {
    const placed = prepared.flatMap((one) => (one instanceof Failure ? [] : placedOf(one)))
    await this.#needs.contents.abandon(owner, placed)
  }

  async #prepare(owner: number, object: NewObject, room: number): Promise<Prepared> {
    checkNew(object)
    const { contents, newId } = this.#needs
    const placed: Placed[] = []
    try {
      const payload = object.payload && (await contents.place(owner, object.payload, room))
      if (payload !== undefined) placed.push(payload)
      for (const part of object.parts ?? []) placed.push(await contents.place(owner, part, room - sizeOf(placed)))
      const parts = payload === undefined ? placed : placed.slice(1)
      return { id: (object.id ?? newId()).toLowerCase(), object, payload, parts, size: sizeOf(placed) }
    } catch (err) {
      await contents.abandon(owner, placed)
      throw err
    }
  }

  /** Throws before the first change, so that the transaction may go on with the next one. */
  async #insert(trx: Knex.Transaction, owner: number, prepared: Prepared): Promise<StoredObject> {
    const { id, size } = prepared
    const known = await rowIn(trx, owner, id)
    if (known !== undefined) return fromRow(known)
    await this.#checkRoom(trx, owner, 1, size)
    const folder = await folderOf(trx, owner, prepared.object)
    const modseq = await nextModseq(trx, owner, 1, size)
    await trx('messages').insert(this.#rowOf(trx, owner, folder, modseq, prepared))
    await insertParts(trx, owner, prepared)
    await this.#needs.contents.settle(trx, owner, placedOf(prepared))
    return fromRow((await rowIn(trx, owner, id)) as ObjectRow)
  }

  #rowOf(trx: Knex.Transaction, owner: number, folder: string, modseq: number, prepared: Prepared) {
    const { id, object, payload, size } = prepared
    const attributes = storedAttributes(object.attributes)
    return {
      ...{
        owner,
        id,
        folder,
        modseq,
        created: modseq,
        kind: object.kind,
        direction: object.direction,
        peer: clean(object.peer),
      },
      ...{ stored: true, waiting: 0, arrived: Math.round(object.date * 1000), size },
      flags: storedFlags(object.flags),
      correlation_id: orNull(object.correlationId),
      correlation_tag: orNull(object.correlationTag),
      conversation_id: orNull(object.conversationId),
      contribution_id: orNull(object.contributionId),
      attributes: JSON.stringify(attributes),
      content_type: orNull(payload?.contentType),
      content: payload?.inline ?? null,
      contents: payload?.contents ?? null,
      parts: JSON.stringify(partsOf(prepared)),
      text: orNull(object.text?.slice(0, longestText)),
      expires_at: object.expiresAt === undefined ? null : new Date(object.expiresAt),
      words: this.#words(trx, owner, object, attributes, object.text),
    }
  }

  #words(
    trx: Knex.Transaction,
    owner: number,
    { conversationId, contributionId }: Pick<NewObject, 'conversationId' | 'contributionId'>,
    attributes: Readonly<Record<string, readonly string[]>>,
    text: string | undefined,
  ) {
    const terms = [conversationId, contributionId].filter((id) => id !== undefined).map(termOf)
    const found = indexedText(...searchableTexts(attributes, text))
    const values = [owner, terms, found, this.#needs.languages as string[]]
    return trx.raw('words_of(?::bigint, ?::text[], ?::text, ?::regconfig[])', values)
  }

  async #updateWith(
    trx: Knex.Transaction,
    owner: number,
    id: string,
    update: ObjectUpdate,
    payload: Placed | undefined,
  ): Promise<StoredObject> {
    const row = await rowIn(trx, owner, id)
    if (row === undefined) throw new Failure('object-unknown')
    const { rows } = await trx.raw<{ rows: (TextRow & { contents: string | null })[] }>(
      'select id, text, request, contents from messages where owner = ? and id = ?',
      [owner, id],
    )
    const before = rows[0]
    const parts = row.parts.reduce((sum, part) => sum + part.size, 0)
    const ofRequest = before?.request != null
    const size = payload === undefined ? row.size : payload.size + (ofRequest ? 0 : parts)
    await this.#checkRoom(trx, owner, 0, size - row.size)
    const attributes = mergedAttributes(row.attributes, update.attributes)
    const text = update.text ?? (payload === undefined ? before && textOf(before) : undefined)
    const modseq = await nextModseq(trx, owner, 0, size - row.size)
    const ids = { conversationId: row.conversation_id ?? undefined, contributionId: row.contribution_id ?? undefined }
    if (payload !== undefined && before?.contents != null)
      await trx('chunks').where({ owner, content: before.contents }).delete()
    await trx('messages')
      .where({ owner, id })
      .update({
        ...{
          modseq,
          size,
          attributes: JSON.stringify(attributes),
          disposition: Math.max(row.disposition, update.disposition ?? 0),
        },
        words: this.#words(trx, owner, ids as NewObject, attributes, text),
        ...(update.text !== undefined && { text: clean(update.text).slice(0, longestText) }),
        ...(update.expiresAt !== undefined && { expires_at: new Date(update.expiresAt) }),
        ...(payload !== undefined && this.#payloadColumns(trx, payload, ofRequest, update.text)),
      })
    return fromRow((await rowIn(trx, owner, id)) as ObjectRow)
  }

  /** What came is kept as long as it waits for a device; nobody reads it here any more. */
  #payloadColumns(trx: Knex.Transaction, payload: Placed, ofRequest: boolean, text: string | undefined) {
    const { contentType, inline, contents } = payload
    const waits = 'select from deferred d where d.owner = messages.owner and d.message = messages.id'
    return {
      ...{ content_type: contentType, content: inline, contents },
      ...(text === undefined && { text: null }),
      ...(ofRequest && { parts: '[]', request: trx.raw(`case when exists (${waits}) then request end`) }),
    }
  }

  async #room(owner: number): Promise<number> {
    if (this.#needs.maxBytes === 0) return Number.MAX_SAFE_INTEGER
    const [row] = await this.#needs.database.query<{ bytes: number }>(bytesStatement, [owner])
    return Math.max(this.#needs.maxBytes - (row?.bytes ?? 0), 0)
  }

  async #checkRoom(trx: Knex.Transaction, owner: number, objects: number, bytes: number): Promise<void> {
    await checkRoom(trx, owner, objects, bytes, this.#needs)
  }
}

/** Throws `mailbox-full`. What makes a mailbox smaller is always taken. */
export async function checkRoom(
  trx: Knex.Transaction,
  owner: number,
  objects: number,
  bytes: number,
  { maxBytes, maxObjects }: Pick<ObjectsNeeds, 'maxBytes' | 'maxObjects'>,
): Promise<void> {
  const { rows } = await trx.raw<{ rows: { objects: number; bytes: number }[] }>(
    'select objects, bytes from mailboxes where owner = ?',
    [owner],
  )
  const box = rows[0] ?? { objects: 0, bytes: 0 }
  if (maxBytes > 0 && bytes > 0 && box.bytes + bytes > maxBytes)
    throw new Failure('mailbox-full', 'no room for so many bytes')
  if (maxObjects > 0 && objects > 0 && box.objects + objects > maxObjects)
    throw new Failure('mailbox-full', 'too many objects')
}

/** Counts objects that come, and gives the sequence of the last of them. */
export async function nextModseq(
  trx: Knex.Transaction,
  owner: number,
  objects: number,
  bytes: number,
): Promise<number> {
  const { rows } = await trx.raw<{ rows: { modseq: number }[] }>(
    `update mailboxes set modseq = modseq + ?::int, objects = objects + ?::int, bytes = bytes + ?::bigint where owner = ?
     returning modseq`,
    [Math.max(objects, 1), objects, bytes, owner],
  )
  return rows[0]?.modseq ?? 0
}

async function folderOf(
  trx: Knex.Transaction,
  owner: number,
  { folder, folderPath, peer }: NewObject,
): Promise<string> {
  if (folder !== undefined) return (await folderIn(trx, owner, folder)).id
  return await folderAt(trx, owner, folderPath ?? ['Default', folderName(peer)])
}

async function insertParts(trx: Knex.Transaction, owner: number, { id, parts }: Prepared): Promise<void> {
  if (parts.length === 0) return
  const rows = parts.map(({ contentType, inline, contents, size }, index) => ({
    ...{ owner, message: id, number: index + 1, content_type: clean(contentType), content: inline, contents, size },
  }))
  await trx('message_parts').insert(rows)
}

function partsOf({ object, parts }: Prepared): Part[] {
  return (object.parts ?? []).map(({ content: _, ...part }: NewPart, index) => ({
    ...part,
    number: index + 1,
    size: parts[index]?.size ?? 0,
  }))
}

async function rowIn(trx: Knex.Transaction, owner: number, id: string): Promise<ObjectRow | undefined> {
  const { rows } = await trx.raw<{ rows: ObjectRow[] }>(
    `select ${objectColumns} from messages m where m.owner = ? and m.id = ? and m.folder is not null`,
    [owner, id],
  )
  return rows[0]
}

async function orFailure<T>(work: () => Promise<T>): Promise<T | Failure> {
  try {
    return await work()
  } catch (err) {
    if (err instanceof Failure && err.condition !== 'database-unavailable') return err
    throw err
  }
}

const placedOf = ({ payload, parts }: Prepared): Placed[] => (payload === undefined ? [...parts] : [payload, ...parts])
const sizeOf = (placed: readonly Placed[]): number => placed.reduce((sum, { size }) => sum + size, 0)
const orNull = (text: string | undefined): string | null => (text === undefined ? null : clean(text))

const findStatement = {
  name: 'mailbox-find',
  text: `select ${objectColumns} from messages m where m.owner = $1 and m.id = any ($2::uuid[]) and m.folder is not null`,
}
const textStatement = {
  name: 'mailbox-texts',
  text: `select m.id, ${textColumns} from messages m
    where m.owner = $1 and m.id = any ($2::uuid[]) and m.folder is not null`,
}
const changeStatement = {
  name: 'mailbox-change',
  text: 'select change_flags($1, $2::uuid[], $3::text[], $4::text[], $5::text[])',
}
const removeStatement = { name: 'mailbox-remove', text: 'select remove_objects($1, $2::uuid[], $3) as gone' }
const bytesStatement = { name: 'mailbox-bytes', text: 'select bytes from mailboxes where owner = $1' }
