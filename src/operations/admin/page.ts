import { Failure } from '../../failure.ts'

export interface Page<Entry> {
  readonly entries: readonly Entry[]
  /** Where the next page begins; none on the last. */
  readonly next?: string
}

export interface PageOptions {
  readonly limit: number
  readonly cursor?: string
  /** Only what this subscriber owns. */
  readonly owner?: number
}

/** The key of the last row of a page. */
export type Position = readonly (string | number)[]

/** A page of `rows`, of which one more than fits tells that there is a next page. */
export function pageOf<Row, Entry>(
  rows: readonly Row[],
  limit: number,
  toEntry: (row: Row) => Entry,
  position: (row: Row) => Position,
): Page<Entry> {
  const entries = rows.slice(0, limit).map(toEntry)
  const last = rows[limit - 1]
  if (rows.length <= limit || last === undefined) return { entries }
  return { entries, next: Buffer.from(JSON.stringify(position(last))).toString('base64url') }
}

/** The position that a cursor stands for, `start` where there is none. It has the types of `start`. */
export function positionOf(cursor: string | undefined, start: Position): Position {
  if (cursor === undefined) return start
  const position = jsonOf(Buffer.from(cursor, 'base64url').toString())
  if (!Array.isArray(position) || position.length !== start.length || !start.every(isOfTypeIn(position))) {
    throw new Failure('malformed', 'the cursor is none of this list')
  }
  return position
}

const isOfTypeIn = (position: readonly unknown[]) => (value: string | number, at: number) => {
  const given = position[at]
  return (
    typeof given === typeof value &&
    (typeof given === 'number' ? Number.isSafeInteger(given) : !`${given}`.includes('\0'))
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
