import { columns, type Database, GroupCommit } from '../../database/index.ts'
import { writeMessage } from '../../protocols/sip/message.ts'
import type { PagerMessage } from './pager-message.ts'

/** A message for one owner. */
export interface StoredMessage {
  readonly owner: number
  readonly message: PagerMessage
  readonly direction: 'in' | 'out'
  readonly peer: string
  /** Part of the owner's history; otherwise it goes with the last device that it waits for. */
  readonly stored: boolean
}

/** A device that a message waits for; '' is whoever registers first. */
export interface WaitingFor {
  readonly device: string
  readonly attempts: number
  readonly nextAt: number
  readonly leasedUntil?: number
  readonly expiresAt: number
}

/** What is committed together. */
export interface Commit {
  readonly message: StoredMessage
  /** The sender's own row. */
  readonly copy?: StoredMessage
  readonly waiting: readonly WaitingFor[]
}

interface Conflict {
  readonly number: number
}

/** Bytes. A batch of larger requests would fill the memory: they come and go one at a time. */
export const largeRequest = 131_072

export interface RepositoryOptions {
  readonly database: Database
  readonly onBatch?: (name: string, size: number) => void
}

/** Messages, one row for each owner. */
export class StoredMessages {
  readonly #database: Database
  readonly #commits: GroupCommit<Commit, boolean, Conflict>
  /** One at a time, so that their copies do not fill the memory. */
  readonly #largeCommits: GroupCommit<Commit, boolean, Conflict>

  constructor({ database, onBatch }: RepositoryOptions) {
    this.#database = database
    const options = {
      database,
      name: 'message-commit',
      text: commitSql,
      toValues: commitValues,
      toResults: firstTimes,
      onBatch: (size: number) => onBatch?.('messages', size),
    }
    this.#commits = new GroupCommit(options)
    this.#largeCommits = new GroupCommit({ ...options, maxBatch: 1 })
  }

  /** Rows and what they wait for, or neither where the message is known already: then false. */
  commit(commit: Commit): Promise<boolean> {
    const large = commit.message.message.request.body.length > largeRequest
    return (large ? this.#largeCommits : this.#commits).add(commit)
  }

  get waiting(): number {
    return this.#commits.waiting + this.#largeCommits.waiting
  }

  /** Moves the state of a message forward in the rows of `owners`. Tells of each row that there is. */
  async advance({ owners, firstId, lastId, disposition }: Advance): Promise<Advanced[]> {
    return await this.#database.query(advanceStatement, [columns.bigints(owners), firstId, lastId, disposition])
  }

  /** Removes an owner's row, once nothing waits for it. */
  async remove(owner: number, id: string): Promise<void> {
    await this.#database.query(removeStatement, [owner, id])
  }

  /** Removes what two devices accepted at the same moment, and neither as the last. */
  async removeLeftOver(): Promise<void> {
    await this.#database.query(leftOverStatement, [])
  }

  async close(): Promise<void> {
    await Promise.all([this.#commits.close(), this.#largeCommits.close()])
  }
}

export interface Advance {
  readonly owners: readonly number[]
  readonly firstId: string
  readonly lastId: string
  readonly disposition: number
}

export interface Advanced {
  readonly owner: number
  /** It was behind. */
  readonly advanced: boolean
}

/** The row of a message for one owner. */
export function storedMessage(
  message: PagerMessage,
  owner: number,
  direction: 'in' | 'out',
  stored: boolean,
): StoredMessage {
  const peer = direction === 'in' ? message.sender.aor : message.recipient
  return { owner, message, direction, peer, stored }
}

/**
 * One statement and one fsync for rows of both tables. A message that is known already (sent again after a lost answer)
 * changes nothing; its rows come back by number. `arrived` is different even for the same message twice in one batch.
 */
const commitSql = `
  with inserted as (
    insert into messages (owner, id, arrived, direction, peer, stored, waiting, request)
    select * from unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::boolean[], $7::int[], $8::bytea[])
    on conflict (owner, id) do nothing
    returning owner, arrived
  ), waits as (
    insert into deferred (owner, device, arrived, message, attempts, next_at, leased_until, expires_at)
    select w.* from unnest($9::bigint[], $10::text[], $11::bigint[], $12::uuid[], $13::int[], $14::timestamptz[],
      $15::timestamptz[], $16::timestamptz[]) as w (owner, device, arrived, message, attempts, next_at, leased_until, expires_at)
    join inserted i on i.owner = w.owner and i.arrived = w.arrived
  )
  select number::int from unnest($1::bigint[], $3::bigint[]) with ordinality as r (owner, arrived, number)
  where not exists (select from inserted i where i.owner = r.owner and i.arrived = r.arrived)`

function commitValues(commits: readonly Commit[]): unknown[] {
  const messages: StoredMessage[] = []
  const waits: Wait[] = []
  const counts: number[] = []
  for (const { message, copy, waiting } of commits) {
    messages.push(message)
    counts.push(waiting.length)
    if (copy !== undefined) {
      messages.push(copy)
      counts.push(0)
    }
    for (const wait of waiting) waits.push({ owner: message.owner, message: message.message, wait })
  }
  return [...messageColumns(messages, counts), ...waitColumns(waits)]
}

function messageColumns(messages: readonly StoredMessage[], counts: readonly number[]): unknown[] {
  return [
    columns.bigints(messages.map(({ owner }) => owner)),
    columns.uuids(messages.map(({ message }) => message.id)),
    columns.bigints(messages.map(({ message }) => message.arrived)),
    columns.texts(messages.map(({ direction }) => direction)),
    columns.texts(messages.map(({ peer }) => peer)),
    columns.booleans(messages.map(({ stored }) => stored)),
    columns.integers(counts),
    columns.bytes(messages.map(({ message }) => writeMessage(message.toKeep()))),
  ]
}

interface Wait {
  readonly owner: number
  readonly message: { readonly id: string; readonly arrived: number }
  readonly wait: WaitingFor
}

/** The columns of `deferred` from its owner on, in the order of the table. */
export function waitColumns(waits: readonly Wait[]): unknown[] {
  return [
    columns.bigints(waits.map(({ owner }) => owner)),
    columns.texts(waits.map(({ wait }) => wait.device)),
    columns.bigints(waits.map(({ message }) => message.arrived)),
    columns.uuids(waits.map(({ message }) => message.id)),
    columns.integers(waits.map(({ wait }) => wait.attempts)),
    columns.times(waits.map(({ wait }) => wait.nextAt)),
    columns.times(waits.map(({ wait }) => wait.leasedUntil)),
    columns.times(waits.map(({ wait }) => wait.expiresAt)),
  ]
}

/** For each commit whether its message came for the first time. */
function firstTimes(commits: readonly Commit[], conflicts: readonly Conflict[]): boolean[] {
  if (conflicts.length === 0) return commits.map(() => true)
  const numbers = new Set(conflicts.map(({ number }) => number))
  let next = 1
  return commits.map(({ copy }) => {
    const own = next
    next += copy === undefined ? 1 : 2
    return !numbers.has(own)
  })
}

/** The states only move forward, whichever device tells of them first. Planned each time, as in deferred-messages.ts. */
const advanceStatement = {
  name: '',
  text: `
    with known as (
      select owner, id from messages where owner = any ($1::bigint[]) and id between $2::uuid and $3::uuid
    ), advanced as (
      update messages m set disposition = $4::int from known k
      where m.owner = k.owner and m.id = k.id and m.disposition < $4::int
      returning m.owner, m.id
    )
    select k.owner, a.id is not null as advanced from known k left join advanced a on a.owner = k.owner and a.id = k.id`,
}

const removeStatement = { name: 'message-remove', text: 'delete from messages where owner = $1 and id = $2' }

const leftOverStatement = {
  name: '',
  text: `delete from messages where (owner, id) in
    (select owner, id from messages where waiting = 0 and not stored order by owner, id limit 500 for update skip locked)`,
}
