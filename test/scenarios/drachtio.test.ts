import { expect, test } from 'vitest'
import { startApp } from '../../src/app.ts'
import { readConfig } from '../../src/config/read-config.ts'
import { readableLog } from '../operations/log-lines.ts'
import { chatSdp } from '../support/chat-sdp.ts'
import { testDatabase } from '../support/database.ts'
import { DrachtioDaemon } from '../support/drachtio-daemon.ts'
import { eventually } from '../support/eventually.ts'
import { awaitCalls, PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { settingsFor } from '../support/sip-stack.ts'
import { startServer } from '../support/start-server.ts'

const end = (name: string) => chatSdp({ path: `msrp://client.invalid:9/${name};tcp` })

test('service returns when the daemon was lost, and what was kept meanwhile arrives', async () => {
  await using server = await startServer({ stack: 'drachtio' })
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  expect((await alice.message(bob.aor, 'before')).status).toBe(202)
  server.daemon?.disconnectApps()
  await eventually(async () => expect((await bob.register()).status).toBe(200))
  expect((await bob.receive('MESSAGE')).text).toBe('before')
  expect((await alice.message(bob.aor, 'after')).status).toBe(200)
})

test('a server is not ready while its daemon is away', async () => {
  await using server = await startServer({ stack: 'drachtio' })
  const ready = async () => (await fetch(`${server.http}/health/ready`)).json()
  expect(await ready()).toEqual({ status: 'ready' })
  await server.daemon?.close()
  await eventually(async () => {
    expect(await ready()).toMatchObject({ reasons: ['sip: no connection to drachtio-server'] })
  })
})

test('a chat ends for both when the daemon was lost, and nothing is held', async () => {
  await using server = await startServer({ stack: 'drachtio' })
  const [alice, bob] = [await server.online('alice'), await server.online('bob')]
  for (const phone of [alice, bob]) awaitCalls(phone)
  const placed = new PlacedCall(alice, bob.aor, { sdp: end('alice') })
  const answering = (await ReceivedCall.next(bob)).answer(end('bob'))
  const { dialog: atAlice } = await placed.answered()
  const { dialog: atBob } = await answering
  expect((await atAlice.request('INFO')).status).toBe(200) // and so the ACK has come as well
  server.daemon?.disconnectApps()
  await Promise.all([atAlice.receive('BYE'), atBob.receive('BYE')])
  await eventually(async () => expect(await server.metric('parley_sessions')).toBe(0))
})

test('a server whose daemon does not know the secret does not start, and says why', async () => {
  await using daemon = await DrachtioDaemon.start()
  const stack = { ...settingsFor(daemon), 'sip.drachtio.secret': 'another' }
  await expect(startServer({ settings: stack })).rejects.toThrow(
    `sip.drachtio: 127.0.0.1:${daemon.port}: it does not accept the secret; start drachtio-server there, with that secret`,
  )
})

test('an admin port that is not on loopback is warned of', async () => {
  await using daemon = await DrachtioDaemon.start({ secret: 'never-to-be-logged' })
  await using database = await testDatabase()
  const { log, lines } = readableLog()
  const settings = {
    ...settingsFor(daemon),
    'sip.drachtio.host': '0.0.0.0',
    domain: 'parley.test',
    'database.url': database.url,
    'http.listen': '127.0.0.1:0',
    'msrp.listen': 'tcp:127.0.0.1:0',
  }
  const app = await startApp(readConfig({ set: Object.entries(settings) }).config, log)
  await app.close()
  expect(lines).toContainEqual(
    expect.objectContaining({ msg: 'drachtio-server obeys whoever reaches its admin port: keep it on loopback' }),
  )
  expect(JSON.stringify(lines)).not.toContain(daemon.secret)
})
