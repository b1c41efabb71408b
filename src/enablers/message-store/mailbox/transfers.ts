import type { Knex } from 'knex'
import type { Database } from '../../../database/index.ts'
import { Failure } from '../../../failure.ts'
import type { Folder } from './folder.ts'
import { changeable, checkDepth, checkFree, folderIn, relocate } from './folders.ts'
import { uuid } from './names.ts'
import { checkRoom, nextModseq, type ObjectsNeeds } from './objects.ts'
import type { Copied } from './stored-object.ts'
import { withMailbox } from './transaction.ts'

export interface Chosen {
  readonly objects?: readonly string[]
  readonly folders?: readonly string[]
}

type Needs = Pick<ObjectsNeeds, 'database' | 'maxBytes' | 'maxObjects'>

const mostChosen = 1_000

/** Copies and moves, each of them as a whole or not at all. */
export class Transfers {
  readonly #needs: Needs
  constructor(needs: Needs) {
    this.#needs = needs
  }

  async move(owner: number, chosen: Chosen, target: string): Promise<Copied[]> {
    check(chosen)
    return await withMailbox(this.#database, owner, async (trx) => {
      const into = await folderIn(trx, owner, target)
      for (const id of chosen.folders ?? []) await moveFolder(trx, await changeable(trx, owner, id), into)
      await moveObjects(trx, owner, chosen.objects ?? [], target)
      return [...same('folder', chosen.folders), ...same('object', chosen.objects)]
    })
  }

  async copy(owner: number, chosen: Chosen, target: string): Promise<Copied[]> {
    check(chosen)
    return await withMailbox(this.#database, owner, async (trx) => {
      const into = await folderIn(trx, owner, target)
      const copied: Copied[] = []
      for (const id of chosen.folders ?? [])
        copied.push(await this.#copyFolder(trx, await folderIn(trx, owner, id), into))
      return [...copied, ...(await this.#copyObjects(trx, owner, chosen.objects ?? [], into.id))]
    })
  }

  get #database(): Database {
    return this.#needs.database
  }

  async #copyFolder(trx: Knex.Transaction, folder: Folder, into: Folder): Promise<Copied> {
    const { owner, id, path, name } = folder
    if (folder.parent === undefined || isWithin(into, folder))
      throw new Failure('not-permitted', 'a folder within itself')
    const to = pathIn(into, name)
    await checkFree(trx, owner, to)
    await checkDepth(trx, folder, to)
    const { rows } = await trx.raw<{ rows: { id: string; to_id: string }[] }>(copyFoldersSql, [
      ...[owner, path, `${path}/`, `${path}0`, id, into.id, to, [...path].length + 1, id],
      owner,
    ])
    const pairs: Pairs = { from: rows.map((row) => row.id), to: rows.map((row) => row.to_id) }
    await this.#copyWhere(trx, owner, 'm.folder = p.from_id', pairs)
    return { kind: 'folder', from: id, to: rows.find((row) => row.id === id)?.to_id ?? id }
  }

  async #copyObjects(trx: Knex.Transaction, owner: number, ids: readonly string[], target: string): Promise<Copied[]> {
    if (ids.length === 0) return []
    const unique = [...new Set(ids.map((id) => id.toLowerCase()))]
    const rows = await this.#copyWhere(trx, owner, 'm.id = p.from_id', { from: unique, to: unique.map(() => target) })
    if (rows.length < unique.length) throw new Failure('object-unknown')
    return rows.map(({ id, to_id }) => ({ kind: 'object', from: id, to: to_id }))
  }

  /** Copies the objects that fit a pair, into the folder that the pair names. */
  async #copyWhere(trx: Knex.Transaction, owner: number, condition: string, { from, to }: Pairs) {
    const pairs = `unnest(?::uuid[], ?::uuid[]) as p (from_id, to_folder)`
    const { rows: sums } = await trx.raw<{ rows: { count: number; bytes: number }[] }>(
      `select count(*) as count, coalesce(sum(m.size), 0)::bigint as bytes from messages m join ${pairs} on ${condition}
       where m.owner = ? and m.folder is not null`,
      [from, to, owner],
    )
    const { count = 0, bytes = 0 } = sums[0] ?? {}
    if (count === 0) return []
    await checkRoom(trx, owner, count, bytes, this.#needs)
    const last = await nextModseq(trx, owner, count, bytes)
    const sql = copyObjectsSql(pairs, condition)
    const values = [last - count, from, to, owner, owner, owner, owner]
    const { rows } = await trx.raw<{ rows: { id: string; to_id: string }[] }>(sql, values)
    return rows
  }
}

interface Pairs {
  readonly from: string[]
  readonly to: string[]
}

function check({ objects = [], folders = [] }: Chosen): void {
  if (objects.length + folders.length > mostChosen) throw new Failure('malformed', 'too many at once')
  if (!objects.every((id) => uuid.test(id))) throw new Failure('object-unknown')
}

async function moveFolder(trx: Knex.Transaction, folder: Folder, into: Folder): Promise<void> {
  if (isWithin(into, folder)) throw new Failure('not-permitted', 'a folder within itself')
  if (folder.parent === into.id) return
  const path = pathIn(into, folder.name)
  await checkFree(trx, folder.owner, path)
  await relocate(trx, folder, { parent: into.id, name: folder.name, path })
}

async function moveObjects(
  trx: Knex.Transaction,
  owner: number,
  ids: readonly string[],
  target: string,
): Promise<void> {
  if (ids.length === 0) return
  const unique = [...new Set(ids.map((id) => id.toLowerCase()))]
  const { rows } = await trx.raw<{ rows: { there: number }[] }>(moveObjectsSql, [
    ...[owner, unique, target, owner, owner, target, owner],
  ])
  if ((rows[0]?.there ?? 0) < unique.length) throw new Failure('object-unknown')
}

const same = (kind: Copied['kind'], ids: readonly string[] = []): Copied[] =>
  ids.map((id) => ({ kind, from: id, to: id }))
const pathIn = ({ path }: Folder, name: string): string => (path === '' ? name : `${path}/${name}`)
const isWithin = (inner: Folder, { path }: Folder): boolean => inner.path === path || inner.path.startsWith(`${path}/`)

const moveObjectsSql = `
  with chosen as materialized (
    select m.id, m.folder from messages m where m.owner = ? and m.id = any (?::uuid[]) and m.folder is not null
  ), numbered as materialized (
    select c.id, b.modseq + row_number() over (order by c.id) as next
    from chosen c join mailboxes b on c.folder <> ?::uuid and b.owner = ?
  ), counts as (
    update mailboxes b set modseq = s.last from (select max(next) as last from numbered) as s
    where s.last is not null and b.owner = ?
  ), moved as (
    update messages m set folder = ?::uuid, modseq = n.next from numbered n where m.owner = ? and m.id = n.id
  )
  select count(*) as there from chosen`

const copyFoldersSql = `
  with source as materialized (
    select f.owner, f.id, f.parent, f.name, f.path, f.date, gen_random_uuid() as to_id,
      b.modseq + row_number() over (order by f.path) as next
    from folders f join mailboxes b on b.owner = f.owner
    where f.owner = ? and (f.path = ? or (f.path >= ? and f.path < ?))
  ), made as (
    insert into folders (owner, id, parent, name, path, modseq, created, date)
    select s.owner, s.to_id, case when s.id = ? then ?::uuid else up.to_id end, s.name, ? || substr(s.path, ?::int), s.next,
      s.next, s.date
    from source s left join source up on up.id = s.parent and s.id <> ?
  ), counts as (
    update mailboxes set modseq = (select max(next) from source) where owner = ?
  )
  select id, to_id from source`

const copyObjectsSql = (pairs: string, condition: string) => `
  with source as materialized (
    select m.*, p.to_folder, gen_random_uuid() as to_id, ?::bigint + row_number() over (order by m.modseq) as next,
      case when m.contents is not null then gen_random_uuid() end as to_contents
    from messages m join ${pairs} on ${condition} where m.owner = ? and m.folder is not null
  ), source_parts as materialized (
    select p.*, s.to_id, case when p.contents is not null then gen_random_uuid() end as to_contents
    from source s join message_parts p on p.owner = ? and p.message = s.id
  ), parts as (
    insert into message_parts (owner, message, number, content_type, content, contents, size)
    select owner, to_id, number, content_type, content, to_contents, size from source_parts
  ), pieces as (
    insert into chunks (owner, content, number, bytes)
    select c.owner, s.to_contents, c.number, c.bytes
    from (select contents, to_contents from source union all select contents, to_contents from source_parts) as s
    join chunks c on c.owner = ? and c.content = s.contents
  ), made as (
    insert into messages (owner, id, arrived, direction, peer, stored, waiting, disposition, request, folder, kind, modseq,
      created, flags, correlation_id, correlation_tag, conversation_id, contribution_id, attributes, content_type, content,
      contents, size, parts, text, expires_at, words)
    select owner, to_id, arrived, direction, peer, true, 0, disposition, request, to_folder, kind, next,
      next, flags, correlation_id, correlation_tag, conversation_id, contribution_id, attributes, content_type, content,
      to_contents, size, parts, text, expires_at, words
    from source
  )
  select id, to_id from source where owner = ?`
