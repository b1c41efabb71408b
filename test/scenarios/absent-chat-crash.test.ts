import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { passwordOf } from '../support/add-users.ts'
import { Chat, chatTag } from '../support/chat.ts'
import { eventually } from '../support/eventually.ts'
import { Phone } from '../support/phone.ts'
import { awaitCalls } from '../support/phone-call.ts'
import { prepareServer, type SpawnedServer } from '../support/spawn-server.ts'

async function phoneOf(server: SpawnedServer, user: string): Promise<Phone> {
  const place = server.address('udp')
  const phone = await Phone.open({ user, domain: 'parley.test', password: passwordOf(user), place })
  awaitCalls(phone)
  return phone
}

async function metric(server: SpawnedServer, name: string): Promise<number> {
  const text = await (await fetch(`http://${server.http}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

test('a server that is killed while it takes in a chat, and again while it gives it, loses nothing', {
  timeout: 240_000,
}, async () => {
  await using server = await prepareServer()
  const file = join(server.dataDir, 'users.csv')
  const lines = ['alice', 'bob'].map((user) => `sip:${user}@parley.test,${passwordOf(user)}`)
  await writeFile(file, `uri,password\n${lines.join('\n')}\n`)
  expect(await server.run('user', 'import', file)).toMatchObject({ code: 0 })
  await server.start()
  await using alice = await phoneOf(server, 'alice')
  await using bob = await phoneOf(server, 'bob')
  expect((await alice.register()).status).toBe(200)
  const chat = await Chat.open(server, alice, bob.aor)
  const texts = Array.from({ length: 5 }, (_, at) => `number ${at}`)
  for (const text of texts) expect(await chat.say(bob.aor, text)).toBe('200 OK')
  await eventually(async () => expect(await server.rowsIn('dialogs')).toBe(1))
  await server.kill('SIGKILL')
  await server.start()
  expect((await chat.dialog.receive('BYE')).header('Reason')).toContain('Server restarted')
  await chat.msrp.close()
  expect((await bob.register({ params: [chatTag] })).status).toBe(200)
  const given = await Chat.join(server, bob)
  const heard = [await given.hear(), await given.hear()]
  await given.msrp.receive() // and does not acknowledge it
  await server.kill('SIGKILL')
  await server.start()
  await given.msrp.close()
  expect((await bob.register({ params: [chatTag] })).status).toBe(200)
  const rest = await Chat.join(server, bob)
  while (new Set(heard).size < texts.length) heard.push(await rest.hear())
  expect([...new Set(heard)]).toEqual(texts)
  await rest.bye()
  await eventually(async () => {
    for (const name of ['parley_sessions', 'parley_msrp_sessions']) expect(await metric(server, name)).toBe(0)
  })
})
