import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { passwordOf } from '../support/add-users.ts'
import { testDatabase } from '../support/database.ts'
import { FileThrough } from '../support/file-through.ts'
import { forgetPeak, peakMemory } from '../support/peak-memory.ts'
import { Phone } from '../support/phone.ts'
import { awaitCalls } from '../support/phone-call.ts'
import { prepareServer, type SpawnedServer } from '../support/spawn-server.ts'

const mebibyte = 1024 * 1024
/** `npm run bench:msrp -- --cases file` sends 1 GiB. */
const mebibytes = 256

/** The server as a process of its own, with alice and bob. */
async function startProcess(databaseUrl: string): Promise<SpawnedServer> {
  const settings = { 'session.maxFileSize': '1GiB' }
  const server = await prepareServer({ databaseUrl, settings })
  const file = join(server.dataDir, 'users.csv')
  const lines = ['alice', 'bob'].map((user) => `sip:${user}@parley.test,${passwordOf(user)}`)
  await writeFile(file, `uri,password\n${lines.join('\n')}\n`)
  const imported = await server.run('user', 'import', file)
  if (imported.code !== 0) throw new Error(imported.errors)
  await server.start()
  return server
}

async function online(server: SpawnedServer, user: string): Promise<Phone> {
  const place = server.address('udp')
  const phone = await Phone.open({ user, domain: 'parley.test', password: passwordOf(user), place })
  expect((await phone.register()).status).toBe(200)
  awaitCalls(phone)
  return phone
}

test('a large file passes in constant memory, at the pace of its reader, and costs no other session anything', {
  timeout: 300_000,
}, async () => {
  await using database = await testDatabase()
  await using server = await startProcess(database.url)
  await using alice = await online(server, 'alice')
  await using bob = await online(server, 'bob')
  const before = forgetPeak(server.pid)
  const large = await FileThrough.open(alice, bob, mebibytes)
  large.receiver.stream.socket.pause()
  const sending = large.send()
  for (let count = 0; count < 3; count++) {
    const other = await FileThrough.open(alice, bob, 16)
    expect(await other.send()).toBe('200 OK')
    await other.close()
  }
  expect(large.sender.sent).toBeLessThan((mebibytes / 2) * mebibyte)
  large.receiver.stream.socket.resume()
  expect(await sending).toBe('200 OK')
  expect([large.receiver.received, large.receiver.digest()]).toEqual([large.bytes, large.digest()])
  await large.close()
  expect(peakMemory(server.pid) - before).toBeLessThan(96 * mebibyte)
})
