import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { ownPostgres } from '../support/own-postgres.ts'
import { PlacedCall } from '../support/phone-call.ts'
import { callable, chatOf, connect } from '../support/sessions.ts'
import { startServer, usualUsers } from '../support/start-server.ts'

test('with the database away sessions go on and end, and a new one is to be tried again later', {
  timeout: 120_000,
}, async () => {
  await using postgres = await ownPostgres()
  await using server = await startServer({ databaseUrl: postgres.url, users: usualUsers })
  const [alice, bob] = [await server.phone('alice'), await callable(server, 'bob')]
  const [stays, ends] = [await connect(alice, bob), await connect(alice, bob)]
  const stored = async () => (await server.query('select session from dialogs')).length
  await eventually(async () => expect(await stored()).toBe(2))
  await postgres.stop()
  const info = stays.atCallee.receive('INFO')
  expect((await stays.atCaller.request('INFO', { sdp: 'x', contentType: 'text/plain' })).status).toBe(200)
  await info
  expect((await ends.atCaller.bye()).status).toBe(200)
  await ends.atCallee.receive('BYE')
  await eventually(async () => {
    const refused = await new PlacedCall(alice, bob.aor, { sdp: chatOf('alice') }).final
    expect([refused.status, Number(refused.header('Retry-After')) > 0]).toEqual([503, true])
  })
  expect(await server.metric('parley_sessions')).toBe(1)
  await postgres.startAgain()
  const again = await eventually(() => connect(alice, bob), 60_000)
  await eventually(async () => expect(await stored()).toBe(2), 60_000)
  await again.atCaller.bye()
  await stays.atCaller.bye()
  await eventually(async () => expect(await stored()).toBe(0))
})
