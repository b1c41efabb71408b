import { Failure } from '../../../failure.ts'
import type { Structure } from '../../../protocols/nms/structures.ts'

/** One criterion, its value understood (NMS §6.7, §6.13). */
export type Check =
  /** Milliseconds; `before` itself is not included. */
  | { readonly type: 'date'; readonly from: number | undefined; readonly before: number | undefined }
  | { readonly type: 'attribute'; readonly name: string; readonly value: string }
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'whole-word'; readonly value: string }
  | { readonly type: 'flag'; readonly name: string; readonly set: boolean }
  /** Whatever the others are, From or To is one of them. */
  | { readonly type: 'party'; readonly uris: readonly string[] }
  | { readonly type: 'created'; readonly cursor: string }
  | { readonly type: 'vanished' }

export interface Checks {
  readonly operator: 'And' | 'Or' | 'Not'
  readonly checks: readonly Check[]
}

export const mostCriteriaRead = 64
const mostValue = 4096

/** Reads criteria as a request has them. Throws `malformed`, naming the element. */
export function readChecks({ criterion, operator = 'And' }: Structure<'SearchCriteria'>): Checks {
  if (criterion.length > mostCriteriaRead) throw new Failure('malformed', 'searchCriteria.criterion: too many')
  const checks = criterion.map(readCheck)
  const vanished = checks.some(({ type }) => type === 'vanished')
  if (vanished && (checks.length > 1 || operator === 'Not')) throw malformed('VanishedObjects stands alone')
  return { operator, checks }
}

/** The search for what was deleted, which has an answer of its own. */
export const isForVanished = ({ checks }: Checks): boolean => checks[0]?.type === 'vanished'

function readCheck(criterion: Structure<'SearchCriterion'>): Check {
  const { type, name, value } = criterion
  if (value.length > mostValue) throw malformed(`the value of ${type} is too long`)
  switch (type) {
    case 'Date':
      return { type: 'date', ...readDates(value) }
    case 'Attribute':
      return { type: 'attribute', name: nameOf(criterion), value }
    case 'Flag':
      return { type: 'flag', name: nameOf(criterion), set: readBoolean(value) }
    case 'AllTextAttributes':
    case 'WholeWord':
      if (value.trim() === '') throw malformed(`${type} without a value`)
      return { type: type === 'WholeWord' ? 'whole-word' : 'text', value }
    case 'CreatedObjects':
      return { type: 'created', cursor: value }
    case 'VanishedObjects':
      return { type: 'vanished' }
    case 'PresetSearch':
      return readPreset(name, value)
  }
}

/** The searches that this server knows by name: that of the specification's example, and one that stores in use have. */
function readPreset(name: string | undefined, value: string): Check {
  if (name === 'PurgedObject') return { type: 'vanished' }
  if (name !== 'RemoteParty') throw malformed(`PresetSearch ${name ?? 'without a name'}`)
  const uris = value.split(',')
  if (uris.length > 16 || uris.includes('')) throw malformed('PresetSearch RemoteParty')
  return { type: 'party', uris }
}

function nameOf({ type, name }: Structure<'SearchCriterion'>): string {
  if (name === undefined || name.trim() === '' || name.length > 255) throw malformed(`${type} without a name`)
  return name.trim()
}

/** xsd:boolean; nothing stands for true (§6.7). */
function readBoolean(value: string): boolean {
  const text = value.trim()
  if (['true', '1', ''].includes(text)) return true
  if (['false', '0'].includes(text)) return false
  throw malformed('Flag')
}

/** `minDate=…&maxDate=…`, either of them alone as well. */
function readDates(value: string): { from: number | undefined; before: number | undefined } {
  const parts = value.split('&').map((part) => /^(minDate|maxDate)=(.*)$/.exec(part.trim()) ?? [])
  const named = (wanted: string) =>
    parts.filter(([, name]) => name === wanted).map(([, , date]) => readDate(date ?? ''))
  const [mins, maxes] = [named('minDate'), named('maxDate')]
  if (mins.length + maxes.length !== parts.length || mins.length > 1 || maxes.length > 1) throw malformed('Date')
  return { from: mins[0], before: maxes[0] }
}

const dateTimeStamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/

/** xsd:dateTimeStamp, and as an example of §6.13 has it: without seconds. */
function readDate(written: string): number {
  const text = /%[0-9a-f]{2}/i.test(written) ? decoded(written) : written
  const date = dateTimeStamp.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(date)) throw malformed('Date')
  return date
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

const malformed = (what: string) => new Failure('malformed', `searchCriteria.criterion: ${what}`)
