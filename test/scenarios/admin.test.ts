import { expect, test } from 'vitest'
import { startServer, type TestServer } from '../support/start-server.ts'

const token = 'a-token-for-tests-only'

interface Answers {
  readonly bindings: readonly unknown[]
  readonly deferred: readonly unknown[]
  readonly copies: readonly { readonly id: string; readonly content?: string }[]
}

async function read(server: TestServer, path: string): Promise<Answers> {
  return (await (await ask(server, path)).json()) as Answers
}

function ask(server: TestServer, path: string, init: RequestInit = {}, bearer = token): Promise<Response> {
  const headers: Record<string, string> = { authorization: `Bearer ${bearer}` }
  if (init.body !== undefined) headers['content-type'] = 'application/json'
  return fetch(`${server.http}${path}`, { ...init, headers })
}

test('the server says that it lives and is ready', async () => {
  await using server = await startServer()
  expect((await ask(server, '/health/live')).status).toBe(200)
  expect((await ask(server, '/health/ready')).status).toBe(200)
})

test('metrics count requests by method and status', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  await alice.message(bob.aor, 'count me')
  const text = await (await ask(server, '/metrics')).text()
  expect(text).toMatch(/method="MESSAGE"[^\n]*status="200"[^\n]*\} 1\b/)
  expect(text).toMatch(/method="REGISTER"[^\n]*status="200"[^\n]*\} 1\b/)
})

test('without a configured token administration is closed, and a wrong one is refused', async () => {
  await using closed = await startServer()
  expect((await ask(closed, '/admin/v1/users')).status).toBe(403)
  await using open = await startServer({ settings: { 'admin.token': token } })
  expect((await ask(open, '/admin/v1/users', {}, 'another-token-than-that')).status).toBe(401)
  expect((await ask(open, '/admin/v1/users')).status).toBe(200)
})

test('a user who is added can register, and one who is removed cannot', async () => {
  await using server = await startServer({ settings: { 'admin.token': token } })
  const body = JSON.stringify({ uri: server.aor('dave'), password: 'dave-secret' })
  expect((await ask(server, '/admin/v1/users', { method: 'POST', body })).status).toBe(201)
  const dave = await server.online('dave')
  const path = `/admin/v1/users/${encodeURIComponent(dave.aor)}`
  expect((await ask(server, path, { method: 'DELETE' })).status).toBe(204)
  expect((await dave.register()).status).not.toBe(200)
})

test('a changed password counts at once', async () => {
  await using server = await startServer({ settings: { 'admin.token': token } })
  const path = `/admin/v1/users/${encodeURIComponent(server.aor('bob'))}/password`
  const body = JSON.stringify({ password: 'quite-another' })
  expect((await ask(server, path, { method: 'PUT', body })).status).toBe(204)
  expect((await (await server.phone('bob')).register()).status).toBe(401)
  expect((await (await server.phone('bob', { password: 'quite-another' })).register()).status).toBe(200)
})

test('bindings and what waits can be seen, and removed', async () => {
  await using server = await startServer({ settings: { 'admin.token': token } })
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  await alice.message(server.aor('carol'), 'waits', { headers: { 'Call-ID': 'waiting@alice' } })
  await alice.message(server.aor('carol'), 'waits', { headers: { 'Call-ID': 'waiting-2@alice' } })
  const { bindings } = await read(server, '/admin/v1/bindings')
  expect(bindings).toMatchObject([{ user: bob.aor, contact: bob.contact, transport: 'udp' }])
  const { deferred } = await read(server, '/admin/v1/deferred')
  expect(deferred).toHaveLength(2)
  const drop = `/admin/v1/deferred?user=${encodeURIComponent(server.aor('carol'))}`
  expect(await (await ask(server, drop, { method: 'DELETE' })).json()).toEqual({ removed: 2 })
  const unbind = `/admin/v1/bindings?user=${encodeURIComponent(bob.aor)}`
  expect(await (await ask(server, unbind, { method: 'DELETE' })).json()).toEqual({ removed: 1 })
  expect((await alice.message(bob.aor, 'gone?')).status).toBe(202)
})

test('a message is found by its id, without its content unless asked for', async () => {
  await using server = await startServer({ settings: { 'admin.token': token, 'storage.default': 'always' } })
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  await alice.message(server.aor('carol'), 'brings the challenge')
  await alice.message(bob.aor, 'find me', { headers: { 'Call-ID': 'find-me@alice' } })
  const path = `/admin/v1/messages/${encodeURIComponent('find-me@alice')}`
  const { copies } = await read(server, path)
  expect(copies).toHaveLength(2)
  expect(copies[0]).toMatchObject({ id: 'find-me@alice', bytes: 7 })
  expect(copies[0]?.content).toBeUndefined()
  const asked = await read(server, `${path}?content=true`)
  expect(Buffer.from(asked.copies[0]?.content ?? '', 'base64').toString()).toBe('find me')
})
