import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { expect, test } from 'vitest'
import { passwordOf } from '../support/add-users.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { Phone } from '../support/phone.ts'
import { awaitCalls } from '../support/phone-call.ts'
import { connect } from '../support/sessions.ts'
import { prepareServer, type SpawnedServer } from '../support/spawn-server.ts'

async function callable(server: SpawnedServer, user: string): Promise<Phone> {
  const place = server.address('udp')
  const phone = await Phone.open({ user, domain: 'parley.test', password: passwordOf(user), place })
  expect((await phone.register()).status).toBe(200)
  awaitCalls(phone)
  return phone
}

test('a session whose server was killed gets its end in the histories of both when it is back', {
  timeout: 120_000,
}, async () => {
  await using database = await testDatabase()
  await using server = await prepareServer({
    databaseUrl: database.url,
    settings: { 'storage.default': 'always' },
  })
  const file = join(server.dataDir, 'users.csv')
  const lines = ['alice', 'bob'].map((user) => `sip:${user}@parley.test,${passwordOf(user)}`)
  await writeFile(file, `uri,password\n${lines.join('\n')}\n`)
  expect((await server.run('user', 'import', file)).code).toBe(0)
  await server.start()
  await using alice = await callable(server, 'alice')
  await using bob = await callable(server, 'bob')
  const { atCaller, atCallee } = await connect(alice, bob)
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const ends = async () => {
    const { rows } = await client.query(
      `select attributes ? 'Session-End' as ended from messages where kind = 'session'`,
    )
    return rows.map(({ ended }) => ended)
  }
  const namedInRow = async () => {
    const { rows } = await client.query('select dialogs from dialogs')
    return rows.map(({ dialogs }) => JSON.parse(dialogs).kept?.length)
  }
  try {
    await eventually(async () => expect(await namedInRow()).toEqual([2]))
    expect(await ends()).toEqual([false, false])
    await server.kill('SIGKILL')
    const byes = [atCaller.receive('BYE'), atCallee.receive('BYE')]
    await server.start()
    await Promise.all(byes)
    await eventually(async () => expect(await ends()).toEqual([true, true]))
  } finally {
    await client.end()
  }
})
