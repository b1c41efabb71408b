import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer, type TestServer } from '../support/start-server.ts'

const token = 'a-token-for-the-tests'
let server: TestServer
beforeAll(async () => {
  server = await startServer({ settings: { 'admin.token': token } })
})
afterAll(() => server[Symbol.asyncDispose]())

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape, which the tests look into
async function ask(what: string, body?: unknown): Promise<{ status: number; body: any }> {
  const [method = '', path = ''] = what.split(' ')
  const answer = await fetch(`${server.http}/admin/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
}

test('a user keeps their name while the number changes, and is reached at the new number only', async () => {
  const uri = server.aor('emil')
  await ask('POST /users', { uri, password: 'emil-secret', tel: '+15550055', name: 'Emil' })
  const { body } = await ask(`PATCH /users/${uri}`, { tel: 'tel:+1-555-0056' })
  expect(body).toEqual({ uri, name: 'Emil', identities: [uri, 'tel:+15550056', server.aor('+15550056')] })
  const alice = await server.online('alice')
  const emil = await server.online('emil')
  expect((await alice.message('tel:+15550056', 'new')).status).toBe(200)
  expect((await emil.receive('MESSAGE')).text).toBe('new')
  expect((await alice.message('tel:+15550055', 'old')).status).toBe(404)
  expect((await ask(`PATCH /users/${uri}`, { tel: '+15550001' })).status).toBe(409)
  expect((await ask(`PATCH /users/${uri}`, { tel: '', name: 'E.' })).body.identities).toEqual([uri])
})

test('a message that waits is seen and can be taken away, with its content only when asked for', async () => {
  const bob = await server.online('bob')
  const uri = server.aor('frida')
  await ask('POST /users', { uri, password: 'frida-secret' })
  for (const text of ['first', 'second', 'third']) expect((await bob.message(uri, text)).status).toBe(202)
  const user = encodeURIComponent(uri)
  const { deferred } = (await ask(`GET /deferred?user=${user}`)).body
  expect(deferred).toMatchObject(Array(3).fill({ user: uri, peer: server.aor('bob'), device: '', attempts: 0 }))
  const [first, second] = deferred.map(({ message }: { message: string }) => message)
  expect((await ask(`GET /messages/${first}`)).body.copies[0]).not.toHaveProperty('content')
  const { copies } = (await ask(`GET /messages/${first}?content=true&user=${user}`)).body
  expect(Buffer.from(copies[0].content, 'base64').toString()).toBe('first')
  const callId = copies[0].headers.find(({ name }: { name: string }) => name === 'Call-ID').value
  expect((await ask(`GET /messages/${callId}?user=${user}`)).body.copies[0].message).toBe(first)
  expect((await ask(`DELETE /messages/${first}`)).body).toEqual({ removed: 1 })
  expect((await ask(`DELETE /deferred?user=${user}&message=${second}`)).body).toEqual({ removed: 1 })
  expect((await ask(`GET /messages/${second}`)).status).toBe(404)
  const frida = await server.online('frida', { password: 'frida-secret' })
  expect((await frida.receive('MESSAGE')).text).toBe('third')
})

test('health and metrics tell what goes on', async () => {
  expect(await (await fetch(`${server.http}/health/live`)).json()).toEqual({ status: 'live' })
  expect(await (await fetch(`${server.http}/health/ready`)).json()).toEqual({ status: 'ready' })
  const text = await (await fetch(`${server.http}/metrics`)).text()
  for (const series of [
    'parley_sip_requests_total{method="REGISTER",status="200"}',
    'parley_sip_request_seconds_count{method="REGISTER"}',
    'parley_group_commit_rows_count{name="bindings"}',
    'parley_queue_depth{queue="requests"}',
    'parley_bindings',
    'parley_deferred_messages',
    'parley_event_loop_delay_seconds{quantile="0.99"}',
  ]) {
    expect(text).toMatch(new RegExp(`^${series.replace(/[{}]/g, '\\$&')} [0-9.]+`, 'm'))
  }
})
