import { PagerMessage } from '../../../src/controllers/message/pager-message.ts'
import { type StoredMessage, storedMessage } from '../../../src/controllers/message/stored-messages.ts'
import { domain } from '../bench-server.ts'
import { type Measured, measureClients, type Work } from './clients.ts'
import type { OpenStore } from './open-store.ts'
import { addressOf, asObject, asRequest, say } from './said.ts'
import type { StoreBench } from './store-bench.ts'

export interface Inserts {
  /** Messages for two owners each, through the group commit of messages. */
  readonly commit: Measured
  /** Objects for one owner each. */
  readonly create: Measured
}

let last = Date.now() // what an earlier run has left is not the same message

/** Each client has one message under way, as those of Dovecot. */
export async function measureInserts(bench: StoreBench, store: OpenStore, objects: number): Promise<Inserts> {
  const { clients, seconds } = bench.options
  const around = { clients, seconds, pids: [process.pid], postgresPids: bench.postgres.pids }
  const commit = await measureClients({ ...around, act: (client) => commitOne(store, client) })
  const create = await measureClients({ ...around, act: (client) => createOne(store, client) })
  const line = { case: 'insert', server: 'parley', fsync: 'synchronous_commit=on', clients, objects }
  bench.report({ ...line, door: 'StoredMessages.commit, both sides', ...commit })
  bench.report({ ...line, door: 'Mailboxes.create', ...create })
  return { commit, create }
}

/** Many more at once: what a busy server commits together. */
export async function measureCrowd(bench: StoreBench, store: OpenStore): Promise<void> {
  const clients = 500
  const act = (client: number) => commitOne(store, client)
  const work: Work = { clients, seconds: bench.options.seconds, pids: [process.pid], act }
  const commit = await measureClients({ ...work, postgresPids: bench.postgres.pids })
  const line = { case: 'insert', server: 'parley', fsync: 'synchronous_commit=on', clients }
  bench.report({ ...line, door: 'StoredMessages.commit, both sides', ...commit })
}

async function commitOne({ messages }: OpenStore, client: number): Promise<void> {
  const [owner, other] = [ownerOf(client), ownerOf(client + 1)]
  const said = say(++last, addressOf(other), addressOf(owner))
  const message = new PagerMessage({
    request: asRequest(said),
    sender: { aor: said.from, trusted: true, anonymous: false },
    recipient: said.to,
    arrived: last * 1000,
    newId: () => '',
    isLocal: (name) => name === domain,
  })
  const copyOf = (of: number, direction: 'in' | 'out'): StoredMessage => storedMessage(message, of, direction, true)
  const first = await messages.commit({ message: copyOf(owner, 'in'), copy: copyOf(other, 'out'), waiting: [] })
  if (!first) throw new Error('a message was taken for one that is known')
}

async function createOne({ mailboxes }: OpenStore, client: number): Promise<void> {
  const said = say(++last, addressOf(ownerOf(client + 1)), addressOf(ownerOf(client)))
  await mailboxes.create(ownerOf(client), asObject(said))
}

/** Not those whose mailboxes were filled. */
const ownerOf = (client: number): number => 10_000 + client
