import { Failure } from '../../../failure.ts'
import { bounded, checkCriteria, joined, micros, type Sql, sequence, sql } from './criteria-sql.ts'
import { rootId } from './folder.ts'
import { type FolderRow, folderColumns, toFolder } from './folders.ts'
import { mostFound, type SearchNeeds } from './search.ts'
import type { Criterion, FoundFolders, Selection } from './selection.ts'
import { boundedRows } from './transaction.ts'

/** Finds folders, in the order of their paths. */
export class FolderSearch {
  readonly #needs: Omit<SearchNeeds, 'languages'>
  constructor(needs: Omit<SearchNeeds, 'languages'>) {
    this.#needs = needs
  }

  async find(
    owner: number,
    { criteria, scope = rootId, recursive = true, cursor, ...rest }: Selection,
  ): Promise<FoundFolders> {
    if (criteria !== undefined) checkCriteria(criteria)
    const { database, folders, cursors } = this.#needs
    const folder = scope === rootId ? await folders.root(owner) : await folders.find(owner, scope)
    if (folder === undefined) throw new Failure('folder-unknown')
    const limit = Math.min(Math.max(rest.limit, 1), mostFound)
    const question = ['folder-search', criteria ?? null, scope, recursive]
    const position = cursor === undefined ? undefined : await cursors.open(owner, question, cursor)
    const where = joined(
      [
        sql('f.owner = ?', owner),
        within(folder.path, scope, recursive),
        ...(criteria === undefined ? [] : [folderCondition(criteria)]),
        ...(position === undefined ? [] : [sql('f.path > ?', position[0])]),
      ],
      'and',
    )
    const text = `select ${folderColumns} from folders f where ${where.text} order by f.path limit ?`
    const rows = await boundedRows<FolderRow>(database, text, [...where.values, limit + 1])
    const found = rows.slice(0, limit).map(toFolder)
    const last = found.at(-1)
    if (rows.length <= limit || last === undefined) return { folders: found }
    return { folders: found, cursor: await cursors.seal(owner, question, [last.path]) }
  }
}

/** The scope itself is found as well. */
function within(path: string, id: string, recursive: boolean): Sql {
  if (!recursive) return sql('f.parent = ? or f.id = ?', id, id)
  if (path === '') return sql('true')
  return sql(`f.path = ? or (f.path >= ? and f.path < ?)`, path, `${path}/`, `${path}0`)
}

function folderCondition(criterion: Criterion): Sql {
  switch (criterion.type) {
    case 'and':
    case 'or':
      if (criterion.of.length === 0) return sql(criterion.type === 'and' ? 'true' : 'false')
      return joined(criterion.of.map(folderCondition), criterion.type)
    case 'not': {
      const { text, values } = folderCondition(criterion.of)
      return { text: `(${text}) is not true`, values }
    }
    case 'date':
      return between(criterion.from, criterion.to)
    case 'attribute':
      return attributeCondition(criterion)
    case 'created':
      return sql('f.created > ?', sequence(criterion.after))
    case 'changed':
      return sql('f.modseq > ?', sequence(criterion.after))
    case 'whole-word':
      return sql(
        `' ' || translate(lower(f.name), '/.:;@-_', '       ') || ' ' like '% ' || ? || ' %'`,
        plain(criterion.value),
      )
    case 'text':
    case 'flag':
    case 'kind':
      throw new Failure('malformed', `folders have no ${criterion.type}`)
  }
}

function between(from: number | undefined, to: number | undefined): Sql {
  const bounds = [sql('true')]
  if (from !== undefined) bounds.push(sql('f.date >= ?', micros(from) / 1000))
  if (to !== undefined) bounds.push(sql('f.date <= ?', micros(to) / 1000))
  return joined(bounds, 'and')
}

function attributeCondition({ name, value, match }: Extract<Criterion, { type: 'attribute' }>): Sql {
  switch (name.toLowerCase()) {
    case 'root':
      return value?.toLowerCase() === 'no' ? sql('f.parent is not null') : sql('f.parent is null')
    case 'name':
      if (value === undefined) return sql(`f.name <> ''`)
      if (match === 'exact') return sql('f.name = ?', bounded(value))
      if (match === 'equals') return sql('lower(f.name) = lower(?)', bounded(value))
      return sql('position(lower(?) in lower(f.name)) > 0', bounded(value))
    default:
      throw new Failure('malformed', 'folders do not have that attribute')
  }
}

/** Words alone: nothing in it is a pattern. */
const plain = (value: string): string =>
  bounded(value)
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
