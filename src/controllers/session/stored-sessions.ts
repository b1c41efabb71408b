import { columns, type Database, GroupCommit } from '../../database/index.ts'
import type { StoredDialog } from './dialogs.ts'
import type { KeptObject } from './kept-object.ts'

/** A session as a row: the dialogs with its parties. */
export interface StoredSession {
  readonly id: string
  readonly dialogs: readonly StoredDialog[]
  /** What is in histories of it, and has no end yet. */
  readonly kept?: readonly KeptObject[]
}

export interface StoredSessionsOptions {
  readonly database: Database
  /** This life of this node. */
  readonly node: string
  readonly onBatch?: (size: number) => void
}

/** Beyond that, whoever comes after says BYE where nobody needs it. */
const mostLeftOver = 50_000

/** Of each session what it takes to say BYE to its parties after a crash of its node. */
export class StoredSessions {
  readonly #database: Database
  readonly #node: string
  readonly #puts: GroupCommit<StoredSession>
  readonly #removals: GroupCommit<string>
  /** Could not be removed, while the database was away. */
  readonly #leftOver = new Set<string>()

  constructor({ database, node, onBatch }: StoredSessionsOptions) {
    this.#database = database
    this.#node = node
    this.#puts = new GroupCommit({
      database,
      name: 'dialogs-put',
      text: putSql,
      toValues: (sessions) => [
        node,
        columns.uuids(sessions.map(({ id }) => id)),
        columns.texts(
          sessions.map(({ dialogs, kept }) => JSON.stringify(kept === undefined ? dialogs : { dialogs, kept })),
        ),
      ],
      ...(onBatch && { onBatch }),
    })
    this.#removals = new GroupCommit({
      database,
      name: 'dialogs-remove',
      text: removeSql,
      toValues: (ids) => [node, columns.uuids(ids)],
    })
  }

  /** Writes a row of this node, or writes it anew. */
  put(session: StoredSession): Promise<void> {
    return this.#puts.add(session)
  }

  async remove(id: string): Promise<void> {
    try {
      await this.#removals.add(id)
      this.#leftOver.delete(id)
    } catch (err) {
      if (this.#leftOver.size < mostLeftOver) this.#leftOver.add(id)
      throw err
    }
  }

  /** Tries again what could not be removed before. */
  async removeLeftOver(): Promise<void> {
    await Promise.allSettled([...this.#leftOver].map((id) => this.remove(id)))
  }

  /** Takes over sessions of a node that is gone, `most` of them. */
  async claim(gone: string, most: number): Promise<StoredSession[]> {
    const rows = await this.#database.query<Row>(claimStatement, [gone, this.#node, most])
    return rows.map(({ session, dialogs }) => ({ id: session, ...parsed(dialogs) }))
  }

  /** Whether there are sessions of a node, be it that another one is just taking them over. */
  async areThere(node: string): Promise<boolean> {
    return (await this.#database.query(anyStatement, [node])).length > 0
  }

  async close(): Promise<void> {
    await this.#puts.close()
    await this.#removals.close()
  }
}

/** A session of which nothing is kept has its dialogs alone. */
function parsed(text: string): Omit<StoredSession, 'id'> {
  const read = JSON.parse(text) as readonly StoredDialog[] | Omit<StoredSession, 'id'>
  return 'dialogs' in read ? read : { dialogs: read }
}

interface Row {
  readonly session: string
  readonly dialogs: string
}

const putSql = `
  insert into dialogs (node, session, dialogs) select $1::uuid, * from unnest($2::uuid[], $3::text[])
  on conflict (node, session) do update set dialogs = excluded.dialogs`

const removeSql = 'delete from dialogs where node = $1::uuid and session = any ($2::uuid[])'

const claimStatement = {
  name: 'dialogs-claim',
  text: `
    update dialogs d set node = $2
    from (select session from dialogs where node = $1 limit $3 for update skip locked) left_over
    where d.node = $1 and d.session = left_over.session
    returning d.session, d.dialogs`,
}

const anyStatement = { name: 'dialogs-any', text: 'select 1 from dialogs where node = $1 limit 1' }
