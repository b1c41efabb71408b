import type { Knex } from 'knex'
import type { Database } from '../../../database/index.ts'
import { Failure } from '../../../failure.ts'
import type { Cursors } from './cursors.ts'
import { type Folder, type FolderList, type FolderSizes, rootId } from './folder.ts'
import { checkName, checkPath, uuid } from './names.ts'
import { withMailbox } from './transaction.ts'

export const folderColumns = 'f.owner, f.id, f.parent, f.name, f.path, f.modseq, f.created, f.date'

export interface FolderRow extends Omit<Folder, 'parent'> {
  readonly parent: string | null
}

export const toFolder = ({ parent, ...folder }: FolderRow): Folder => (parent === null ? folder : { ...folder, parent })

/** The folders of mailboxes. A path leads to one, so that it is found in one step and a subtree is a range. */
export class Folders {
  readonly #database: Database
  readonly #cursors: Cursors
  constructor(database: Database, cursors: Cursors) {
    this.#database = database
    this.#cursors = cursors
  }

  async find(owner: number, id: string): Promise<Folder | undefined> {
    if (!uuid.test(id)) return undefined
    const [row] = await this.#database.query<FolderRow>(findStatement, [owner, id])
    return row && toFolder(row)
  }

  async root(owner: number): Promise<Folder> {
    const found = await this.find(owner, rootId)
    if (found !== undefined) return found
    await withMailbox(this.#database, owner, async () => {})
    return (await this.find(owner, rootId)) as Folder
  }

  async byPath(owner: number, path: string): Promise<Folder | undefined> {
    const [row] = await this.#database.query<FolderRow>(pathStatement, [owner, path])
    return row && toFolder(row)
  }

  async pathsOf(owner: number, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#database.query<{ id: string; path: string }>(pathsStatement, [owner, ids])
    return new Map(rows.map(({ id, path }) => [id, path]))
  }

  async create(owner: number, parent: string, name: string): Promise<Folder> {
    checkName(name)
    return await withMailbox(this.#database, owner, async (trx) => {
      const { path } = await folderIn(trx, owner, parent)
      const below = checkPath(path === '' ? name : `${path}/${name}`)
      await checkFree(trx, owner, below)
      return await folderIn(trx, owner, await folderAt(trx, owner, below.split('/')))
    })
  }

  async at(owner: number, names: readonly string[]): Promise<Folder> {
    checkPath(names.map(checkName).join('/'))
    return await withMailbox(this.#database, owner, async (trx) =>
      folderIn(trx, owner, await folderAt(trx, owner, names)),
    )
  }

  async rename(owner: number, id: string, name: string): Promise<Folder> {
    checkName(name)
    return await withMailbox(this.#database, owner, async (trx) => {
      const folder = await changeable(trx, owner, id)
      if (folder.name === name) return folder
      const path = folder.path.slice(0, folder.path.length - folder.name.length) + name
      await checkFree(trx, owner, path)
      await relocate(trx, folder, { parent: folder.parent as string, name, path })
      return await folderIn(trx, owner, id)
    })
  }

  async remove(owner: number, id: string): Promise<void> {
    await withMailbox(this.#database, owner, async (trx) => {
      const { path } = await changeable(trx, owner, id)
      await trx.raw(removeObjectsSql, [owner, owner, owner, path, path, path])
      await trx.raw(removeFoldersSql, [owner, path, path, path, owner, owner])
    })
  }

  async list(
    owner: number,
    { parent, cursor, limit }: { parent?: string; cursor?: string; limit: number },
  ): Promise<FolderList> {
    if (parent !== undefined && (await this.find(owner, parent)) === undefined) throw new Failure('folder-unknown')
    const question = ['folders', parent ?? '']
    const [after = ''] = cursor === undefined ? [] : await this.#cursors.open(owner, question, cursor)
    const most = Math.max(limit, 1)
    const values = [owner, after, most + 1]
    const rows =
      parent === undefined
        ? await this.#database.query<FolderRow>(listStatement, values)
        : await this.#database.query<FolderRow>(childrenStatement, [...values, parent])
    const folders = rows.slice(0, most).map(toFolder)
    const last = folders.at(-1)
    if (rows.length <= most || last === undefined) return { folders }
    return {
      folders,
      cursor: await this.#cursors.seal(owner, question, [parent === undefined ? last.path : last.name]),
    }
  }

  /** The folder on a way, and those below it. */
  async subtree(owner: number, path: string): Promise<string[]> {
    const rows = await this.#database.query<{ id: string }>(subtreeStatement, [owner, path])
    return rows.map(({ id }) => id)
  }

  async sizes(owner: number, id: string, subtree: boolean): Promise<FolderSizes> {
    const folder = await this.find(owner, id)
    if (folder === undefined) throw new Failure('folder-unknown')
    const ids = subtree ? await this.subtree(owner, folder.path) : [id]
    const [row] = await this.#database.query<FolderSizes>(sizesStatement, [owner, ids])
    return row ?? { objects: 0, unread: 0, bytes: 0 }
  }
}

/** Throws `folder-unknown`. */
export async function folderIn(trx: Knex.Transaction, owner: number, id: string): Promise<Folder> {
  const sql = `select ${folderColumns} from folders f where f.owner = ? and f.id = ?`
  const { rows } = uuid.test(id) ? await trx.raw<{ rows: FolderRow[] }>(sql, [owner, id]) : { rows: [] }
  if (rows[0] === undefined) throw new Failure('folder-unknown')
  return toFolder(rows[0])
}

/** Throws `not-permitted` for what every mailbox has. */
export async function changeable(trx: Knex.Transaction, owner: number, id: string): Promise<Folder> {
  const folder = await folderIn(trx, owner, id)
  if (folder.parent === undefined || folder.path === 'Default')
    throw new Failure('not-permitted', 'every mailbox has it')
  return folder
}

/** Throws `conflict`. */
export async function checkFree(trx: Knex.Transaction, owner: number, path: string): Promise<void> {
  checkPath(path)
  const { rows } = await trx.raw('select from folders where owner = ? and path = ?', [owner, path])
  if (rows.length > 0) throw new Failure('conflict', 'there is a folder of that name')
}

export async function folderAt(trx: Knex.Transaction, owner: number, names: readonly string[]): Promise<string> {
  const { rows } = await trx.raw<{ rows: { id: string }[] }>('select folder_at(?, ?::text[]) as id', [
    owner,
    [...names],
  ])
  return rows[0]?.id ?? rootId
}

/** Throws `malformed` where what is in a folder could not be looked up any more below `path`. */
export async function checkDepth(
  trx: Knex.Transaction,
  { owner, path: before }: Pick<Folder, 'owner' | 'path'>,
  path: string,
): Promise<void> {
  const { rows } = await trx.raw<{ rows: { path: string }[] }>(
    'select path from folders where owner = ? and path >= ? and path < ? order by octet_length(path) desc limit 1',
    [owner, `${before}/`, `${before}0`],
  )
  checkPath(path + (rows[0]?.path.slice(before.length) ?? ''))
}

/** Gives a folder another place or name; what is in it comes along. */
export async function relocate(
  trx: Knex.Transaction,
  { owner, id, path: before }: Folder,
  { parent, name, path }: { readonly parent: string; readonly name: string; readonly path: string },
): Promise<void> {
  const within = [owner, `${before}/`, `${before}0`]
  await checkDepth(trx, { owner, path: before }, path)
  await trx.raw('update folders set path = ? || substr(path, ?::int) where owner = ? and path >= ? and path < ?', [
    path,
    [...before].length + 1,
    ...within,
  ])
  await trx.raw(
    `with box as (update mailboxes set modseq = modseq + 1 where owner = ? returning modseq)
     update folders set parent = ?, name = ?, path = ?, modseq = box.modseq from box where owner = ? and id = ?`,
    [owner, parent, name, path, owner, id],
  )
}

const findStatement = {
  name: 'folder-find',
  text: `select ${folderColumns} from folders f where f.owner = $1 and f.id = $2`,
}
const pathStatement = {
  name: 'folder-by-path',
  text: `select ${folderColumns} from folders f where f.owner = $1 and f.path = $2`,
}
const pathsStatement = {
  name: 'folder-paths',
  text: 'select id, path from folders where owner = $1 and id = any ($2::uuid[])',
}
const subtreeStatement = {
  name: 'folder-subtree',
  text: `select id from folders
    where owner = $1 and ($2 = '' or path = $2 or (path >= $2 || '/' and path < $2 || '0'))`,
}
const listStatement = {
  name: 'folder-list',
  text: `select ${folderColumns} from folders f where f.owner = $1 and f.path > $2 order by f.path limit $3`,
}
const childrenStatement = {
  name: 'folder-children',
  text: `select ${folderColumns} from folders f where f.owner = $1 and f.parent = $4 and f.name > $2 order by f.name limit $3`,
}
/** Read from indexes alone, folder by folder: messages_in_folder, messages_unseen. Planned each time, for as many as there are. */
const sizesStatement = {
  name: '',
  text: `select coalesce(sum(one.objects), 0)::bigint as objects, coalesce(sum(one.bytes), 0)::bigint as bytes,
      (select count(*) from messages u where u.owner = $1 and u.folder is not null and u.folder = any ($2::uuid[])
        and not '\\Seen' = any (u.flags)) as unread
    from unnest($2::uuid[]) as f (id) cross join lateral (
      select count(*) as objects, sum(m.size) as bytes from messages m where m.owner = $1 and m.folder = f.id
    ) as one`,
}
const removeObjectsSql = `select remove_objects(?, array(
  select m.id from messages m where m.owner = ? and m.folder in
    (select id from folders where owner = ? and (path = ? or (path >= ? || '/' and path < ? || '0')))
  order by m.modseq), false)`
const removeFoldersSql = `
  with removed as (
    delete from folders where owner = ? and (path = ? or (path >= ? || '/' and path < ? || '0')) returning id, parent, path
  ), left_over as (
    insert into tombstones (owner, modseq, id, kind, expired, parent)
    select b.owner, b.modseq + row_number() over (order by r.path desc), r.id, 'folder', false, r.parent
    from removed r join mailboxes b on b.owner = ?
  )
  update mailboxes set modseq = modseq + (select count(*) from removed) where owner = ?`
