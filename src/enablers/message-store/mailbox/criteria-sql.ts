import { searchedWords } from '../../../database/index.ts'
import { Failure } from '../../../failure.ts'
import { canonicalName, clean } from './attributes.ts'
import { storedFlag } from './flags.ts'
import { longestId, termOf } from './object-rules.ts'
import { type Criterion, deepest, mostCriteria } from './selection.ts'

/** A condition and the values that its question marks stand for. No value is ever part of the text. */
export interface Sql {
  readonly text: string
  readonly values: readonly unknown[]
}

export interface SqlContext {
  readonly owner: number
  readonly languages: readonly string[]
}

const longestValue = 1_000
const mostWords = 16

export const sql = (text: string, ...values: readonly unknown[]): Sql => ({ text, values })

export const joined = (parts: readonly Sql[], operator: 'and' | 'or'): Sql => ({
  text: parts.map(({ text }) => `(${text})`).join(` ${operator} `),
  values: parts.flatMap(({ values }) => values),
})

/** Throws `malformed` for a tree that is too deep, or has too many nodes. */
export function checkCriteria(root: Criterion): void {
  let count = 0
  const visit = (one: Criterion, depth: number): void => {
    count += 1
    if (depth > deepest || count > mostCriteria) throw new Failure('malformed', 'too many criteria')
    if (one.type === 'not') visit(one.of, depth + 1)
    else if (one.type === 'and' || one.type === 'or') for (const each of one.of) visit(each, depth + 1)
  }
  visit(root, 1)
}

/** What a criterion asks of a row of messages called m. */
export function objectCondition(criterion: Criterion, context: SqlContext): Sql {
  const of = (one: Criterion) => objectCondition(one, context)
  switch (criterion.type) {
    case 'and':
    case 'or':
      if (criterion.of.length === 0) return sql(criterion.type === 'and' ? 'true' : 'false')
      return joined(criterion.of.map(of), criterion.type)
    case 'not':
      return negated(criterion.of, of(criterion.of))
    case 'date':
      return between('m.arrived', criterion.from, criterion.to)
    case 'attribute':
      return attributeCondition(criterion)
    case 'text':
      return textCondition(criterion.value, context)
    case 'whole-word':
      return wholeWordCondition(criterion, context)
    case 'flag':
      return flagCondition(criterion.value)
    case 'kind':
      return sql('m.kind = ?', criterion.value)
    case 'created':
      return sql('m.modseq > ? and m.created > ?', sequence(criterion.after), sequence(criterion.after))
    case 'changed':
      return sql('m.modseq > ?', sequence(criterion.after))
  }
}

function negated(criterion: Criterion, { text, values }: Sql): Sql {
  if (criterion.type === 'flag' && text === seen) return sql(`not ${seen}`)
  return { text: `(${text}) is not true`, values }
}

/** Milliseconds, compared with microseconds. */
function between(column: string, from: number | undefined, to: number | undefined): Sql {
  const bounds: Sql[] = []
  if (from !== undefined) bounds.push(sql(`${column} >= ?`, micros(from)))
  if (to !== undefined) bounds.push(sql(`${column} < ?`, micros(to + 1)))
  return bounds.length === 0 ? sql('true') : joined(bounds, 'and')
}

/** Ids are what they are, letter by letter, and found by an index. */
const ids: Readonly<Record<string, string>> = {
  'IMDN-Message-ID': 'm.correlation_id',
  'Conversation-ID': 'm.conversation_id',
  'Contribution-ID': 'm.contribution_id',
}

/** What an object is known to be without saying so in its attributes. */
const derived: Readonly<Record<string, string>> = {
  ...ids,
  Direction: `case m.direction when 'in' then 'In' else 'Out' end`,
  'Content-Type': 'm.content_type',
  TextContent: 'm.text',
  From: `case when m.direction = 'in' and m.attributes -> 'From' is null then m.peer end`,
  To: `case when m.direction = 'out' and m.attributes -> 'To' is null then m.peer end`,
}

function attributeCondition(criterion: Extract<Criterion, { type: 'attribute' }>): Sql {
  const { name, value, match } = criterion
  const column = derived[canonicalName(name)]
  const id = ids[canonicalName(name)]
  if (id !== undefined && value !== undefined && match !== 'contains') return indexed(id, bounded(value))
  const said = saidCondition(criterion)
  if (column === undefined) return said
  if (value === undefined) return joined([said, sql(`${column} is not null`)], 'or')
  return joined([said, sql(comparison(match, column), bounded(value))], 'or')
}

function comparison(match: Extract<Criterion, { type: 'attribute' }>['match'], column: string): string {
  if (match === 'exact') return `${column} = ?`
  return match === 'contains' ? `position(lower(?) in lower(${column})) > 0` : `lower(${column}) = lower(?)`
}

function saidCondition({ name, value, match }: Extract<Criterion, { type: 'attribute' }>): Sql {
  const written = canonicalName(bounded(name))
  if (value === undefined) return sql('m.attributes -> ? is not null', written)
  const wanted = bounded(value)
  const values = `exists (select from jsonb_array_elements_text(m.attributes -> ?) as v where`
  return sql(`${values} ${comparison(match, 'v')})`, written, wanted)
}

/** The words of an object have its ids among them, but for that which has an index of its own. */
function indexed(column: string, wanted: string): Sql {
  if (column === 'm.correlation_id') return sql(`${column} = ?`, wanted.slice(0, longestId))
  const term = `'${termOf(wanted).replace(/['\\]/g, '$&$&')}'`
  return sql(`m.words @@ ?::tsquery and ${column} = ?`, term, wanted)
}

/** Each word as a language has it, the last also as the beginning of one. */
function textCondition(value: string, { owner, languages }: SqlContext): Sql {
  const words = searchedWords(bounded(value), mostWords)
  if (words.length === 0) return sql('false')
  const query = words.map((word, index) => phrase(word, index === words.length - 1)).join(' & ')
  const queries = languages.map((language) => sql('to_tsquery(?::regconfig, ?)', language, query))
  return matches(owner, queries)
}

/** Words as they stand there, whatever a language makes of them: those have weight A. */
function wholeWordCondition({ value, name }: Extract<Criterion, { type: 'whole-word' }>, { owner }: SqlContext): Sql {
  const words = searchedWords(bounded(value), mostWords)
  if (words.length === 0) return sql('false')
  if (name === undefined) return matches(owner, [sql(`to_tsquery('simple', ?)`, adjacent(words, ':A'))])
  return sql(
    `exists (select from jsonb_array_elements_text(m.attributes -> ?) as v
       where to_tsvector('simple', translate(lower(v), '@.,:;!<>()[]{}"''/_+-=&#*', repeat(' ', 32))) @@ to_tsquery('simple', ?))`,
    canonicalName(bounded(name)),
    adjacent(words, ''),
  )
}

/** Consists of letters and digits alone, so that nothing in it means anything to Postgres. */
const phrase = (characters: readonly string[], prefix: boolean): string =>
  `(${characters.join(' <-> ')}${prefix ? ':*' : ''})`

const adjacent = (words: readonly (readonly string[])[], weight: string): string =>
  words.flatMap((characters) => characters.map((word) => word + weight)).join(' <-> ')

const matches = (owner: number, queries: readonly Sql[]): Sql => ({
  text: `m.words @@ (?::tsquery && (${queries.map(({ text }) => text).join(' || ')}))`,
  values: [`'#${owner}'`, ...queries.flatMap(({ values }) => values)],
})

const seen = `'\\Seen' = any (m.flags)`

/** Written as the indexes of what is unseen or marked have it. */
function flagCondition(value: string): Sql {
  const flag = storedFlag(value)
  if (flag === '\\Seen') return sql(seen)
  const marked = `m.flags <> '{}' and m.flags <> array['\\Seen']`
  return sql(`${marked} and lower(?) in (select lower(f) from unnest(m.flags) as f)`, flag)
}

export function bounded(value: string): string {
  if (value.length > longestValue) throw new Failure('malformed', 'a criterion is too long')
  return clean(value)
}

export function sequence(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new Failure('malformed', 'not a modification sequence')
  return value
}

export function micros(ms: number): number {
  if (!(Math.abs(ms) < 8.64e15 / 2)) throw new Failure('malformed', 'not a date')
  return Math.round(ms) * 1000
}
