import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { readChallenge, writeCredentials } from '../support/phone-digest.ts'
import { startServer } from '../support/start-server.ts'

const contactsOf = (response: { all(name: string): string[] }): string[] =>
  response
    .all('Contact')
    .flatMap((value) => value.split(/,(?=\s*<)/))
    .map((value) => value.trim())

test('a user registers with digest, MD5 offered first', async () => {
  await using server = await startServer()
  const bob = await server.phone('bob')
  const challenged = await bob.register({ authenticate: false })
  expect(challenged.status).toBe(401)
  expect(challenged.all('WWW-Authenticate').map((value) => readChallenge(value).algorithm)).toEqual(['MD5', 'SHA-256'])
  expect((await bob.register()).status).toBe(200)
})

test('SHA-256 alone serves as well', async () => {
  await using server = await startServer({ settings: { 'sip.auth.algorithms': 'SHA-256' } })
  const bob = await server.phone('bob')
  const challenged = await bob.register({ authenticate: false })
  expect(challenged.all('WWW-Authenticate').map((value) => readChallenge(value).algorithm)).toEqual(['SHA-256'])
  expect((await bob.register()).status).toBe(200)
})

test('requests other than REGISTER are challenged with 407', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const challenged = await alice.message(server.aor('bob'), 'who am I?', { authenticate: false })
  expect(challenged.status).toBe(407)
  expect(challenged.header('Proxy-Authenticate')).toMatch(/^Digest .*qop="auth"/)
})

test('a wrong password is refused', async () => {
  await using server = await startServer()
  const bob = await server.phone('bob', { password: 'wrong' })
  expect((await bob.register()).status).toBe(401)
})

test('a user cannot register the address of somebody else', async () => {
  await using server = await startServer()
  const bob = await server.phone('bob')
  expect((await bob.register({ to: '<sip:alice@parley.test>' })).status).toBe(403)
})

test('credentials that were used once are not taken a second time', async () => {
  await using server = await startServer()
  const bob = await server.phone('bob')
  const challenged = await bob.register({ authenticate: false })
  const challenge = readChallenge(challenged.header('WWW-Authenticate') ?? '')
  const uri = `sip:${server.domain}`
  const request = { method: 'REGISTER', uri, username: 'bob', password: 'bob-secret' }
  const Authorization = writeCredentials(challenge, request)
  expect((await bob.register({ authenticate: false, headers: { Authorization } })).status).toBe(200)
  expect((await bob.register({ authenticate: false, headers: { Authorization } })).status).toBe(401)
})

test('a nonce that is too old is stale, and a new one comes with the answer', async () => {
  await using server = await startServer({ settings: { 'sip.auth.nonceLifetime': '1s' } })
  const bob = await server.phone('bob')
  const challenge = readChallenge((await bob.register({ authenticate: false })).header('WWW-Authenticate') ?? '')
  const uri = `sip:${server.domain}`
  const register = () => {
    const request = { method: 'REGISTER', uri, username: 'bob', password: 'bob-secret' }
    const Authorization = writeCredentials(challenge, request)
    return bob.register({ authenticate: false, headers: { Authorization } })
  }
  expect((await register()).status).toBe(200)
  const refused = await eventually(async () => {
    const response = await register()
    expect(response.status).toBe(401)
    return response
  })
  expect(readChallenge(refused.header('WWW-Authenticate') ?? '').stale).toBe(true)
})

test('too many wrong passwords bring 503 with Retry-After', async () => {
  await using server = await startServer({ settings: { 'sip.auth.maxFailures': '3' } })
  const statuses: number[] = []
  for (let tries = 0; tries < 5; tries++) {
    const thief = await server.phone('bob', { password: `guess ${tries}` })
    const response = await thief.register()
    statuses.push(response.status)
    if (response.status === 503) expect(Number(response.header('Retry-After'))).toBeGreaterThan(0)
  }
  expect(statuses[0]).toBe(401)
  expect(statuses.at(-1)).toBe(503)
})

test('the answer lists the bindings, the identities of the user and the service route', async () => {
  await using server = await startServer()
  const bob = await server.phone('bob')
  const registered = await bob.register({ expires: 300 })
  expect(contactsOf(registered)).toHaveLength(1)
  expect(registered.header('Contact')).toContain(`<${bob.contact}>`)
  expect(registered.header('Contact')).toMatch(/;expires=(300|299)\b/)
  expect(registered.all('P-Associated-URI').join(',')).toContain('<sip:bob@parley.test>')
  expect(registered.all('P-Associated-URI').join(',')).toContain('<tel:+15550002>')
  expect(registered.header('Service-Route')).toMatch(/^<sip:.*;lr/)
})

test('a REGISTER without Contact fetches the bindings', async () => {
  await using server = await startServer()
  const bob = await server.online('bob')
  const fetched = await bob.register({ headers: { Contact: undefined, Expires: undefined } })
  expect(fetched.status).toBe(200)
  expect(contactsOf(fetched)).toHaveLength(1)
})

test('one binding is removed, and then all of them', async () => {
  await using server = await startServer()
  const [desk, mobile] = [await server.online('bob'), await server.online('bob')]
  await server.online('bob')
  expect(contactsOf(await desk.unregister())).toHaveLength(2)
  expect(contactsOf(await mobile.register({ contact: '*', expires: 0 }))).toHaveLength(0)
  const alice = await server.phone('alice')
  expect((await alice.message(server.aor('bob'), 'anybody?')).status).toBe(202)
})

test('a star with an expiry other than 0 is refused', async () => {
  await using server = await startServer()
  const bob = await server.online('bob')
  expect((await bob.register({ contact: '*', expires: 60 })).status).toBe(400)
})

test('an expiry that is too brief is answered 423 with Min-Expires', async () => {
  await using server = await startServer({ settings: { 'sip.registrar.minExpires': '120' } })
  const bob = await server.phone('bob')
  const refused = await bob.register({ expires: 60 })
  expect([refused.status, refused.header('Min-Expires')]).toEqual([423, '120'])
})

test('an expiry that is too long is cut', async () => {
  await using server = await startServer({ settings: { 'sip.registrar.maxExpires': '3600' } })
  const bob = await server.phone('bob')
  expect((await bob.register({ expires: 100_000 })).header('Contact')).toMatch(/;expires=(3600|3599)\b/)
})

test('an older CSeq of the same Call-ID changes nothing', async () => {
  await using server = await startServer()
  const bob = await server.phone('bob')
  await bob.register({ headers: { CSeq: '1000 REGISTER' } })
  expect((await bob.register({ headers: { CSeq: '999 REGISTER' } })).status).toBeGreaterThanOrEqual(400)
})

test('more contacts than a user may have are refused', async () => {
  await using server = await startServer({ settings: { 'sip.registrar.maxContacts': '2' } })
  await server.online('bob')
  await server.online('bob')
  expect((await (await server.phone('bob')).register()).status).toBe(403)
})

test('Path is kept, shown, and put before the device as Route', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  const Path = `<sip:127.0.0.1:${bob.localPort};lr>`
  const registered = await bob.register({ headers: { Path } })
  expect(registered.header('Path')).toBe(Path)
  expect((await alice.message(bob.aor, 'along the path')).status).toBe(200)
  expect((await bob.receive('MESSAGE')).header('Route')).toBe(Path)
})

test('a device that comes back from another port replaces its own binding', async () => {
  await using server = await startServer()
  const instance = 'urn:uuid:00000000-0000-1000-8000-000000000009'
  const [before, after] = [await server.phone('bob'), await server.phone('bob')]
  await before.register({ instance, regId: 1 })
  const registered = await after.register({ instance, regId: 1 })
  expect(registered.header('Require')).toBe('outbound')
  expect(contactsOf(registered)).toHaveLength(1)
  expect(registered.header('Contact')).toContain(`<${after.contact}>`)
})

test.each([410, 404, 430])('a device that answers %i loses its binding', async (status) => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  const other = await server.online('bob')
  bob.answer = () => status
  await alice.message(bob.aor, 'gone?')
  expect(contactsOf(await other.register())).toHaveLength(1)
})

test('a binding whose connection closed is dropped', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const bob = await server.online('bob', { transport: 'tcp' })
  bob.close()
  expect((await alice.message(bob.aor, 'still there?')).status).toBe(202)
  const back = await server.online('bob', { transport: 'tcp' })
  expect((await back.receive('MESSAGE')).text).toBe('still there?')
})
