import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { passwordOf } from '../support/add-users.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { Phone } from '../support/phone.ts'
import { awaitCalls } from '../support/phone-call.ts'
import { connect } from '../support/sessions.ts'
import type { SipText } from '../support/sip-text.ts'
import { prepareServer, type SpawnedServer, type SpawnOptions } from '../support/spawn-server.ts'

/** The server as a process, with alice, bob and carol. */
async function startProcess(options: SpawnOptions = {}): Promise<SpawnedServer> {
  const server = await prepareServer(options)
  const file = join(server.dataDir, 'users.csv')
  const lines = ['alice', 'bob', 'carol'].map((user) => `sip:${user}@parley.test,${passwordOf(user)}`)
  await writeFile(file, `uri,password\n${lines.join('\n')}\n`)
  const imported = await server.run('user', 'import', file)
  if (imported.code !== 0) throw new Error(imported.errors)
  await server.start()
  return server
}

async function callable(server: SpawnedServer, user: string): Promise<Phone> {
  const place = server.address('udp')
  const phone = await Phone.open({ user, domain: 'parley.test', password: passwordOf(user), place })
  expect((await phone.register()).status).toBe(200)
  awaitCalls(phone)
  return phone
}

async function metric(server: SpawnedServer, name: string): Promise<number> {
  const text = await (await fetch(`http://${server.http}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

const cseqOf = (request: SipText) => Number.parseInt(request.header('CSeq') ?? '', 10)

test('a server that is killed says BYE to both parties of every session when it is back, and holds nothing', {
  timeout: 120_000,
}, async () => {
  await using server = await startProcess()
  await using alice = await callable(server, 'alice')
  await using bob = await callable(server, 'bob')
  await using carol = await callable(server, 'carol')
  const sessions = [await connect(alice, bob), await connect(alice, carol), await connect(bob, carol)]
  const heard: number[] = []
  for (const { atCaller, atCallee } of sessions) {
    const info = atCallee.receive('INFO')
    expect((await atCaller.request('INFO', { sdp: 'x', contentType: 'text/plain' })).status).toBe(200)
    heard.push(cseqOf(await info))
  }
  await eventually(async () => expect(await metric(server, 'parley_sessions')).toBe(3))
  await eventually(async () => expect(await server.rowsIn('dialogs')).toBe(3))
  await server.kill('SIGKILL')
  const byes = sessions.flatMap(({ atCaller, atCallee }) => [atCaller.receive('BYE'), atCallee.receive('BYE')])
  await server.start()
  for (const [at, bye] of (await Promise.all(byes)).entries()) {
    expect(bye.header('Reason')).toBe('SIP;cause=503;text="Server restarted"')
    if (at % 2 === 1) expect(cseqOf(bye)).toBeGreaterThan(heard[(at - 1) / 2] ?? 0)
  }
  await eventually(async () => expect(await metric(server, 'parley_sessions_abandoned_total')).toBe(3))
  expect(await metric(server, 'parley_sessions')).toBe(0)
  expect(await metric(server, 'parley_msrp_sessions')).toBe(0)
  const { atCaller } = await connect(alice, bob)
  expect((await atCaller.bye()).status).toBe(200)
  expect(await server.kill('SIGTERM')).toBe(0)
  await server.start()
  expect(await metric(server, 'parley_sessions_abandoned_total')).toBe(0)
})

test('with a database of several nodes a node ends what it left itself, and nothing of the others', {
  timeout: 120_000,
}, async () => {
  await using database = await testDatabase()
  await using one = await startProcess({ databaseUrl: database.url })
  await using other = await prepareServer({ databaseUrl: database.url })
  await other.start()
  const [alice, bob] = [await callable(one, 'alice'), await callable(one, 'bob')]
  const atOther = { alice: await callable(other, 'alice'), carol: await callable(other, 'carol') }
  try {
    const left = await connect(alice, bob)
    const stays = await connect(atOther.alice, atOther.carol)
    await eventually(async () => expect(await database.database.knex('dialogs')).toHaveLength(2))
    await one.kill('SIGKILL')
    await one.start()
    await Promise.all([left.atCaller.receive('BYE'), left.atCallee.receive('BYE')])
    await eventually(async () => expect(await database.database.knex('dialogs')).toHaveLength(1))
    expect((await stays.atCaller.bye()).status).toBe(200)
    await stays.atCallee.receive('BYE')
    await eventually(async () => expect(await database.database.knex('dialogs')).toEqual([]))
  } finally {
    for (const phone of [alice, bob, atOther.alice, atOther.carol]) phone.close()
  }
})
