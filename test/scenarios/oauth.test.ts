import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDirectory } from '../../src/app.ts'
import { readConfig } from '../../src/config/read-config.ts'
import { openLog } from '../../src/operations/logging.ts'
import { askToken, bearer, formType, logIn } from '../support/access-token.ts'
import { passwordOf } from '../support/add-users.ts'
import { eventually } from '../support/eventually.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { exchange } from '../support/xcap-client.ts'

const listPath = '/xcap/resource-lists/users/sip:alice@parley.test/index'
const list = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="contacts"/></resource-lists>'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ settings: { 'sip.auth.maxFailures': '0' } })
  const { access } = await logIn(server, 'alice')
  const put = { ...bearer(access), 'content-type': 'application/resource-lists+xml' }
  expect((await exchange(server.http, 'PUT', listPath, list, put)).status).toBe(201)
})
afterAll(() => server[Symbol.asyncDispose]())

const get = (token: string, at: Pick<TestServer, 'http'> = server, path = listPath) =>
  exchange(at.http, 'GET', path, undefined, bearer(token))
const revoke = (token: string) =>
  exchange(server.http, 'POST', '/oauth/revoke', `token=${token}`, { 'content-type': formType })

describe('a password', () => {
  test('is given for a token, which opens the documents of its user and of nobody else', async () => {
    const alice = await logIn(server, 'alice')
    expect(alice).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store', pragma: 'no-cache' } })
    expect(alice.json).toMatchObject({ token_type: 'Bearer', expires_in: 3600 })
    expect(alice.json.scope).toContain('oma_rest_nms.all_v1')
    expect(await get(alice.access)).toMatchObject({ status: 200, text: list })
    expect((await get((await logIn(server, 'bob')).access)).status).toBe(403)
  })

  test('goes with any name of the user: the user name, the private identity, an address', async () => {
    for (const name of ['alice', 'alice@parley.test', 'sip:alice@parley.test', 'tel:+15550001']) {
      expect((await logIn(server, name, undefined, passwordOf('alice'))).status).toBe(200)
    }
  })

  test('that is wrong, and a user that is not there, get the same answer', async () => {
    const wrong = await logIn(server, 'alice', undefined, 'guess')
    expect(wrong).toMatchObject({ status: 400, json: { error: 'invalid_grant' } })
    expect((await logIn(server, 'nobody')).text).toBe(wrong.text)
  })

  test('is not guessed often: guesses here and at other doors count together', async () => {
    await using strict = await startServer({ settings: { 'sip.auth.maxFailures': '3' } })
    for (let guess = 0; guess < 3; guess++) await logIn(strict, 'alice', undefined, `guess-${guess}`)
    const late = await logIn(strict, 'alice')
    expect(late).toMatchObject({ status: 429, json: { error: 'temporarily_unavailable' } })
    expect(Number(late.headers['retry-after'])).toBeGreaterThan(0)
    const phone = await strict.phone('alice')
    expect((await phone.register()).status).not.toBe(200)
  })
})

describe('a refresh token', () => {
  test('is good once: it brings a new pair, and the access token before is over', async () => {
    const first = await logIn(server, 'alice')
    const second = await askToken(server, { grant_type: 'refresh_token', refresh_token: first.refresh })
    expect(second.status).toBe(200)
    expect((await get(second.access)).status).toBe(200)
    expect((await get(first.access)).status).toBe(401)
  })

  test('that comes a second time ends all that came of it', async () => {
    const first = await logIn(server, 'alice')
    const second = await askToken(server, { grant_type: 'refresh_token', refresh_token: first.refresh })
    const again = await askToken(server, { grant_type: 'refresh_token', refresh_token: first.refresh })
    expect(again).toMatchObject({ status: 400, json: { error: 'invalid_grant' } })
    expect((await get(second.access)).status).toBe(401)
    const third = await askToken(server, { grant_type: 'refresh_token', refresh_token: second.refresh })
    expect(third.json.error).toBe('invalid_grant')
  })

  test('used by two at once leaves at most one of them with tokens, and those are over', async () => {
    const { refresh } = await logIn(server, 'alice')
    const both = await Promise.all(
      [1, 2].map(() => askToken(server, { grant_type: 'refresh_token', refresh_token: refresh })),
    )
    expect(both.filter(({ status }) => status === 200).length).toBeLessThan(2)
    for (const { access } of both) expect((await get(access)).status).not.toBe(200)
  })

  test('gives fewer scopes where asked, never more, and keeps its own', async () => {
    const first = await logIn(server, 'alice', 'xcap content')
    const narrow = { grant_type: 'refresh_token', refresh_token: first.refresh, scope: 'content' }
    const second = await askToken(server, narrow)
    expect(second.json.scope).toBe('content')
    expect((await get(second.access)).status).toBe(403)
    const more = { grant_type: 'refresh_token', refresh_token: second.refresh, scope: 'contacts' }
    expect((await askToken(server, more)).json.error).toBe('invalid_scope')
    const third = await askToken(server, { grant_type: 'refresh_token', refresh_token: second.refresh })
    expect(third.json.scope).toBe('xcap content')
  })

  test('is no access token, and an access token no refresh token', async () => {
    const { access, refresh } = await logIn(server, 'alice')
    expect((await get(refresh)).status).toBe(401)
    const swapped = await askToken(server, { grant_type: 'refresh_token', refresh_token: access })
    expect(swapped.json.error).toBe('invalid_grant')
    expect((await get(access)).status).toBe(200)
  })
})

describe('an access token', () => {
  test('for something else is refused with the scope that is needed', async () => {
    const { access } = await logIn(server, 'alice', 'contacts')
    const refused = await get(access)
    expect(refused.status).toBe(403)
    expect(refused.headers['www-authenticate']).toBe(
      'Bearer realm="parley.test", error="insufficient_scope", scope="xcap"',
    )
  })

  test('that is made up is answered with both challenges', async () => {
    const { access } = await logIn(server, 'alice')
    const forged = access.slice(0, -2) + (access.endsWith('AA') ? 'BB' : 'AA')
    for (const token of [forged, `prl_${'A'.repeat(76)}`]) {
      const refused = await get(token)
      expect(refused.status).toBe(401)
      expect(refused.headers['www-authenticate']).toMatch(/Digest .*Bearer realm="parley.test", error="invalid_token"/)
    }
  })

  test('is over when its time is', async () => {
    await using brief = await startServer({ settings: { 'oauth.tokenLifetime': '1s' } })
    const { access, json } = await logIn(brief, 'alice')
    expect(json.expires_in).toBe(1)
    await eventually(async () => expect((await get(access, brief)).status).toBe(401))
  })

  test('is over once it is revoked, with all that belongs to it; what is no token is revoked in silence', async () => {
    for (const which of ['access', 'refresh'] as const) {
      const tokens = await logIn(server, 'alice')
      expect((await get(tokens.access)).status).toBe(200)
      expect((await revoke(tokens[which])).status).toBe(200)
      expect((await get(tokens.access)).status).toBe(401)
    }
    expect((await revoke('no-token')).status).toBe(200)
  })

  test('is kept nowhere: the tables have hashes only', async () => {
    const { access, refresh } = await logIn(server, 'alice')
    const [{ all }] = (await server.query('select string_agg(g::text, $$ $$) as all from access_grants g')) as [
      { all: string },
    ]
    for (const token of [access, refresh]) {
      expect(all).not.toContain(token)
      expect(all).not.toContain(Buffer.from(token.slice(4), 'base64url').toString('hex', 25))
    }
  })

  test('ends at all nodes with another password, given beside the server, and with the user', async () => {
    await using other = await startServer({ databaseUrl: server.databaseUrl })
    const { access, refresh } = await logIn(server, 'carol')
    const path = '/xcap/resource-lists/users/sip:carol@parley.test/index'
    for (const node of [server, other]) expect((await get(access, node, path)).status).toBe(404)
    const directory = await directoryOf(server)
    await directory.subscribers.setPassword('sip:carol@parley.test', 'another one')
    for (const node of [server, other])
      await eventually(async () => expect((await get(access, node, path)).status).toBe(401))
    expect((await askToken(server, { grant_type: 'refresh_token', refresh_token: refresh })).json.error).toBe(
      'invalid_grant',
    )
    const anew = await logIn(server, 'carol', undefined, 'another one')
    expect((await get(anew.access, server, path)).status).toBe(404)
    await directory.subscribers.remove('sip:carol@parley.test')
    await eventually(async () => expect((await get(anew.access, server, path)).status).toBe(401))
    await directory.close()
    expect(
      await server.query(
        'select 1 from access_grants g where not exists (select 1 from subscribers s where s.id = g.owner)',
      ),
    ).toEqual([])
  })
})

describe('a request for a token', () => {
  const send = (body: string, type = formType) =>
    exchange(server.http, 'POST', '/oauth/token', body, { 'content-type': type })
  test.each([
    ['of another kind', 'grant_type=client_credentials', 'unsupported_grant_type'],
    ['of no kind', 'username=alice&password=alice-secret', 'invalid_request'],
    ['without a password', 'grant_type=password&username=alice', 'invalid_request'],
    ['with an empty password', 'grant_type=password&username=alice&password=', 'invalid_request'],
    ['with a name twice', 'grant_type=password&username=alice&username=bob&password=alice-secret', 'invalid_request'],
    [
      'for a scope there is none of',
      'grant_type=password&username=alice&password=alice-secret&scope=root',
      'invalid_scope',
    ],
    ['with a hundred parameters', Array.from({ length: 100 }, (_, n) => `p${n}=1`).join('&'), 'invalid_request'],
    ['that is empty', '', 'invalid_request'],
    ['with a refresh token that is none', 'grant_type=refresh_token&refresh_token=%00%ff', 'invalid_grant'],
  ])('%s is refused in the words of RFC 6749', async (_, body, error) => {
    const answer = await send(body)
    expect(answer).toMatchObject({ status: 400, headers: { 'cache-control': 'no-store' } })
    expect(JSON.parse(answer.text).error).toBe(error)
  })

  test('in JSON is refused, and one that is too long', async () => {
    expect((await send('{"grant_type":"password"}', 'application/json')).status).toBe(400)
    expect((await send(`grant_type=${'x'.repeat(20_000)}`)).status).toBe(413)
  })

  test('by GET, with the password in the URL, is refused', async () => {
    const query = '/oauth/token?grant_type=password&username=alice&password=alice-secret'
    expect((await exchange(server.http, 'GET', query, undefined, {})).status).toBe(405)
  })
})

test('one user has a hundred logins at the most', async () => {
  await using small = await startServer()
  const first = await logIn(small, 'bob')
  const path = '/xcap/resource-lists/users/sip:bob@parley.test/index'
  expect((await get(first.access, small, path)).status).toBe(404)
  for (let login = 0; login < 100; login++) await logIn(small, 'bob')
  const [count] = await small.query('select count(*)::int from access_grants')
  expect(count).toEqual({ count: 100 })
  expect((await get(first.access, small, path)).status).toBe(401)
})

function directoryOf({ databaseUrl, domain }: TestServer) {
  const { config } = readConfig({
    set: [
      ['domain', domain],
      ['database.url', databaseUrl],
    ],
  })
  return openDirectory(config, openLog({ level: 'silent' }))
}
