import { expect, test } from 'vitest'
import { startServer } from '../support/start-server.ts'

test('bindings outlive a restart: a phone that says nothing is still reached', async () => {
  await using first = await startServer()
  const listen = `udp:127.0.0.1:${first.address('udp').port}`
  const bob = await first.online('bob')
  await first.app.close()
  const { databaseUrl, daemon } = first
  const second = await startServer({ databaseUrl, daemon, settings: { 'sip.listen': listen } })
  const alice = await second.phone('alice')
  expect((await alice.message(bob.aor, 'still here?')).status).toBe(200)
  expect((await bob.receive('MESSAGE')).text).toBe('still here?')
  await second.stop()
})

test('what was kept before a restart is delivered after it', async () => {
  await using first = await startServer()
  const alice = await first.phone('alice')
  expect((await alice.message(first.aor('bob'), 'kept')).status).toBe(202)
  await first.stop()
  const second = await startServer({ databaseUrl: first.databaseUrl })
  expect((await (await second.online('bob')).receive('MESSAGE')).text).toBe('kept')
  await second.stop()
})

test('a server that stops finishes what is under way', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  let answerNow = () => {}
  const held = new Promise<number>((resolve) => {
    answerNow = () => resolve(200)
  })
  bob.answer = () => held
  const sent = alice.message(bob.aor, 'before you go')
  await bob.receive('MESSAGE')
  const closing = server.app.close()
  answerNow()
  expect((await sent).status).toBe(200)
  await closing
})
