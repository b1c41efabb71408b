import type { Database } from '../../../database/index.ts'
import { Failure } from '../../../failure.ts'
import type { Changes, ChangesOptions, Tombstone } from './changes.ts'
import { type FolderRow, folderColumns, toFolder } from './folders.ts'
import { fromRow, type ObjectRow, objectColumns } from './object-row.ts'
import type { MailboxState } from './stored-object.ts'
import { withMailbox } from './transaction.ts'

interface BoxRow extends MailboxState {
  readonly forgotten: number
}

interface TombstoneRow {
  readonly id: string
  readonly modseq: number
  readonly kind: 'object' | 'folder'
  readonly correlation_id: string | null
  readonly expired: boolean
  readonly parent: string | null
}

interface DeltaRow {
  readonly box: BoxRow
  readonly objects: readonly ObjectRow[] | null
  readonly folders: readonly FolderRow[] | null
  readonly tombstones: readonly TombstoneRow[] | null
}

const most = 1_000

/** What became of a mailbox since a modification sequence. One statement reads it all, and so sees one moment of it. */
export class ChangeLog {
  readonly #database: Database
  constructor(database: Database) {
    this.#database = database
  }

  async since(owner: number, since: number, limit: number, { epoch, begun }: ChangesOptions = {}): Promise<Changes> {
    const number = Math.min(Math.max(limit, 1), most)
    const [row] = await this.#database.query<DeltaRow>(deltaStatement, [owner, since, number + 1])
    if (row === undefined) return await this.#sinceMade(owner, since, limit, epoch)
    const { box } = row
    const start = since === 0 ? box.modseq : (begun ?? since)
    checkKnown(box, since, start, epoch)
    const objects = (row.objects ?? []).map((one) => fromRow(fromJson(one)))
    const folders = (row.folders ?? []).map(toFolder)
    const tombstones = row.tombstones ?? []
    const upTo = pageEnd([objects, folders, tombstones], number) ?? box.modseq
    const within = <T extends { readonly modseq: number }>(all: readonly T[]) =>
      all.filter(({ modseq }) => modseq <= upTo)
    const gone = within(tombstones)
    return {
      objects: within(objects),
      folders: within(folders),
      removedObjects: gone.filter(({ kind }) => kind === 'object').map(toTombstone),
      removedFolders: gone.filter(({ kind }) => kind === 'folder').map(toTombstone),
      ...{ upTo, more: upTo < box.modseq, epoch: box.epoch, begun: start },
    }
  }

  async vanished(owner: number, after: number, limit: number) {
    const number = Math.min(Math.max(limit, 1), most)
    const { modseq, forgotten } = await this.#box(owner)
    if (after < forgotten || after > modseq) throw new Failure('cursor-gone')
    const rows = await this.#database.query<TombstoneRow>(vanishedStatement, [owner, after, number + 1])
    const objects = rows.slice(0, number).map(toTombstone)
    const more = rows.length > number
    return { objects, upTo: more ? (objects.at(-1)?.modseq ?? after) : modseq, more }
  }

  /** Of what is still known, the latest first. */
  async latestVanished(owner: number, limit: number): Promise<Tombstone[]> {
    const rows = await this.#database.query<TombstoneRow>(latestVanishedStatement, [owner, Math.min(limit, most)])
    return rows.map(toTombstone)
  }

  async state(owner: number): Promise<MailboxState> {
    const { modseq, epoch, objects, bytes } = await this.#box(owner)
    return { modseq, epoch, objects, bytes }
  }

  async reset(owner: number): Promise<MailboxState> {
    await withMailbox(this.#database, owner, async (trx) => {
      await trx.raw(
        `update mailboxes set modseq = modseq + 1, forgotten = modseq + 1, epoch = gen_random_uuid() where owner = ?`,
        [owner],
      )
      await trx('tombstones').where({ owner }).delete()
    })
    return await this.state(owner)
  }

  async #box(owner: number): Promise<BoxRow> {
    const [row] = await this.#database.query<BoxRow>(boxStatement, [owner])
    if (row !== undefined) return row
    await withMailbox(this.#database, owner, async () => {})
    return await this.#box(owner)
  }

  async #sinceMade(owner: number, since: number, limit: number, epoch: string | undefined): Promise<Changes> {
    if (since !== 0 || epoch !== undefined) throw new Failure('cursor-gone')
    await this.#box(owner)
    return await this.since(owner, 0, limit)
  }
}

/** `start`: where the client knew everything, or began with nothing. */
function checkKnown(
  { forgotten, modseq, epoch }: BoxRow,
  since: number,
  start: number,
  known: string | undefined,
): void {
  const void_ = known !== undefined && known !== epoch
  if (void_ || (since > 0 && start < forgotten) || since > modseq) throw new Failure('cursor-gone')
}

/** The sequence of the last row of a page over all lists; undefined where all of them fit in. */
function pageEnd(lists: readonly (readonly { readonly modseq: number }[])[], number: number): number | undefined {
  const all = lists.flatMap((list) => list.map(({ modseq }) => modseq))
  return all.length <= number ? undefined : all.sort((a, b) => a - b)[number - 1]
}

function toTombstone({ id, modseq, correlation_id, expired, parent }: TombstoneRow): Tombstone {
  return {
    ...{ id, modseq, expired },
    ...(correlation_id !== null && { correlationId: correlation_id }),
    ...(parent !== null && { parent }),
  }
}

/** In JSON a time is a text. */
const fromJson = (row: ObjectRow): ObjectRow =>
  row.expires_at === null ? row : { ...row, expires_at: new Date(row.expires_at) }

const boxStatement = {
  name: 'mailbox-box',
  text: 'select modseq, epoch, forgotten, objects, bytes from mailboxes where owner = $1',
}

/** What came back under the same id has not gone. */
const stillGone = `not exists (select from messages m where m.owner = t.owner and m.id = t.id and m.folder is not null)`

/** Each list is that of an index, read from the sequence on. */
const deltaStatement = {
  name: '',
  text: `
    select json_build_object('modseq', b.modseq, 'epoch', b.epoch, 'forgotten', b.forgotten) as box,
      (select json_agg(o) from (
        select ${objectColumns} from messages m
        where m.owner = $1 and m.modseq > $2 and m.folder is not null order by m.modseq limit $3) as o) as objects,
      (select json_agg(o) from (
        select ${folderColumns} from folders f where f.owner = $1 and f.modseq > $2 order by f.modseq limit $3) as o) as folders,
      (select json_agg(o) from (
        select t.id, t.modseq, t.kind, t.correlation_id, t.expired, t.parent from tombstones t
        where t.owner = $1 and t.modseq > $2 and ${stillGone} order by t.modseq limit $3) as o) as tombstones
    from mailboxes b where b.owner = $1`,
}

const vanishedStatement = {
  name: '',
  text: `select t.id, t.modseq, t.kind, t.correlation_id, t.expired, t.parent from tombstones t
    where t.owner = $1 and t.modseq > $2 and t.kind = 'object' and ${stillGone} order by t.modseq limit $3`,
}

const latestVanishedStatement = {
  name: '',
  text: `select t.id, t.modseq, t.kind, t.correlation_id, t.expired, t.parent from tombstones t
    where t.owner = $1 and t.kind = 'object' and ${stillGone} order by t.modseq desc limit $2`,
}
