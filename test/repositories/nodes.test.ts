import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { StoredSessions } from '../../src/controllers/session/index.ts'
import { Nodes, type NodesOptions } from '../../src/database/index.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { quiet } from '../support/quiet-log.ts'

let shared: TestDatabase
let directory: string

beforeAll(async () => {
  shared = await testDatabase()
})
afterAll(() => shared.close())
beforeEach(async () => {
  await shared.database.knex.raw('truncate nodes, dialogs')
  directory = await mkdtemp(join(tmpdir(), 'parley-nodes-'))
  return () => rm(directory, { recursive: true, force: true })
})

async function startNode(name: string, options: Partial<NodesOptions> = {}) {
  const { database } = shared
  const node = new Nodes({ database, dataDir: join(directory, name), alone: false, log: quiet, beatMs: 20, ...options })
  await node.start()
  const gone: string[] = []
  const watch = () =>
    node.watch((one) => {
      gone.push(one)
      return Promise.resolve(true)
    })
  return { node, gone, watch, [Symbol.asyncDispose]: () => node.close() }
}

/** A node that says nothing more, as one that was killed; its lock goes with its process. */
async function kill({ node }: { node: Nodes }): Promise<void> {
  const { id } = node
  await node.close()
  await shared.database.knex.raw('update nodes set seen_at = now() where id = ?', [id])
}

const dialog = (n: number) => ({
  callId: `call-${n}`,
  local: '<sip:a@parley.test>;tag=a',
  remote: '<sip:b@parley.test>;tag=b',
  localSeq: n,
  remoteTarget: 'sip:b@192.0.2.1',
  routeSet: ['<sip:proxy.test;lr>'],
})

test('a node knows its own last life at once, by its data directory', async () => {
  const first = await startNode('one')
  await kill(first)
  await using second = await startNode('one', { goneAfterMs: 3_600_000 })
  second.watch()
  await eventually(() => expect(second.gone).toEqual([first.node.id]))
  await eventually(async () => expect(await shared.database.knex('nodes').pluck('id')).toEqual([second.node.id]))
})

test('a node that falls silent is gone for the others after a while, and one that lives is not', async () => {
  const silent = await startNode('silent')
  await using watcher = await startNode('watcher', { goneAfterMs: 300 })
  await using living = await startNode('living', { goneAfterMs: 300 })
  await kill(silent)
  watcher.watch()
  living.watch()
  await eventually(() => expect(watcher.gone).toContain(silent.node.id))
  expect([...watcher.gone, ...living.gone]).not.toContain(living.node.id)
  expect([...watcher.gone, ...living.gone]).not.toContain(watcher.node.id)
})

test('a second process in the same data directory is a node of its own', async () => {
  await using first = await startNode('shared', { goneAfterMs: 3_600_000 })
  await using second = await startNode('shared', { goneAfterMs: 3_600_000 })
  first.watch()
  second.watch()
  const rows = () => shared.database.knex('nodes').select(shared.database.knex.raw(`seen_at = '-infinity' as over`))
  await second.node.close()
  await eventually(() => expect(first.gone).toEqual([second.node.id]))
  expect(await rows()).toEqual([{ over: false }])
})

test('a node that is alone takes over from all', async () => {
  const left = [await startNode('a'), await startNode('b')]
  for (const one of left) await kill(one)
  await using node = await startNode('c', { alone: true, goneAfterMs: 3_600_000 })
  node.watch()
  await eventually(() => expect(node.gone.toSorted()).toEqual(left.map((one) => one.node.id).toSorted()))
})

test('sessions of a node that is gone are taken over once, and come back as they were stored', async () => {
  const { database } = shared
  const ids = ['0a', '0b', '0c'].map((end) => `00000000-0000-4000-8000-0000000000${end}`)
  const [gone, one, two] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()]
  const rows = new StoredSessions({ database, node: gone })
  await Promise.all(ids.map((id, n) => rows.put({ id, dialogs: [dialog(n), dialog(n + 10)] })))
  await rows.put({ id: ids[0] ?? '', dialogs: [dialog(90), { ...dialog(91), flow: 'tcp:7' }] })
  await rows.remove(ids[2] ?? '')
  const heirs = [new StoredSessions({ database, node: one }), new StoredSessions({ database, node: two })] as const
  const claimed = (await Promise.all(heirs.map((heir) => heir.claim(gone, 10)))).flat()
  expect(claimed.toSorted((a, b) => a.id.localeCompare(b.id))).toEqual([
    { id: ids[0], dialogs: [dialog(90), { ...dialog(91), flow: 'tcp:7' }] },
    { id: ids[1], dialogs: [dialog(1), dialog(11)] },
  ])
  expect(await heirs[0].areThere(gone)).toBe(false)
  await Promise.all([rows, ...heirs].map((each) => each.close()))
})
