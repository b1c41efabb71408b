import { columns, type Database, GroupCommit } from '../../database/index.ts'
import { type SipRequest, writeMessage } from '../../protocols/sip/message.ts'
import { historyColumns } from './history-columns.ts'
import type { PagerMessage } from './pager-message.ts'
import type { StoredMessage } from './stored-message.ts'

export { type StoredMessage, storedMessage } from './stored-message.ts'

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

/** What came of a commit. */
export interface Committed {
  /** It was not known before. */
  readonly isNew: boolean
  /** The mailbox of its owner, or of the owner of the copy, is full: there it is no part of the history. */
  readonly full: boolean
  readonly copyFull: boolean
}

interface Conflict {
  readonly number: number
  readonly outcome?: 'known' | 'full'
}

/** Bytes. A batch of larger requests would fill the memory: they come and go one at a time. */
export const largeRequest = 131_072

export interface RepositoryOptions {
  readonly database: Database
  readonly onBatch?: (name: string, size: number) => void
}

/** What a mailbox may hold, and who is told of it. */
export interface HistoryOptions {
  /** 0: any number. */
  readonly maxBytes: number
  readonly maxObjects: number
  /** Text search configurations of Postgres. */
  readonly languages: readonly string[]
  /** The mailbox of `owner` has changed. */
  readonly changed: (owner: number) => void
  /** A message was not stored, as the mailbox is full. */
  readonly full: (owner: number) => void
}

const unbounded: HistoryOptions = { maxBytes: 0, maxObjects: 0, languages: ['simple'], changed() {}, full() {} }

/** Messages, one row for each owner. Those of histories are in their owner's mailbox, and come with more about them. */
export class StoredMessages {
  readonly #database: Database
  readonly #history: HistoryOptions
  readonly #commits: CommitQueue
  readonly #stores: CommitQueue
  /** One at a time, so that their copies do not fill the memory. */
  readonly #largeCommits: CommitQueue
  readonly #largeStores: CommitQueue
  /** Messages that the mailbox of their sender had no room for. */
  readonly #refused = new WeakSet<PagerMessage>()

  constructor({ database, onBatch, history = unbounded }: RepositoryOptions & { readonly history?: HistoryOptions }) {
    this.#database = database
    this.#history = history
    const told = { database, onBatch: (size: number) => onBatch?.('messages', size) }
    const commits = { ...told, name: 'message-commit', text: commitSql, toValues: commitValues, toResults: firstTimes }
    const stores = {
      ...told,
      name: 'message-store',
      text: storeSql,
      toValues: (commits: readonly Commit[]) => storeValues(commits, history),
      toResults: (commits: readonly Commit[], conflicts: readonly Conflict[]) => this.#taken(commits, conflicts),
    }
    this.#commits = new GroupCommit(commits)
    this.#largeCommits = new GroupCommit({ ...commits, maxBatch: 1 })
    this.#stores = new GroupCommit(stores)
    this.#largeStores = new GroupCommit({ ...stores, maxBatch: 1 })
  }

  /** Rows and what they wait for, or neither where the message is known already: then false. */
  async commit(commit: Commit): Promise<boolean> {
    return (await this.store(commit)).isNew
  }

  /** The same. Of a message that a full mailbox does not take only what waits is kept. */
  store(commit: Commit): Promise<Committed> {
    const large = commit.message.message.request.body.length > largeRequest
    const stores = commit.message.stored || commit.copy?.stored === true
    if (stores) return (large ? this.#largeStores : this.#stores).add(commit)
    return (large ? this.#largeCommits : this.#commits).add(commit)
  }

  /** Whether a copy for its sender was to be stored, and the mailbox is full. */
  refusedCopyOf(message: PagerMessage): boolean {
    return this.#refused.has(message)
  }

  get waiting(): number {
    return this.#queues.reduce((sum, { waiting }) => sum + waiting, 0)
  }

  /**
   * Moves the state of a message forward in the rows of `owners`; in the mailbox of `reader`, who has seen it, it counts as
   * seen. Tells of each row that there is.
   */
  async advance({ owners, firstId, lastId, disposition, reader = null }: Advance): Promise<Advanced[]> {
    const values = [columns.bigints(owners), firstId, lastId, disposition, reader]
    const rows = await this.#database.query<Advanced>(advanceStatement, values)
    for (const { owner, advanced } of rows) if (advanced || owner === reader) this.#history.changed(owner)
    return rows
  }

  /** Removes an owner's row, once nothing waits for it. */
  async remove(owner: number, id: string): Promise<void> {
    await this.#database.query(removeStatement, [owner, id])
    this.#history.changed(owner)
  }

  /** Removes what two devices accepted at the same moment, and neither as the last. */
  async removeLeftOver(): Promise<void> {
    await this.#database.query(leftOverStatement, [])
  }

  async close(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.close()))
  }

  get #queues(): readonly CommitQueue[] {
    return [this.#commits, this.#largeCommits, this.#stores, this.#largeStores]
  }

  #taken(commits: readonly Commit[], conflicts: readonly Conflict[]): Committed[] {
    const results = firstTimes(commits, conflicts)
    const { changed } = this.#history
    commits.forEach(({ message, copy }, index) => {
      const { isNew, full: isFull, copyFull } = results[index] as Committed
      if (isFull) this.#refuse(message)
      else if (message.stored && isNew) changed(message.owner)
      if (copy !== undefined && copyFull) this.#refuse(copy)
      else if (copy?.stored === true) changed(copy.owner)
    })
    return results
  }

  #refuse({ owner, message, direction }: StoredMessage): void {
    if (direction === 'out') this.#refused.add(message)
    this.#history.full(owner)
  }
}

type CommitQueue = GroupCommit<Commit, Committed, Conflict>

export interface Advance {
  readonly owners: readonly number[]
  readonly firstId: string
  readonly lastId: string
  readonly disposition: number
  /** Who has seen it. */
  readonly reader?: number | null
}

export interface Advanced {
  readonly owner: number
  /** It was behind. */
  readonly advanced: boolean
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

/** The same for mailboxes, which have more to do than one statement can: a function of the database does it. */
const storeSql = `select number, outcome from take_messages(${Array.from({ length: 30 }, (_, n) => `$${n + 1}`).join(', ')})`

function commitValues(commits: readonly Commit[]): unknown[] {
  const { messages, counts, waits } = rowsOf(commits)
  return [...messageColumns(messages, keptOf(messages), counts), ...waitColumns(waits)]
}

function storeValues(commits: readonly Commit[], { languages, maxObjects, maxBytes }: HistoryOptions): unknown[] {
  const { messages, counts, waits } = rowsOf(commits)
  const kept = keptOf(messages)
  const history = historyColumns(messages, kept)
  return [...messageColumns(messages, kept, counts), ...history, ...waitColumns(waits), languages, maxObjects, maxBytes]
}

function rowsOf(commits: readonly Commit[]) {
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
  return { messages, counts, waits }
}

function messageColumns(
  messages: readonly StoredMessage[],
  kept: readonly SipRequest[],
  counts: readonly number[],
): unknown[] {
  return [
    columns.bigints(messages.map(({ owner }) => owner)),
    columns.uuids(messages.map(({ message }) => message.id)),
    columns.bigints(messages.map(({ message }) => message.arrived)),
    columns.texts(messages.map(({ direction }) => direction)),
    columns.texts(messages.map(({ peer }) => peer)),
    columns.booleans(messages.map(({ stored }) => stored)),
    columns.integers(counts),
    columns.bytes(onceEach(kept, writeMessage)),
  ]
}

/** The copy of a message's sender is as that of its recipient. */
const keptOf = (messages: readonly StoredMessage[]): SipRequest[] =>
  onceEach(
    messages.map(({ message }) => message),
    (message) => message.toKeep(),
  )

/** What is the same as before it is not worked out again. */
function onceEach<T, Result>(all: readonly T[], work: (one: T) => Result): Result[] {
  const results: Result[] = []
  all.forEach((one, index) => {
    results.push(index > 0 && all[index - 1] === one ? (results[index - 1] as Result) : work(one))
  })
  return results
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

const [isNew, isKnown]: readonly Committed[] = [
  { isNew: true, full: false, copyFull: false },
  { isNew: false, full: false, copyFull: false },
]

/** For each commit whether its message came for the first time, and found room. */
function firstTimes(commits: readonly Commit[], conflicts: readonly Conflict[]): Committed[] {
  if (conflicts.length === 0) return commits.map(() => isNew as Committed)
  const outcomes = new Map(conflicts.map(({ number, outcome }) => [number, outcome ?? 'known']))
  let next = 1
  return commits.map(({ copy }) => {
    const own = outcomes.get(next)
    const copys = copy === undefined ? undefined : outcomes.get(next + 1)
    next += copy === undefined ? 1 : 2
    if (own !== 'full' && copys !== 'full') return (own === 'known' ? isKnown : isNew) as Committed
    return { isNew: own !== 'known', full: own === 'full', copyFull: copys === 'full' }
  })
}

/** The states only move forward, whichever device tells of them first. */
const advanceStatement = {
  name: 'message-advance',
  text: 'select owner, advanced from advance_messages($1, $2, $3, $4, $5)',
}

/** What is in a mailbox goes as from there. */
const removeStatement = {
  name: 'message-remove',
  text: `with plain as (delete from messages where owner = $1 and id = $2 and folder is null)
    select remove_objects(m.owner, array[m.id], false) from messages m where m.owner = $1 and m.id = $2 and m.folder is not null`,
}

const leftOverStatement = {
  name: '',
  text: `delete from messages where (owner, id) in
    (select owner, id from messages where waiting = 0 and not stored order by owner, id limit 500 for update skip locked)`,
}
