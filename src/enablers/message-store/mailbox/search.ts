import { createHash } from 'node:crypto'
import type { Database } from '../../../database/index.ts'
import { Failure } from '../../../failure.ts'
import { canonicalName } from './attributes.ts'
import { bounded, checkCriteria, joined, objectCondition, type Sql, sql } from './criteria-sql.ts'
import type { Cursors, Position } from './cursors.ts'
import { type Folder, rootId } from './folder.ts'
import type { Folders } from './folders.ts'
import { uuid } from './names.ts'
import { fromRow, type ObjectRow, objectColumns } from './object-row.ts'
import { type TextRow, textOf } from './object-text.ts'
import {
  type FoundObjects,
  longestShown,
  type Selection,
  type ShownObject,
  type ShownObjects,
  type Sort,
} from './selection.ts'
import { boundedRows } from './transaction.ts'

export interface SearchNeeds {
  readonly database: Database
  readonly folders: Folders
  readonly cursors: Cursors
  readonly languages: readonly string[]
}

const newestFirst: Sort = { by: 'date', descending: true }
export const mostFound = 1_000

/** Finds objects. A list goes on after the last row that was given, by its key: no page costs more than another. */
export class Search {
  readonly #needs: SearchNeeds
  constructor(needs: SearchNeeds) {
    this.#needs = needs
  }

  async find(owner: number, selection: Selection): Promise<FoundObjects> {
    const { rows, ...more } = await this.#page<FoundRow>(owner, selection, objectColumns)
    return { objects: rows.map(fromRow), ...more }
  }

  /** With all that is shown of them, in the same round trip. */
  async findToShow(owner: number, selection: Selection): Promise<ShownObjects> {
    const { rows, ...more } = await this.#page<ShownRow>(owner, selection, shownColumns)
    return { objects: rows.map(toShown), ...more }
  }

  async #page<Row extends FoundRow>(owner: number, selection: Selection, columns: string): Promise<Page<Row>> {
    const { criteria, scope = rootId, recursive = true, sort = newestFirst, cursor } = selection
    if (criteria !== undefined) checkCriteria(criteria)
    const limit = Math.min(Math.max(selection.limit, 1), mostFound)
    const question = ['objects', criteria ?? null, scope, recursive, sort]
    const position = cursor === undefined ? undefined : await this.#needs.cursors.open(owner, question, cursor)
    const key = sortKey(sort)
    const conditions = [
      sql('m.owner = ? and m.folder is not null', owner),
      ...(await this.#within(owner, scope, recursive)),
      ...(criteria === undefined ? [] : [objectCondition(criteria, { owner, languages: this.#needs.languages })]),
      ...(position === undefined ? [] : [after(key, sort.descending, position)]),
    ]
    const asked = listing(columns, conditions, key, sort.descending, limit + 1)
    const found = await this.#rows<Row>(asked, selection)
    if (found.length === 0 && scope !== rootId) await this.#known(owner, scope)
    const rows = found.slice(0, limit)
    const last = rows.at(-1)
    if (found.length <= limit || last === undefined) return { rows }
    return { rows, cursor: await this.#needs.cursors.seal(owner, question, [last.sort_key, last.id]) }
  }

  /** Nothing to say where the scope is all there is. A folder in which something is found is there. */
  async #within(owner: number, scope: string, recursive: boolean): Promise<Sql[]> {
    if (scope === rootId) return recursive ? [] : [sql('m.folder = ?', rootId)]
    if (!uuid.test(scope)) throw new Failure('folder-unknown')
    if (!recursive) return [sql('m.folder = ?', scope)]
    const folder = await this.#known(owner, scope)
    const ids = await this.#needs.folders.subtree(owner, folder.path)
    return ids.length === 1 ? [sql('m.folder = ?', scope)] : [sql('m.folder = any (?::uuid[])', ids)]
  }

  async #known(owner: number, id: string): Promise<Folder> {
    const folder = await this.#needs.folders.find(owner, id)
    if (folder === undefined) throw new Failure('folder-unknown')
    return folder
  }

  /** Lists alone are read along an index; what else is asked may take long. */
  async #rows<Row extends FoundRow>({ text, values }: Sql, selection: Selection): Promise<Row[]> {
    if (selection.criteria !== undefined) return await boundedRows<Row>(this.#needs.database, text, values)
    let number = 0
    const numbered = text.replace(/\?/g, () => `$${++number}`)
    return await this.#needs.database.query<Row>({ name: nameOf(numbered, selection), text: numbered }, values)
  }
}

/** The usual lists are planned once: by date, of one folder or of all. These are few texts, each with a name of its own. */
function nameOf(text: string, { sort = newestFirst }: Selection): string {
  if (sort.by !== 'date' || text.includes('any (')) return ''
  return `mailbox-list-${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`
}

interface Page<Row> {
  readonly rows: readonly Row[]
  readonly cursor?: string
}

type ShownRow = FoundRow & TextRow & { readonly folder_path: string | null }

const shownColumns = `${objectColumns},
  (select f.path from folders f where f.owner = m.owner and f.id = m.folder) as folder_path,
  case when m.size <= ${longestShown} then m.text end as text,
  case when m.size <= ${longestShown} and m.text is null and m.content is null and m.contents is null
    then m.request end as request`

function toShown(row: ShownRow): ShownObject {
  const text = textOf(row)
  return { ...fromRow(row), folderPath: row.folder_path ?? '', ...(text !== undefined && { text }) }
}

type FoundRow = ObjectRow & { readonly sort_key: string | number }

interface Key {
  readonly expression: string
  readonly type: 'bigint' | 'text'
  readonly values: readonly unknown[]
}

function sortKey({ by }: Sort): Key {
  if (typeof by === 'object') {
    const expression = `left(coalesce(m.attributes -> ? ->> 0, ''), 200) collate "C"`
    return { expression, type: 'text', values: [canonicalName(bounded(by.attribute))] }
  }
  return { expression: sortColumns[by], type: 'bigint', values: [] }
}

const sortColumns = { date: 'm.arrived', created: 'm.created', modseq: 'm.modseq', size: 'm.size' } as const

function after({ expression, type, values }: Key, descending: boolean, [key = 0, id = '']: Position): Sql {
  return sql(`(${expression}, m.id) ${descending ? '<' : '>'} (?::${type}, ?::uuid)`, ...values, key, id)
}

function listing(
  columns: string,
  conditions: readonly Sql[],
  { expression, values }: Key,
  descending: boolean,
  limit: number,
): Sql {
  const where = joined(conditions, 'and')
  const order = descending ? 'desc' : 'asc'
  const text = `select ${columns}, ${expression} as sort_key from messages m where ${where.text}
    order by ${expression} ${order}, m.id ${order} limit ?`
  return { text, values: [...values, ...where.values, ...values, limit] }
}
