/**
 * What becomes of a message that nobody takes: it is brought to its recipient when they are there again (`keep`), or they are
 * told of it and fetch it (`notify`), or it is given up.
 */
export type Absence = 'keep' | 'notify' | 'discard'

/** What the operator decides about messages. Times are milliseconds. */
export interface Policy {
  readonly maxBytes: number
  readonly keepDays: number
  readonly deliverWithin: number
  readonly absent: Absence
  readonly maxRecipients: number
  readonly maxQueue: number
  readonly retry: { readonly first: number; readonly longest: number }
  /** No other node uses this database: a lease found at the start is of a process that is gone. */
  readonly alone: boolean
}

const day = 86_400_000

/** When a message that arrived at `now` is given up: by its Expires (RFC 3428 §7), at the latest after `keepDays`. */
export function expiryOf(expires: string | undefined, now: number, policy: Policy): number {
  const longest = policy.keepDays * day
  if (expires === undefined || !/^\s*\d{1,10}\s*$/.test(expires)) return now + longest
  return now + Math.min(Number(expires) * 1000, longest)
}

/** The time until attempt number `attempts` + 1: doubled each time up to a bound, spread so that not all come together. */
export function backOff(attempts: number, { first, longest }: Policy['retry'], random: number): number {
  const plain = Math.min(first * 2 ** Math.min(attempts - 1, 30), longest)
  return plain * (0.8 + 0.4 * random)
}
