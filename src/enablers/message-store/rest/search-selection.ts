import { Failure } from '../../../failure.ts'
import type { Structure } from '../../../protocols/nms/structures.ts'
import type { Criterion, Selection, Sort } from '../mailbox/selection.ts'
import type { BoxUrls } from './box-urls.ts'
import { NmsFault } from './nms-fault.ts'
import type { NmsCall } from './nms-operation.ts'
import type { Check, Checks } from './search-criteria.ts'

type SelectionCriteria = Structure<'SelectionCriteria'>

/** Entries in one answer: a client gets the rest with the cursor. */
const mostEntries = 200

export function limitOf({ maxEntries }: SelectionCriteria): number {
  if (maxEntries === 0) throw new Failure('malformed', 'maxEntries')
  return Math.min(mostEntries, maxEntries)
}

/** What a request looks for, as the mailbox does (NMS §5.3.2.15). `createdAfter`: the point that a creationCursor stands for. */
export function selectionOf(
  request: SelectionCriteria,
  checks: Checks | undefined,
  { urls, identities }: Pick<NmsCall, 'urls' | 'identities'>,
  createdAfter: (cursor: string) => number,
): Selection {
  const { fromCursor: cursor, searchScope, nonRecursiveScope = false } = request
  const sort = sortOf(request)
  const criteria = checks === undefined ? undefined : treeOf(checks, { identities, createdAfter })
  return {
    limit: limitOf(request),
    recursive: !nonRecursiveScope,
    ...(cursor !== undefined && { cursor }),
    ...(searchScope !== undefined && { scope: folderIn(searchScope.resourceURL, urls) }),
    ...(sort !== undefined && { sort }),
    ...(criteria !== undefined && { criteria }),
  }
}

function folderIn(url: string, urls: BoxUrls): string {
  const id = urls.folderId(url)
  if (id === undefined) throw new NmsFault(404, 'SVC0004', [url])
  return id
}

/** The most significant criterion decides (§5.3.2.18 lets a server ignore the others). */
function sortOf({ sortCriteria, sortCriterion }: SelectionCriteria): Sort | undefined {
  if (sortCriteria !== undefined && sortCriterion !== undefined) throw new Failure('malformed', 'sortCriterion')
  const [first = sortCriterion] = sortCriteria?.criterion ?? []
  if (first === undefined) return undefined
  const descending = first.order !== 'Ascending'
  if (first.type === 'Date') return { by: 'date', descending }
  if (first.name === undefined || first.name === '') throw new Failure('malformed', 'sortCriteria.criterion.name')
  return { by: { attribute: first.name }, descending }
}

interface Asker {
  readonly identities: readonly string[]
  readonly createdAfter: (cursor: string) => number
}

function treeOf({ operator, checks }: Checks, asker: Asker): Criterion {
  return combined(
    operator,
    checks.map((check) => criterionOf(check, asker)),
  )
}

/** With `Not`, all of them together are meant (NMS §5.3.3.2). */
function combined(operator: Checks['operator'], of: readonly Criterion[]): Criterion {
  if (operator === 'Or') return { type: 'or', of }
  const all: Criterion = { type: 'and', of }
  return operator === 'Not' ? { type: 'not', of: all } : all
}

function criterionOf(check: Check, asker: Asker): Criterion {
  switch (check.type) {
    case 'date':
      return {
        type: 'date',
        ...(check.from !== undefined && { from: check.from }),
        ...(check.before !== undefined && { to: check.before - 1 }),
      }
    case 'attribute':
      return attributeIs(check.name, check.value, asker)
    case 'text':
      return { type: 'text', value: check.value }
    case 'whole-word':
      return { type: 'whole-word', value: check.value }
    case 'flag': {
      const flag: Criterion = { type: 'flag', value: check.name }
      return check.set ? flag : { type: 'not', of: flag }
    }
    case 'party':
      return { type: 'or', of: check.uris.flatMap((uri) => parties.map((name) => attributeIs(name, uri, asker))) }
    case 'created':
      return { type: 'created', after: asker.createdAfter(check.cursor) }
    case 'vanished':
      throw new Failure('malformed', 'VanishedObjects')
  }
}

const parties = ['From', 'To'] as const

/** An object need not say that its owner sent it, or got it. */
function attributeIs(name: string, value: string, { identities }: Asker): Criterion {
  const said: Criterion = { type: 'attribute', name, value, match: 'exact' }
  const party = parties.find((one) => one.toLowerCase() === name.toLowerCase())
  if (party === undefined || identities[0] !== value) return said
  const direction = {
    type: 'attribute',
    name: 'Direction',
    value: party === 'From' ? 'Out' : 'In',
    match: 'equals',
  } as const
  const unsaid: Criterion = { type: 'not', of: { type: 'attribute', name: party, match: 'exact' } }
  return { type: 'or', of: [said, { type: 'and', of: [direction, unsaid] }] }
}

/** Of folders: what they are called, whether they are the root, and when they were made. */
export function folderSelectionOf(
  request: SelectionCriteria,
  checks: Checks | undefined,
  call: Pick<NmsCall, 'urls'>,
): Selection {
  const { sort: _, ...selection } = selectionOf(request, undefined, { urls: call.urls, identities: [] }, () => 0)
  if (checks === undefined) return selection
  const of = checks.checks.map(folderCriterionOf)
  return { ...selection, criteria: combined(checks.operator, of) }
}

/** Such a search has to tell what is in the folder (NMS §5.3.2.8). */
export const isForRoot = (checks: Checks | undefined): boolean =>
  checks?.checks.some((check) => check.type === 'attribute' && /^root$/i.test(check.name) && check.value === 'Yes') ===
  true

function folderCriterionOf(check: Check): Criterion {
  switch (check.type) {
    case 'text':
      return { type: 'attribute', name: 'Name', value: check.value, match: 'contains' }
    case 'attribute':
    case 'date':
      return criterionOf(check, { identities: [], createdAfter: () => 0 })
    default:
      throw new Failure('malformed', 'searchCriteria.criterion: folders have no such thing')
  }
}
