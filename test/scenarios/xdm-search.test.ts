import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type TestServer } from '../support/start-server.ts'
import { exchange, XcapClient } from '../support/xcap-client.ts'

let server: TestServer
let alice: XcapClient
const type = 'application/vnd.oma.search+xml'
const profiles = 'org.openmobilealliance.user-profile'
const groups = 'org.openmobilealliance.groups'
const target = (auid: string) => `/org.openmobilealliance.search/global?target=${auid}`

beforeAll(async () => {
  server = await startServer()
  alice = new XcapClient(server, 'alice')
  await profile('alice', '<display-name>Alice</display-name><address><country>CH</country></address>', [
    'Chess',
    "O'Brien",
  ])
  await profile('bob', '<display-name>Bob &amp; Sons</display-name><address><country>FR</country></address>', [
    'Chess',
    'Soccer',
  ])
  await profile('carol', '<display-name>Carol</display-name><address><country>FR</country></address>', ['Tennis'])
})
afterAll(() => server[Symbol.asyncDispose]())

async function profile(user: string, content: string, hobbies: readonly string[]): Promise<void> {
  const listed = hobbies.map((hobby) => `<hobby>${hobby}</hobby>`).join('')
  const document = `<p:user-profiles xmlns:p="urn:oma:xml:xdm:user-profile" xmlns="urn:oma:xml:xdm:user-profile"><user-profile uri="${server.aor(user)}">${content}<hobbies>${listed}</hobbies></user-profile></p:user-profiles>`
  const place = `/${profiles}/users/${server.aor(user)}/user-profile`
  const put = await new XcapClient(server, user).put(place, document, 'application/vnd.oma.user-profile+xml')
  expect(put.status, put.text).toBe(201)
}

const request = (query: string, attributes = '') =>
  `<?xml version="1.0" encoding="UTF-8"?>
<search-set xmlns="urn:oma:xml:xdm:search"><search id="s1"><request${attributes}><query><![CDATA[${query}]]></query></request></search></search-set>`
const asking = (condition: string, result = '<user-profile>{$u/@uri}{$u/display-name}</user-profile>') => `
  xquery version "1.0";
  declare default element namespace "urn:oma:xml:xdm:user-profile";
  for $u in collection("${profiles}/users/")/user-profiles/user-profile
  ${condition === '' ? '' : `where ${condition}`}
  return ${result}`

async function found(condition: string, attributes = ''): Promise<string[]> {
  const answer = await alice.post(target(profiles), request(asking(condition), attributes), type)
  expect(answer, answer.text).toMatchObject({ status: 200, type })
  return [...answer.text.matchAll(/uri="sip:(\w+)@/g)].map(([, user]) => user ?? '').sort()
}

describe('a search for profiles', () => {
  test('tells of what the query asks for, with its namespaces', async () => {
    const answer = await alice.post(
      `${target(profiles)}/users/&domain=all`,
      request(asking('($u/hobbies/hobby = "Soccer")')),
      type,
    )
    expect(answer.text).toContain(
      '<search id="s1"><response><user-profile xmlns="urn:oma:xml:xdm:user-profile" uri="sip:bob@parley.test">' +
        '<display-name xmlns="urn:oma:xml:xdm:user-profile" xmlns:p="urn:oma:xml:xdm:user-profile">Bob &amp; Sons</display-name></user-profile></response></search>'.replace(
          ' xmlns:p="urn:oma:xml:xdm:user-profile"',
          '',
        ),
    )
  })

  test.each([
    ['$u/hobbies/hobby = "Chess"', ['alice', 'bob']],
    ['($u/hobbies/hobby = "Chess") and ($u/address/country = "FR")', ['bob']],
    ['$u/hobbies/hobby="Tennis" or $u/address/country="CH"', ['alice', 'carol']],
    ['($u/hobbies/hobby="Tennis" or $u/address/country="CH") and contains($u/display-name, "aro")', ['carol']],
    ['$u/hobbies/hobby = "Chess" and $u/hobbies/hobby = "Soccer"', ['bob']],
    ['starts-with($u/display-name, "Bo")', ['bob']],
    ['fn:contains($u/display-name, " &amp; ")', ['bob']],
    ["$u/hobbies/hobby = 'O''Brien'", ['alice']],
    ['$u/@uri = "sip:carol@parley.test"', ['carol']],
    ['$u/hobbies/hobby = "chess"', []],
    ['contains($u/display-name, "%")', []],
    ['', ['alice', 'bob', 'carol']],
  ])('%s', async (condition, users) => {
    expect(await found(condition)).toEqual(users)
  })

  test('is bounded', async () => {
    expect(await found('', ' max-results="2"')).toHaveLength(2)
  })

  test('returns whole entries', async () => {
    const query = asking('$u/@uri = "sip:carol@parley.test"', '$u')
    const { text } = await alice.post(target(profiles), request(query), type)
    expect(text).toContain('<hobbies><hobby>Tennis</hobby></hobbies>')
  })

  test('finds a profile as it is now', async () => {
    const place = `/${profiles}/users/${server.aor('carol')}/user-profile`
    const carol = new XcapClient(server, 'carol')
    const hobby = `${place}/~~/user-profiles/user-profile/hobbies/hobby%5b1%5d`
    expect((await carol.putElement(hobby, '<hobby xmlns="urn:oma:xml:xdm:user-profile">Rowing</hobby>')).status).toBe(
      200,
    )
    expect(await found('$u/hobbies/hobby = "Rowing"')).toEqual(['carol'])
    expect((await carol.putElement(hobby, '<hobby xmlns="urn:oma:xml:xdm:user-profile">Tennis</hobby>')).status).toBe(
      200,
    )
    expect(await found('$u/hobbies/hobby = "Rowing"')).toEqual([])
  })

  test('needs credentials', async () => {
    const path = `/xcap${target(profiles)}`
    const answer = await exchange(server.http, 'POST', path, request(asking('')), { 'content-type': type })
    expect(answer.status).toBe(401)
  })
})

describe('groups', () => {
  const query = `declare default element namespace "urn:oma:xml:poc:list-service"; for $g in collection("${groups}/users/")/group/list-service
    where $g/list/entry/@uri = "sip:member@parley.test" return <list-service>{$g/@uri}{$g/display-name}</list-service>`
  const put = (user: string, uri: string) =>
    new XcapClient(server, user).put(
      `/${groups}/users/${server.aor(user)}/g`,
      `<group xmlns="urn:oma:xml:poc:list-service"><list-service uri="${uri}"><display-name>G</display-name><list><entry uri="sip:member@parley.test"/></list></list-service></group>`,
      'application/vnd.oma.poc.groups+xml',
    )

  test('are found by whoever may read them: their owner, and whom the owner lets', async () => {
    expect((await put('alice', 'sip:ours@parley.test')).status).toBe(201)
    expect((await put('bob', 'sip:theirs@parley.test')).status).toBe(201)
    const uris = async () => {
      const { text } = await alice.post(target(groups), request(query), type)
      return [...text.matchAll(/uri="([^"]*)"/g)].map(([, uri]) => uri).sort()
    }
    expect(await uris()).toEqual(['sip:ours@parley.test'])
    const rules = `<ruleset xmlns="urn:ietf:params:xml:ns:common-policy"><rule id="a"><conditions><identity><one id="${server.aor('alice')}"/></identity></conditions><actions><allow-read xmlns="urn:parley:access-rules" auid="${groups}"/></actions></rule></ruleset>`
    const place = `/org.openmobilealliance.access-rules/users/${server.aor('bob')}/access-rules`
    expect((await new XcapClient(server, 'bob').put(place, rules, 'application/auth-policy+xml')).status).toBe(201)
    expect(await uris()).toEqual(['sip:ours@parley.test', 'sip:theirs@parley.test'])
  })
})

describe('what is not served is refused with the reason', () => {
  test.each([
    ['a function', asking('fn:doc("file:///etc/passwd") = "x"'), 'comparison, contains() or starts-with()'],
    ['another collection', asking('').replace(profiles, 'resource-lists'), 'is not the target'],
    ['another namespace', asking('').replace('urn:oma:xml:xdm:user-profile', 'urn:x'), 'is not the namespace'],
    ['another path', asking('$u/password = "x"'), 'password is not searched'],
    ['a path in the result', asking('', '<a>{$u/secret}</a>'), 'secret is not searched'],
    ['another variable', asking('$v/display-name = "x"'), '$u is expected'],
    ['nothing', '', 'for is expected'],
    ['a second query', `${asking('')} ; for $u in x return $u`, 'the end is expected'],
    ['a let', 'let $x := 1 return $x', 'is not served'],
    ['an element in the result', asking('', '<a><b/></a>'), 'is expected'],
    ['a comment', asking('(: x :) $u/gender = "male"'), 'is not served'],
    ['a string that does not end', asking('$u/display-name = "x'), 'is not served'],
    ['an undeclared prefix', asking('$u/x:y = "a"'), 'not declared'],
    [
      'too many tests',
      asking(Array.from({ length: 21 }, () => '$u/gender = "male"').join(' or ')),
      'more than 20 tests',
    ],
    ['brackets that are too deep', asking(`${'('.repeat(200)}$u/gender = "male"${')'.repeat(200)}`), 'too deep'],
    ['a query that is too long', asking(`$u/gender = "${'x'.repeat(9_000)}"`), 'more than 8192'],
  ])('%s', async (_, query, reason) => {
    const answer = await alice.post(target(profiles), request(query), type)
    expect(answer).toMatchObject({ status: 409, type: 'application/xcap-error+xml' })
    expect(answer.text).toContain('<constraint-failure')
    expect(answer.text).toContain(reason.replaceAll('"', '&quot;'))
  })

  test.each([
    ['no XML', 'select 1', 409],
    ['another document', '<x/>', 409],
    ['a document type', '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', 409],
  ])('%s', async (_, body, status) => {
    expect((await alice.post(target(profiles), body, type)).status).toBe(status)
  })

  test('another target is not found, another type not taken', async () => {
    expect(
      (await alice.post(target('org.openmobilealliance.locked-user-profile'), request(asking('')), type)).status,
    ).toBe(404)
    expect((await alice.post('/org.openmobilealliance.search/global', request(asking('')), type)).status).toBe(404)
    expect((await alice.post(target(profiles), request(asking('')), 'text/xml')).status).toBe(415)
  })
})

describe('values are values, whatever is in them', () => {
  test.each([
    `' or true --`,
    `"] or $u/gender = "male`,
    `'; drop table documents; --`,
    `{"a":1}`,
    `$1 $2 :name ? ?? \\ %s`,
    `]]}&lt;x&gt;`,
    '\u0007\u200b\u{1F600}',
  ])('%j', async (value) => {
    const literal = value.replaceAll('"', '""').replaceAll('&', '&amp;')
    for (const condition of [
      `$u/display-name = "${literal}"`,
      `contains($u/hobbies/hobby, "${literal}")`,
      `starts-with($u/freetext, "${literal}")`,
    ]) {
      const body = request(asking(condition))
      const answer = await alice.post(target(profiles), body, type)
      // A character that XML does not have makes a document that is none.
      expect([200, 409]).toContain(answer.status)
      expect(answer.text).not.toContain('uri=')
    }
    expect(await server.query('select count(*)::int as documents from documents')).not.toEqual([{ documents: 0 }])
  })
})
