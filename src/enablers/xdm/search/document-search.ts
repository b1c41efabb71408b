import type { Database } from '../../../database/index.ts'
import type { SearchCondition } from '../../../protocols/search/search-query.ts'

export interface FoundEntry {
  readonly owner: number
  readonly name: string
  /** Which entry of the document, from 1. */
  readonly number: number
}

export interface Search {
  readonly auid: string
  readonly condition: SearchCondition | undefined
  readonly limit: number
}

/** Finds documents by what is in them. */
export class DocumentSearch {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** In the order of owners and documents. A condition becomes SQL whose only variable parts are parameters. */
  async find({ auid, condition, limit }: Search): Promise<readonly FoundEntry[]> {
    const parameters: unknown[] = [auid, limit]
    const tests = condition === undefined ? [] : [...indexed(condition, parameters), sqlOf(condition, parameters)]
    const text = `
      select d.owner, d.name, e.number::int as number
      from documents d cross join lateral jsonb_array_elements(d.terms) with ordinality as e (terms, number)
      where ${['d.auid = $1', 'd.terms is not null', ...tests].join(' and ')}
      order by d.owner, d.name, e.number limit $2`
    return await this.#database.query<FoundEntry>({ name: '', text }, parameters)
  }

  /** Documents that have given an address to one of their entries. */
  async documentsOf(auid: string, uris: readonly string[]): Promise<{ owner: number; name: string; uri: string }[]> {
    return await this.#database.query(withUriStatement, [auid, uris])
  }
}

const withUriStatement = {
  name: 'documents-with-uri',
  text: `select d.owner, d.name, u.uri from unnest($2::text[]) as u (uri)
    join documents d on d.terms @> jsonb_build_array(jsonb_build_object('@uri', jsonb_build_array(u.uri))) and d.auid = $1`,
}

/** What every match must have in it, for the index. */
function indexed(condition: SearchCondition, parameters: unknown[]): string[] {
  const needed = condition.kind === 'and' ? condition.of : [condition]
  return needed.flatMap((one) =>
    one.kind === 'equals' ? `d.terms @> ${parameter([{ [one.path]: [one.value] }], parameters)}::jsonb` : [],
  )
}

function sqlOf(condition: SearchCondition, parameters: unknown[]): string {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return `(${condition.of.map((one) => sqlOf(one, parameters)).join(` ${condition.kind} `)})`
    case 'equals':
      return `e.terms @> ${parameter({ [condition.path]: [condition.value] }, parameters)}::jsonb`
    case 'contains':
      return someValue(condition.path, parameters, `strpos(v, $${parameters.push(condition.value)}::text) > 0`)
    case 'starts-with':
      return someValue(condition.path, parameters, `starts_with(v, $${parameters.push(condition.value)}::text)`)
  }
}

const someValue = (path: string, parameters: unknown[], test: string): string =>
  `exists (select from jsonb_array_elements_text(e.terms -> $${parameters.push(path)}::text) v where ${test})`

const parameter = (value: unknown, parameters: unknown[]): string => `$${parameters.push(JSON.stringify(value))}`
