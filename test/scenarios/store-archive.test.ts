import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { passwordOf } from '../support/add-users.ts'
import { ContentClient } from '../support/content-client.ts'
import { eventually } from '../support/eventually.ts'
import { attachments, multipart, NmsClient, newObject } from '../support/nms-client.ts'
import { prepareServer, type SpawnedServer } from '../support/spawn-server.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 }) // processes start one after the other

/** In whatever alice keeps, and nobody else. */
const word = 'quokka'

let server: TestServer
/** The command line beside it, on the same database. */
let parley: SpawnedServer
let directory: string
beforeAll(async () => {
  server = await startServer({
    settings: { 'storage.default': 'always', 'storage.notifications.callbackTo': '127.0.0.1' },
  })
  parley = await prepareServer({ databaseUrl: server.databaseUrl })
  directory = await mkdtemp(join(tmpdir(), 'parley-archive-'))
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await parley[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

const file = (name: string) => join(directory, name)

const textPart = (body: string | Buffer) => ({ headers: { 'Content-Type': 'text/plain' }, body })

/** Messages both ways, what waits for a phone, objects of REST small and large, folders, a deletion, a subscription. */
async function moveIn(user: string, to: string): Promise<NmsClient> {
  const [phone, other] = [await server.online(user), await server.online(to)]
  expect((await phone.message(other.aor, `${word} one`)).status).toBe(200)
  expect((await other.message(phone.aor, `${word} two`)).status).toBe(200)
  const nms = await NmsClient.open(server, user)
  const object = newObject({ Subject: `${word} three` }, { parentFolderPath: `/${word}` })
  const large = Buffer.alloc(900_000, `${word} `)
  for (const body of [`${word} four`, large, 'goes']) {
    const parts = multipart([textPart(body), textPart(`${word} five`)], 'inner')
    const reply = await nms.upload(object, [attachments('multipart/mixed; boundary="inner"', parts)])
    expect(reply.status, reply.text).toBe(201)
    if (body === 'goes') expect((await nms.delete(reply.location)).status).toBe(204)
  }
  const subscribed = await nms.send('POST', '/subscriptions', 'nmsSubscription', {
    callbackReference: { notifyURL: `http://127.0.0.1:9/${word}`, callbackData: word },
    duration: 600,
  })
  expect(subscribed.status, subscribed.text).toBe(201)
  phone.close()
  await server.query(`delete from bindings where owner = ${await idOf(user)}`)
  return nms
}

const idOf = async (user: string) => {
  const [row] = await server.query(`select id from subscribers where username = '${user}'`)
  return Number(row?.id)
}

/** Every table that says whose its rows are. */
async function ownedTables(): Promise<readonly string[]> {
  const rows = await server.query(
    `select c.table_name as name from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
     where c.table_schema = 'public' and c.column_name = 'owner' and t.table_type = 'BASE TABLE' order by 1`,
  )
  return rows.map(({ name }) => String(name))
}

/** Rows of an owner, by table, without tables that have none. */
async function rowsOf(owner: number): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const table of await ownedTables()) {
    const [row] = await server.query(`select count(*)::int as n from ${table} where owner = ${owner}`)
    if (row?.n !== 0) found[table] = Number(row?.n)
  }
  return found
}

/** Tables in whose rows of an owner the word occurs, as text or as bytes. */
async function tablesWith(owner: number): Promise<readonly string[]> {
  const hex = Buffer.from(word).toString('hex')
  const found: string[] = []
  for (const table of await ownedTables()) {
    const rows = await server.query(
      `select 1 from ${table} r where owner = ${owner} and (r::text ilike '%${word}%' or r::text ilike '%${hex}%') limit 1`,
    )
    if (rows.length > 0) found.push(table)
  }
  return found
}

describe.each(['jsonl', 'mbox'])('%s', (format) => {
  test('what a user has is exported beside a running server, and imported by another one', async () => {
    if (format === 'jsonl') await moveIn('alice', 'bob')
    const all = await parley.run('store', 'export', 'alice', '--format', format, '--out', file(format))
    expect(all).toEqual({
      code: 0,
      output: `exported 4 objects of sip:alice@parley.test to ${file(format)}\n`,
      errors: '',
    })
    expect((await stat(file(format))).mode & 0o777).toBe(0o600)
    const added = await parley.run('user', 'add', `${format}-carl`, '--password', passwordOf('carl'))
    expect(added.code).toBe(0)
    const there = await parley.run('store', 'import', `${format}-carl`, file(format))
    expect(there.output).toBe(`imported 4 objects for sip:${format}-carl@parley.test, 0 were there\n`)
    const again = await parley.run('store', 'import', `${format}-carl`, file(format), '--json')
    expect(JSON.parse(again.output)).toEqual({ added: 0, known: 4, faults: 0 })
    const [from, to] = await Promise.all(
      ['alice', `${format}-carl`].map(async (user) => {
        const { code, output, errors } = await parley.run('store', 'export', user)
        expect([code, errors]).toEqual([0, `exported 4 objects of sip:${user}@parley.test\n`])
        return output.slice(output.indexOf('\n'))
      }),
    )
    expect(to === from).toBe(true)
    expect(from).toContain(`${word}`)
  })
})

test('an import is seen at once by clients of the running server', async () => {
  const nms = await NmsClient.open(server, 'carol')
  const line = (await readFile(file('jsonl'), 'utf8')).split('\n').find((one) => one.startsWith('{"object"')) ?? ''
  await writeFile(file('one'), `${line}\n`)
  const channel = await nms.send('POST', '/objects/operations/search', 'selectionCriteria', { maxEntries: 10 })
  expect(channel.read('objectList').object ?? []).toHaveLength(0)
  expect((await parley.run('store', 'import', 'carol', file('one'))).code).toBe(0)
  const found = await nms.send('POST', '/objects/operations/search', 'selectionCriteria', { maxEntries: 10 })
  expect(found.read('objectList').object).toHaveLength(1)
})

test('a bad line is said by its number and skipped; with --strict nothing is imported', async () => {
  const lines = (await readFile(file('jsonl'), 'utf8')).split('\n')
  await writeFile(file('bad'), ['{"object":{}}', ...lines].join('\n'))
  const before = await rowsOf(await idOf('bob'))
  const strict = await parley.run('store', 'import', 'bob', file('bad'), '--strict')
  expect([strict.code, strict.output]).toEqual([1, ''])
  expect(strict.errors).toMatch(
    /bad, line 1: not a line of an archive: .*\nparley: malformed: .*1 bad line, nothing is imported\n$/,
  )
  expect(await rowsOf(await idOf('bob'))).toEqual(before)
  const skipped = await parley.run('store', 'import', 'bob', file('bad'))
  expect(skipped.code).toBe(1)
  expect(skipped.output).toMatch(/^imported \d objects for sip:bob@parley\.test, \d were there, 1 skipped\n$/)
})

test('who is nobody, a format that is none and a file that is not there are said', async () => {
  expect(await parley.run('store', 'export', 'nobody')).toMatchObject({
    code: 1,
    errors: 'parley: not found: sip:nobody@parley.test\n',
  })
  expect((await parley.run('store', 'export', 'alice', '--format', 'pst')).code).toBe(2)
  expect(await parley.run('store', 'import', 'alice', file('none'))).toMatchObject({
    code: 1,
    errors: expect.stringMatching(/^parley: .*none: ENOENT/),
  })
  expect((await parley.run('store', 'export', 'alice', '--out', join(directory, 'no', 'where'))).code).toBe(1)
})

describe('erase', () => {
  test('asks, and without a yes nothing goes', async () => {
    const owner = await idOf('alice')
    const before = await rowsOf(owner)
    for (const answer of ['no', '']) {
      const asking = parley.begin('store', 'erase', 'alice')
      await asking.said('erase all that sip:alice@parley.test has stored (4 objects')
      if (answer !== '') asking.type(answer)
      asking.endInput()
      expect(await asking.ended).toBe(1)
    }
    expect(await rowsOf(owner)).toEqual(before)
  })

  test('leaves nothing of it in any table, and nothing else is touched', async () => {
    const owner = await idOf('alice')
    const [alice, bob] = [await rowsOf(owner), await rowsOf(await idOf('bob'))]
    expect(await tablesWith(owner)).toEqual(['chunks', 'folders', 'message_parts', 'messages', 'nms_subscriptions'])
    const asking = parley.begin('store', 'erase', 'alice')
    await asking.said('yes or no')
    asking.type('yes')
    expect(await asking.line()).toBe('erased 4 objects of sip:alice@parley.test')
    expect(await asking.ended).toBe(0)
    expect(await tablesWith(owner)).toEqual([])
    const of = {
      mailbox: ['chunks', 'folders', 'mailboxes', 'message_parts', 'messages', 'nms_subscriptions', 'tombstones'],
    }
    for (const table of of.mailbox) expect(alice, table).toHaveProperty(table)
    const left = Object.fromEntries(Object.entries(alice).filter(([table]) => !of.mailbox.includes(table)))
    expect(await rowsOf(owner)).toEqual(left)
    expect(await rowsOf(await idOf('bob'))).toEqual(bob)
  })

  test('is seen at once by clients of the running server, and a new message begins a new mailbox', async () => {
    const nms = await NmsClient.open(server, 'alice')
    const all = () => nms.send('POST', '/objects/operations/search', 'selectionCriteria', { maxEntries: 10 })
    expect((await all()).read('objectList').object ?? []).toHaveLength(0)
    const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
    expect((await alice.message(bob.aor, 'begins')).status).toBe(200)
    expect((await all()).read('objectList').object).toHaveLength(1)
  })
})

test('a user who is removed leaves nothing in any table that says whose its rows are', async () => {
  const owner = await idOf('carol')
  await moveIn('carol', 'bob')
  await (await ContentClient.open(server, 'carol')).up({ body: Buffer.from(word) })
  const bob = await rowsOf(await idOf('bob'))
  expect(Object.keys(await rowsOf(owner)).length).toBeGreaterThan(7)
  expect((await parley.run('user', 'remove', 'carol')).code).toBe(0)
  await eventually(async () => expect(await rowsOf(owner)).toEqual({}))
  expect(await rowsOf(await idOf('bob'))).toEqual(bob)
})
