import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type TestServer } from '../support/start-server.ts'
import { exchange, XcapClient } from '../support/xcap-client.ts'

let server: TestServer
let alice: XcapClient
beforeAll(async () => {
  server = await startServer()
  alice = new XcapClient(server, 'alice')
})
afterAll(() => server[Symbol.asyncDispose]())

const type = 'application/resource-lists+xml'
const ns = 'xmlns="urn:ietf:params:xml:ns:resource-lists"'
const friends = `<?xml version="1.0" encoding="UTF-8"?>
<resource-lists ${ns}>
  <list name="friends"><entry uri="sip:bob@parley.test"/><entry uri="sip:carol@parley.test"/></list>
</resource-lists>`

let last = 0
/** A document of alice's, different for each call. */
const place = (user = 'alice') => `/resource-lists/users/${server.aor(user)}/list-${++last}`
async function placed(content = friends): Promise<string> {
  const target = place()
  expect((await alice.put(target, content, type)).status).toBe(201)
  return target
}
const entry = (uri: string) => `resource-lists/list%5b@name=%22friends%22%5d/entry%5b@uri=%22${uri}%22%5d`

describe('documents (RFC 4825 §8.2.1, §8.2.2, §8.2.4)', () => {
  test('a document that is put is returned as it is, replaced, and deleted', async () => {
    const target = place()
    expect((await alice.get(target)).status).toBe(404)
    const created = await alice.put(target, friends, type)
    expect(created.status).toBe(201)
    const read = await alice.get(target)
    expect(read).toMatchObject({ status: 200, type, text: friends, etag: created.etag })
    const head = await alice.head(target)
    expect(head).toMatchObject({ status: 200, etag: created.etag, text: '' })
    const changed = await alice.put(target, friends.replace('friends', 'family'), type)
    expect(changed.status).toBe(200)
    expect(changed.etag).not.toBe(created.etag)
    expect((await alice.delete(target)).status).toBe(200)
    expect((await alice.get(target)).status).toBe(404)
    expect((await alice.delete(target)).status).toBe(404)
  })

  test.each([
    ['no XML', 'not xml', 'not-well-formed'],
    ['XML that is cut', friends.slice(0, -5), 'not-well-formed'],
    [
      'a document type with entities',
      `<!DOCTYPE r [<!ENTITY a "b">]><resource-lists ${ns}>&a;</resource-lists>`,
      'not-well-formed',
    ],
    ['bytes that are no UTF-8', Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e]), 'not-utf-8'],
    ['another encoding', friends.replace('UTF-8', 'ISO-8859-1'), 'not-utf-8'],
    ['what the schema does not have', `<resource-lists ${ns}><lists/></resource-lists>`, 'schema-validation-error'],
    ['another root element', '<contacts/>', 'schema-validation-error'],
    [
      'two lists of one name',
      friends.replace('</resource-lists>', '<list name="friends"/></resource-lists>'),
      'uniqueness-failure',
    ],
    ['elements that are too deep', `${'<a>'.repeat(100_000)}`, 'not-well-formed'],
  ])('a document that is %s is refused with 409 and the reason (§11)', async (_, content, reason) => {
    const target = place()
    const answer = await alice.put(target, content, type)
    expect(answer).toMatchObject({ status: 409, type: 'application/xcap-error+xml' })
    expect(answer.text).toContain(`<${reason}`)
    expect((await alice.get(target)).status).toBe(404)
  })

  test('a body of another type gets 415, one of 10 MiB 413', async () => {
    expect((await alice.put(place(), friends, 'text/xml')).status).toBe(415)
    const long = friends.replace('friends', 'f'.repeat(10_485_760))
    expect((await alice.put(place(), long, type).catch(() => ({ status: 413 }))).status).toBe(413)
  })

  test('other methods get 405 with what may be used', async () => {
    const answer = await exchange(server.http, 'POST', `/xcap${place()}`, undefined, {})
    expect(answer.status).toBe(405)
    expect(answer.headers.allow).toContain('PUT')
  })
})

describe('conditions (§7.11)', () => {
  test('If-Match and If-None-Match are kept to, and 412 tells the entity tag in force', async () => {
    const target = await placed()
    const { etag = '' } = await alice.get(target)
    const other = friends.replace('carol', 'dave')
    expect(await alice.put(target, other, type, { headers: { 'if-match': '"older"' } })).toMatchObject({
      status: 412,
      etag,
    })
    expect(await alice.put(target, other, type, { headers: { 'if-none-match': '*' } })).toMatchObject({
      status: 412,
      etag,
    })
    expect((await alice.get(target, { headers: { 'if-none-match': etag } })).status).toBe(304)
    expect((await alice.put(target, other, type, { headers: { 'if-match': `"x", ${etag}` } })).status).toBe(200)
    expect((await alice.delete(target, { headers: { 'if-match': etag } })).status).toBe(412)
    expect((await alice.put(place(), friends, type, { headers: { 'if-match': '*' } })).status).toBe(412)
    const { etag: now = '' } = await alice.get(target)
    const node = `${target}/~~/${entry('sip:new@parley.test')}`
    const made = await alice.putElement(node, '<entry uri="sip:new@parley.test"/>', {
      headers: { 'if-none-match': '*' },
    })
    expect(made.status).toBe(201)
    expect((await alice.delete(node, { headers: { 'if-match': now } })).status).toBe(412)
    expect((await alice.delete(node, { headers: { 'if-match': made.etag ?? '' } })).status).toBe(200)
  })

  test('of two that put with the same entity tag exactly one wins', async () => {
    const target = await placed()
    const { etag = '' } = await alice.get(target)
    const answers = await Promise.all(
      ['one', 'two'].map((name) =>
        alice.put(target, friends.replace('friends', name), type, { headers: { 'if-match': etag } }),
      ),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412])
  })

  test('a hundred elements that are put at once are all there', async () => {
    const target = await placed()
    const uris = Array.from({ length: 100 }, (_, index) => `sip:friend-${index}@parley.test`)
    await alice.get(target)
    const answers = await Promise.all(
      uris.map((uri) => alice.putElement(`${target}/~~/${entry(uri)}`, `<entry uri="${uri}"/>`)),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    const { text } = await alice.get(target)
    for (const uri of uris) expect(text).toContain(`"${uri}"`)
  })
})

describe('elements and attributes (§8.2.3, §8.2.5, §8.1)', () => {
  test('an element is read, put, replaced and deleted', async () => {
    const target = await placed()
    const bob = `${target}/~~/${entry('sip:bob@parley.test')}`
    expect(await alice.get(bob)).toMatchObject({
      status: 200,
      type: 'application/xcap-el+xml',
      text: '<entry uri="sip:bob@parley.test"/>',
    })
    const named = '<entry uri="sip:bob@parley.test"><display-name>Bob</display-name></entry>'
    expect((await alice.putElement(bob, named)).status).toBe(200)
    expect((await alice.get(bob)).text).toBe(named)
    expect((await alice.get(`${bob}/display-name`)).text).toBe('<display-name>Bob</display-name>')
    expect((await alice.delete(bob)).status).toBe(200)
    expect((await alice.get(bob)).status).toBe(404)
    expect((await alice.get(target)).text).toContain('carol')
  })

  test('an attribute is read, put and deleted', async () => {
    const target = await placed()
    const name = `${target}/~~/resource-lists/list/@name`
    expect(await alice.get(name)).toMatchObject({ status: 200, type: 'application/xcap-att+xml', text: 'friends' })
    expect((await alice.putAttribute(name, 'best &amp; oldest')).status).toBe(200)
    expect((await alice.get(name)).text).toBe('best &amp; oldest')
    expect((await alice.delete(name)).status).toBe(200)
    expect((await alice.get(name)).status).toBe(404)
    expect((await alice.putAttribute(name, 'again')).status).toBe(201)
  })

  test('the namespaces of an element are read, and only read (§7.10)', async () => {
    const target = await placed()
    const answer = await alice.get(`${target}/~~/resource-lists/list/namespace::*`)
    expect(answer).toMatchObject({ status: 200, type: 'application/xcap-ns+xml', text: `<list ${ns}/>` })
    const put = await alice.put(`${target}/~~/resource-lists/list/namespace::*`, '<a/>', 'application/xcap-ns+xml')
    expect(put).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
  })

  test('prefixes are those that the query binds (§6.4)', async () => {
    const target = await placed()
    const query = '?xmlns(x=urn:ietf:params:xml:ns:resource-lists)'
    expect((await alice.get(`${target}/~~/x:resource-lists/x:list/x:entry%5b1%5d${query}`)).text).toContain('bob')
    expect((await alice.get(`${target}/~~/x:resource-lists`)).status).toBe(400)
  })

  const list = 'resource-lists/list%5b@name=%22friends%22%5d'
  test.each([
    ['its URI would not lead to it', entry('sip:x@y.test'), '<entry uri="sip:z@y.test"/>', 'cannot-insert'],
    [
      'its parent is not there',
      'resource-lists/list%5b@name=%22none%22%5d/entry%5b1%5d',
      '<entry uri="sip:z@y.test"/>',
      'no-parent',
    ],
    ['it is no element', `${list}/entry%5b1%5d`, 'text', 'not-xml-frag'],
    ['it is two elements', `${list}/entry%5b1%5d`, '<entry uri="a:b"/><entry uri="c:d"/>', 'not-xml-frag'],
    ['it ends the element around it', `${list}/entry%5b1%5d`, '</list><list>', 'not-xml-frag'],
    ['the schema does not have it', `${list}/entry%5b1%5d`, '<entry/>', 'schema-validation-error'],
    [
      'its address is there already',
      `${list}/entry%5b3%5d`,
      '<entry uri="sip:bob@parley.test"/>',
      'uniqueness-failure',
    ],
  ])('an element is refused when %s, and nothing is changed', async (_, node, content, reason) => {
    const target = await placed()
    const answer = await alice.putElement(`${target}/~~/${node}`, content)
    expect(answer).toMatchObject({ status: 409, type: 'application/xcap-error+xml' })
    expect(answer.text).toContain(`<${reason}`)
    expect((await alice.get(target)).text).toBe(friends)
  })

  test('the nearest ancestor that is there is told', async () => {
    const target = await placed()
    const answer = await alice.putElement(`${target}/~~/resource-lists/list%5b3%5d/entry`, '<entry uri="a:b"/>')
    expect(answer.text).toMatch(/<ancestor>[^<]*\/~~\/resource-lists<\/ancestor>/)
  })

  test('an element that would be followed by another at its URI is not deleted (§8.2.5)', async () => {
    const target = await placed()
    const answer = await alice.delete(`${target}/~~/resource-lists/list/entry%5b1%5d`)
    expect(answer.status).toBe(409)
    expect(answer.text).toContain('<cannot-delete')
    expect((await alice.delete(`${target}/~~/resource-lists/list/entry%5b2%5d`)).status).toBe(200)
  })

  test('an attribute value that is none is refused', async () => {
    const target = await placed()
    const answer = await alice.putAttribute(`${target}/~~/resource-lists/list/@name`, 'a<b')
    expect(answer.text).toContain('<not-xml-att-value')
  })
})

describe('who may do what (§5.7, §14)', () => {
  test('without credentials there is a challenge for each algorithm, with wrong ones another', async () => {
    const answer = await exchange(server.http, 'GET', `/xcap${place()}`, undefined, {})
    expect(answer.status).toBe(401)
    expect(String(answer.headers['www-authenticate']).match(/Digest realm=/g)).toHaveLength(2)
    expect((await new XcapClient(server, 'alice', 'wrong').get(place())).status).toBe(401)
  })

  test('the tree of another user is closed, be there something or nothing', async () => {
    const there = await placed()
    const bob = new XcapClient(server, 'bob')
    for (const target of [
      there,
      place(),
      `/resource-lists/users/sip:nobody@${server.domain}/index`,
      `${there}/~~/resource-lists`,
    ]) {
      expect((await bob.get(target)).status).toBe(403)
      expect((await bob.delete(target)).status).toBe(403)
      expect((await bob.put(target, friends, type)).status).toBe(403)
    }
    expect((await alice.get(there)).text).toBe(friends)
  })

  test('an identity that a stranger asserts is not believed', async () => {
    const target = await placed()
    for (const name of ['x-3gpp-asserted-identity', 'x-xcap-asserted-identity']) {
      const answer = await exchange(server.http, 'GET', `/xcap${target}`, undefined, {
        [name]: `"${server.aor('alice')}"`,
      })
      expect(answer.status).toBe(401)
    }
  })

  test('a trusted proxy speaks for its users', async () => {
    await using behind = await startServer({ settings: { 'sip.trustedPeers': '127.0.0.1' } })
    const path = `/xcap/resource-lists/users/${behind.aor('alice')}/index`
    const as = (user: string) => ({ 'x-3gpp-asserted-identity': `"${behind.aor(user)}"`, 'content-type': type })
    expect((await exchange(behind.http, 'PUT', path, friends, as('alice'))).status).toBe(201)
    expect((await exchange(behind.http, 'GET', path, undefined, as('bob'))).status).toBe(403)
    expect((await exchange(behind.http, 'GET', path, undefined, {})).status).toBe(401)
  })

  test('a user has the same tree under each of their addresses', async () => {
    const target = await placed()
    expect((await alice.get(target.replace(server.aor('alice'), 'tel:+15550001'))).text).toBe(friends)
    expect((await alice.get(target.replace(server.aor('alice'), encodeURIComponent(server.aor('alice'))))).text).toBe(
      friends,
    )
  })

  test('what the server can do is told in a document that nobody writes (§12)', async () => {
    const caps = await alice.get('/xcap-caps/global/index')
    expect(caps).toMatchObject({ status: 200, type: 'application/xcap-caps+xml' })
    expect(caps.text).toContain('<auid>resource-lists</auid>')
    expect(await alice.get('/xcap-caps/global/index/~~/xcap-caps/auids/auid%5b1%5d')).toMatchObject({
      text: '<auid>xcap-caps</auid>',
    })
    expect((await alice.put('/xcap-caps/global/index', '<a/>', 'application/xcap-caps+xml')).status).toBe(405)
    expect((await alice.get('/no-such-usage/global/index')).status).toBe(404)
  })

  test('what is no XCAP URI gets 400', async () => {
    for (const target of ['/resource-lists', '/resource-lists/nobody/x', `${place()}/~~/a%5b0%5d`, `${place()}/~~/`])
      expect((await alice.get(target)).status).toBe(400)
  })
})

test('documents outlive the server', async () => {
  const target = await placed()
  await using again = await startServer({ databaseUrl: server.databaseUrl, domain: server.domain, users: [] })
  expect((await new XcapClient(again, 'alice').get(target)).text).toBe(friends)
})

test('a node sees what another one has written', async () => {
  const target = await placed()
  await using other = await startServer({ databaseUrl: server.databaseUrl, domain: server.domain, users: [] })
  const there = new XcapClient(other, 'alice')
  expect((await there.get(target)).text).toBe(friends)
  const uris = Array.from({ length: 20 }, (_, index) => `sip:both-${index}@parley.test`)
  const answers = await Promise.all(
    uris.map((uri, index) =>
      (index % 2 === 0 ? alice : there).putElement(`${target}/~~/${entry(uri)}`, `<entry uri="${uri}"/>`),
    ),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
  const etag = (
    await alice.putElement(`${target}/~~/${entry('sip:last@parley.test')}`, '<entry uri="sip:last@parley.test"/>')
  ).etag
  expect(etag).toBeDefined()
  const { text } = await alice.get(target)
  for (const uri of uris) expect(text).toContain(uri)
})
