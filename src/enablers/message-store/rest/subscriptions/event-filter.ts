import { Failure } from '../../../../failure.ts'
import type { Structure } from '../../../../protocols/nms/structures.ts'
import { type Check, readChecks } from '../search-criteria.ts'

/** Which changes a client wants to be told of (NMS §5.3.2.20), as it was written. */
export type Filter = Structure<'SearchCriteria'>

/** What a filter looks at. Of what is gone, nothing is known but that it is gone. */
export interface Facts {
  readonly gone: boolean
  /** An object that is gone. */
  readonly vanished: boolean
  /** Names in lower case. */
  readonly attributes: ReadonlyMap<string, readonly string[]>
  readonly flags: readonly string[]
  readonly date: number | undefined
  readonly text: string
  /** Came after the client subscribed. */
  readonly isNew: boolean
}

/** Throws `malformed` where it cannot filter. */
export function checkFilter(filter: Filter): void {
  for (const check of readChecks(filter).checks) {
    if (check.type === 'created' && check.cursor !== '')
      throw new Failure('malformed', 'filter: CreatedObjects has a value')
  }
}

/** Whether the text of objects has to be read for it. */
export const readsText = (filter: Filter): boolean =>
  filter.criterion.some(
    ({ type, name }) => type === 'AllTextAttributes' || type === 'WholeWord' || /^textcontent$/i.test(name ?? ''),
  )

export function passes(filter: Filter, facts: Facts): boolean {
  const { operator, checks } = readChecks(filter)
  if (operator === 'Or') return checks.some((check) => holds(check, facts))
  const all = checks.every((check) => holds(check, facts))
  return operator === 'Not' ? !all : all
}

function holds(check: Check, facts: Facts): boolean {
  if (check.type === 'vanished') return facts.vanished
  if (facts.gone) return false
  switch (check.type) {
    case 'date':
      return isWithin(facts.date, check.from, check.before)
    case 'attribute':
      return valuesOf(facts, check.name).includes(check.value)
    case 'flag':
      return facts.flags.some((flag) => flag.toLowerCase() === check.name.toLowerCase()) === check.set
    case 'text':
      return textsIn(facts).some((text) => text.toLowerCase().includes(check.value.toLowerCase()))
    case 'whole-word':
      return textsIn(facts).some((text) => hasWords(text, check.value))
    case 'party':
      return check.uris.some((uri) => valuesOf(facts, 'From').includes(uri) || valuesOf(facts, 'To').includes(uri))
    case 'created':
      return facts.isNew
  }
}

function valuesOf({ attributes, text }: Facts, name: string): readonly string[] {
  const key = name.toLowerCase()
  return key === 'textcontent' && text !== '' ? [text] : (attributes.get(key) ?? [])
}

const isWithin = (date: number | undefined, from: number | undefined, before: number | undefined): boolean =>
  date !== undefined && (from === undefined || date >= from) && (before === undefined || date < before)

const textsIn = ({ attributes, text }: Facts): string[] => [...[...attributes.values()].flat(), text]

/** The same words one after another. */
function hasWords(text: string, wanted: string): boolean {
  const [within, words] = [wordsOf(text), wordsOf(wanted)]
  return words.trim() !== '' && within.includes(words)
}

const wordsOf = (text: string): string =>
  ` ${text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .join(' ')} `
