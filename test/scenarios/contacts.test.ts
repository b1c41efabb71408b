import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, logIn } from '../support/access-token.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { exchange, XcapClient } from '../support/xcap-client.ts'

const index = (user: string) => `/resource-lists/users/sip:${user}@parley.test/index`
const listsType = 'application/resource-lists+xml'
const oma = 'org.openmobilealliance'
const picture = Buffer.from('89504e470d0a1a0a0000', 'hex')

let server: TestServer
const tokens: Record<string, string> = {}
beforeAll(async () => {
  server = await startServer()
  for (const user of ['alice', 'bob', 'carol']) tokens[user] = (await logIn(server, user)).access
})
afterAll(() => server[Symbol.asyncDispose]())

interface Shown {
  readonly contacts: readonly { uri: string; displayName?: string; avatar?: string }[]
  readonly cursor?: string
}

function ask(method: string, path: string, { as = 'alice', body, headers = {} }: Options = {}) {
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const text = body === undefined ? undefined : JSON.stringify(body)
  return exchange(server.http, method, path, text, { ...bearer(tokens[as] ?? ''), ...type, ...headers })
}

interface Options {
  readonly as?: string
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

const enc = encodeURIComponent
const mine = (uri?: string) => `/contacts/acr:auth${uri === undefined ? '' : `/${enc(uri)}`}`
const shown = async (path = mine(), options?: Options) => JSON.parse((await ask('GET', path, options)).text) as Shown

const document = (content: string) =>
  `<rl:resource-lists xmlns:rl="urn:ietf:params:xml:ns:resource-lists" xmlns:x="urn:x">${content}</rl:resource-lists>`

describe('a contact', () => {
  test('that is put is in the list by REST and by XCAP, with a document made for it', async () => {
    expect((await shown()).contacts).toEqual([])
    expect((await ask('PUT', mine('sip:bob@parley.test'), { body: { displayName: 'Bob <&> "B"' } })).status).toBe(201)
    expect((await ask('PUT', mine('tel:+15550003'), { body: {} })).status).toBe(201)
    expect((await shown()).contacts).toEqual([
      { uri: 'sip:bob@parley.test', displayName: 'Bob <&> "B"' },
      { uri: 'tel:+15550003' },
    ])
    const xml = await new XcapClient(server, 'alice').get(
      `${index('alice')}/~~/resource-lists/list%5b@name=%22contacts%22%5d/entry%5b@uri=%22sip:bob@parley.test%22%5d`,
    )
    expect(xml.text).toContain('<display-name>Bob &lt;&amp;&gt; "B"</display-name>')
  })

  test('is changed and removed, and what XCAP clients keep beside it stays', async () => {
    const xcap = new XcapClient(server, 'carol')
    const kept = '<rl:list name="work"><rl:entry uri="sip:boss@parley.test"/></rl:list><!-- kept --><x:mark/>'
    const content = document(`<rl:list name="contacts"><rl:entry uri="sip:a@parley.test"/></rl:list>${kept}`)
    const put = await xcap.put(index('carol'), content, listsType)
    expect(put.status).toBe(201)
    const options = { as: 'carol', body: { displayName: 'A' } }
    expect((await ask('PUT', mine('sip:a@parley.test'), options)).status).toBe(204)
    expect((await ask('PUT', mine('sip:b@parley.test'), options)).status).toBe(201)
    expect((await shown(mine(), { as: 'carol' })).contacts).toEqual([
      { uri: 'sip:a@parley.test', displayName: 'A' },
      { uri: 'sip:b@parley.test', displayName: 'A' },
    ])
    expect((await ask('DELETE', mine('sip:a@parley.test'), { as: 'carol' })).status).toBe(204)
    expect((await ask('DELETE', mine('sip:a@parley.test'), { as: 'carol' })).status).toBe(404)
    expect((await ask('DELETE', mine('sip:boss@parley.test'), { as: 'carol' })).status).toBe(404)
    expect((await ask('GET', mine('sip:b@parley.test'), { as: 'carol' })).text).toContain('"displayName":"A"')
    expect((await xcap.get(index('carol'))).text).toContain(kept)
  })

  test('is changed only as it was known, where the client says so', async () => {
    const uri = 'sip:tagged@parley.test'
    expect((await ask('PUT', mine(uri), { body: {}, headers: { 'if-match': '"x"' } })).status).toBe(412)
    expect((await ask('PUT', mine(uri), { body: {}, headers: { 'if-none-match': '*' } })).status).toBe(201)
    expect((await ask('PUT', mine(uri), { body: {}, headers: { 'if-none-match': '*' } })).status).toBe(412)
    const etag = (await ask('GET', mine(uri))).etag ?? ''
    await ask('PUT', mine('sip:other@parley.test'), { body: {} })
    expect((await ask('PUT', mine(uri), { body: { displayName: 'T' }, headers: { 'if-match': etag } })).status).toBe(
      204,
    )
    expect((await ask('DELETE', mine(uri), { headers: { 'if-match': etag } })).status).toBe(412)
    expect((await ask('DELETE', mine(uri))).status).toBe(204)
  })

  test('is not lost where many are put at once, on a list that is not there yet', async () => {
    const uris = Array.from({ length: 20 }, (_, at) => `sip:friend-${at}@parley.test`)
    const put = await Promise.all(uris.map((uri) => ask('PUT', mine(uri), { as: 'bob', body: {} })))
    expect(new Set(put.map(({ status }) => status))).toEqual(new Set([201]))
    const { contacts } = await shown(mine(), { as: 'bob' })
    expect(contacts.map(({ uri }) => uri).sort()).toEqual(uris.sort())
  })

  test('has a picture where they let the user see theirs, and then only', async () => {
    const content = `<content xmlns="urn:oma:xml:prs:pres-content"><mime-type>image/png</mime-type><encoding>base64</encoding><data>${picture.toString('base64')}</data></content>`
    const icon = `/${oma}.pres-content/users/sip:bob@parley.test/oma_status-icon/rcs_status_icon`
    const bob = new XcapClient(server, 'bob')
    expect((await bob.put(icon, content, 'application/vnd.oma.pres-content+xml')).status).toBe(201)
    const one = mine('sip:bob@parley.test')
    await ask('PUT', one, { body: { displayName: 'Bob' } })
    expect((await ask('GET', `${one}/avatar`)).status).toBe(404)
    expect((await ask('GET', one)).text).not.toContain('avatar')
    const rules = `<ruleset xmlns="urn:ietf:params:xml:ns:common-policy"><rule id="a"><conditions><identity><one id="sip:alice@parley.test"/></identity></conditions><actions><allow-read xmlns="urn:parley:access-rules" auid="${oma}.pres-content"/></actions></rule></ruleset>`
    const rulesPath = `/${oma}.access-rules/users/sip:bob@parley.test/access-rules`
    expect((await bob.put(rulesPath, rules, 'application/auth-policy+xml')).status).toBe(201)
    const { contacts } = await shown()
    const { avatar = '' } = contacts.find(({ uri }) => uri === 'sip:bob@parley.test') ?? {}
    const image = await ask('GET', avatar)
    expect(image).toMatchObject({ status: 200, type: 'image/png', text: picture.toString() })
    expect(image.headers['x-content-type-options']).toBe('nosniff')
    expect((await ask('GET', avatar, { headers: { 'if-none-match': image.etag ?? '' } })).status).toBe(304)
    expect((await ask('GET', avatar, { as: 'carol' })).status).toBe(404) // her list has no bob
  })
})

describe('the list', () => {
  test('comes in pages, and has a tag that changes with it', async () => {
    const path = '/contacts/acr:auth?limit=7'
    const first = await shown(path, { as: 'bob' })
    const second = await shown(`${path}&cursor=${first.cursor}`, { as: 'bob' })
    const third = await shown(`${path}&cursor=${second.cursor}`, { as: 'bob' })
    expect([first, second, third].map(({ contacts }) => contacts.length)).toEqual([7, 7, 6])
    expect(third.cursor).toBeUndefined()
    expect(new Set([first, second, third].flatMap(({ contacts }) => contacts.map(({ uri }) => uri))).size).toBe(20)
    const { etag = '' } = await ask('GET', path, { as: 'bob' })
    const known = { as: 'bob', headers: { 'if-none-match': etag } }
    expect((await ask('GET', path, known)).status).toBe(304)
    await ask('DELETE', mine(first.contacts[0]?.uri), { as: 'bob' })
    expect((await ask('GET', path, known)).status).toBe(200)
    const last = first.contacts.at(-1)?.uri
    await ask('DELETE', mine(last), { as: 'bob' })
    expect((await ask('GET', `${path}&cursor=${first.cursor}`, { as: 'bob' })).status).toBe(409)
  })

  test.each(['limit=0', 'limit=501', 'limit=x', 'limit=1e9', 'limit=-1'])('with %s is refused', async (query) => {
    expect((await ask('GET', `/contacts/acr:auth?${query}`)).status).toBe(400)
  })

  test('is found under each address of its user, and is closed to others, whoever they ask for', async () => {
    for (const address of ['sip:alice@parley.test', 'tel:+15550001', 'sip:+15550001@parley.test;user=phone']) {
      expect((await ask('GET', `/contacts/${enc(address)}`)).status).toBe(200)
    }
    for (const user of ['sip:bob@parley.test', 'sip:nobody@parley.test', 'sip:alice@elsewhere.test', 'x', '%00']) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const path = `/contacts/${user}${method === 'GET' ? '' : '/sip:x@parley.test'}`
        const body = method === 'PUT' ? { body: {} } : {}
        expect((await ask(method, path, body)).status).toBe(403)
      }
      expect((await ask('GET', `/contacts/${user}/sip:alice@parley.test/avatar`)).status).toBe(403)
    }
  })

  test('is closed to strangers and to tokens for something else', async () => {
    expect((await exchange(server.http, 'GET', mine(), undefined, {})).status).toBe(401)
    tokens.narrow = (await logIn(server, 'alice', 'content xcap')).access
    expect((await ask('GET', mine(), { as: 'narrow' })).status).toBe(403)
  })
})

test.each([
  ['a URI that is none', 'bob', {}],
  ['a URI with a quote', 'sip:"bob"@parley.test', {}],
  ['a URI with markup', 'sip:<b>&amp;', {}],
  ['a URI that is too long', `sip:${'b'.repeat(500)}@parley.test`, {}],
  ['a name that is no text', 'sip:b@parley.test', { displayName: 5 }],
  ['a name with control characters', 'sip:b@parley.test', { displayName: 'a\u0000b' }],
  ['a name that is too long', 'sip:b@parley.test', { displayName: 'x'.repeat(2000) }],
  ['what nobody knows', 'sip:b@parley.test', { avatar: 'x' }],
  ['what is no object', 'sip:b@parley.test', ['x']],
])('a contact with %s is refused', async (_, uri, body) => {
  expect((await ask('PUT', mine(uri), { body })).status).toBe(400)
})
