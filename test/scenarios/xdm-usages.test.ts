import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type TestServer } from '../support/start-server.ts'
import { exchange, XcapClient } from '../support/xcap-client.ts'

const adminToken = 'the-secret-of-the-operator'
let server: TestServer
let alice: XcapClient
let bob: XcapClient
beforeAll(async () => {
  server = await startServer({ settings: { 'admin.token': adminToken } })
  alice = new XcapClient(server, 'alice')
  bob = new XcapClient(server, 'bob')
})
afterAll(() => server[Symbol.asyncDispose]())

const oma = 'org.openmobilealliance'
const policy = 'application/auth-policy+xml'
const cp = 'xmlns="urn:ietf:params:xml:ns:common-policy"'
const aor = (user: string) => server.aor(user)
const of = (user: string, auid: string, name: string) => `/${auid}/users/${aor(user)}/${name}`
const operator = (method: string, target: string, body?: string, type = '') =>
  exchange(server.http, method, `/xcap${target}`, body, {
    authorization: `Bearer ${adminToken}`,
    ...(body !== undefined && { 'content-type': type }),
  })

const rule = (
  actions: string,
  conditions = `<conditions><identity><one id="${'sip:bob@parley.test'}"/></identity></conditions>`,
) => `<rule id="r1">${conditions}<actions>${actions}</actions></rule>`
const ruleset = (content: string) => `<ruleset ${cp} xmlns:pr="urn:ietf:params:xml:ns:pres-rules">${content}</ruleset>`
const subHandling = (word: string) => `<pr:sub-handling>${word}</pr:sub-handling>`
const group = (uri: string, more = '') =>
  `<group xmlns="urn:oma:xml:poc:list-service"><list-service uri="${uri}"><display-name>Choir</display-name><list><entry uri="sip:bob@parley.test"/>${more}</list></list-service></group>`
const profile = (uri: string, content = '') =>
  `<user-profiles xmlns="urn:oma:xml:xdm:user-profile"><user-profile uri="${uri}">${content}</user-profile></user-profiles>`
const avatar = (type: string, data = 'iVBORw0KGgo=') =>
  `<content xmlns="urn:oma:xml:prs:pres-content"><mime-type>${type}</mime-type><encoding>base64</encoding><data>${data}</data></content>`
const rls = (uri: string, content: string) =>
  `<rls-services xmlns="urn:ietf:params:xml:ns:rls-services" xmlns:rl="urn:ietf:params:xml:ns:resource-lists"><service uri="${uri}">${content}<packages><package>presence</package></packages></service></rls-services>`
const friends = '<list name="friends"><rl:entry uri="sip:bob@parley.test"/></list>'
const settings = (content: string) =>
  `<service-settings xmlns="urn:parley:service-settings">${content}</service-settings>`
const pidf = (content: string) =>
  `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@parley.test">${content}</presence>`

interface Usage {
  readonly auid: string
  readonly name: string
  readonly type: string
  readonly valid: () => string
  /** By the reason that a 409 gives. */
  readonly wrong: readonly (readonly [reason: string, content: () => string])[]
}

const freelyNamed = new Set(['rls-services', `${oma}.groups`])

const usages: readonly Usage[] = [
  {
    auid: 'rls-services',
    name: 'index',
    type: 'application/rls-services+xml',
    valid: () => rls('sip:friends-of-alice@parley.test', friends),
    wrong: [
      ['schema-validation-error', () => rls('sip:x@parley.test', '')],
      ['schema-validation-error', () => '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"/>'],
      ['uniqueness-failure', () => rls(aor('bob'), friends)],
      [
        'uniqueness-failure',
        () => rls('sip:x@parley.test', friends.replace('<rl:entry', '<rl:entry uri="sip:bob@parley.test"/><rl:entry')),
      ],
      [
        'constraint-failure',
        () =>
          rls(
            'sip:x@parley.test',
            `<resource-list>http://xcap.parley.test/xcap${of('bob', 'resource-lists', 'index')}/~~/resource-lists/list</resource-list>`,
          ),
      ],
    ],
  },
  ...(['pres-rules', `${oma}.pres-rules`] as const).map((auid, index) => ({
    auid,
    name: index === 0 ? 'index' : 'pres-rules',
    type: policy,
    valid: () => ruleset(rule(subHandling('allow'))),
    wrong: [
      ['schema-validation-error', () => ruleset(rule(subHandling('perhaps')))],
      ['schema-validation-error', () => ruleset(rule(subHandling('allow')) + rule(subHandling('block')))],
      ['schema-validation-error', () => '<sub-handling xmlns="urn:ietf:params:xml:ns:pres-rules">allow</sub-handling>'],
    ] as const,
  })),
  {
    auid: 'pidf-manipulation',
    name: 'index',
    type: 'application/pidf+xml',
    valid: () => pidf('<tuple id="t1"><status><basic>open</basic></status></tuple>'),
    wrong: [
      ['schema-validation-error', () => pidf('<tuple id="t1"><status><basic>ajar</basic></status></tuple>')],
      ['schema-validation-error', () => pidf('<tuple><status/></tuple>')],
    ],
  },
  {
    auid: `${oma}.groups`,
    name: 'choir',
    type: 'application/vnd.oma.poc.groups+xml',
    valid: () => group('sip:choir@parley.test', '<entry uri="tel:+15550003"/>'),
    wrong: [
      ['schema-validation-error', () => group('sip:g@parley.test', '<entry/>')],
      ['uniqueness-failure', () => group('sip:g@parley.test', '<entry uri="sip:bob@parley.test"/>')],
      ['uniqueness-failure', () => group(aor('carol'))],
    ],
  },
  {
    auid: `${oma}.user-profile`,
    name: 'user-profile',
    type: 'application/vnd.oma.user-profile+xml',
    valid: () => profile(aor('alice'), '<display-name>Alice</display-name><hobbies><hobby>Chess</hobby></hobbies>'),
    wrong: [
      ['schema-validation-error', () => profile(aor('alice'), '<birth-date>soon</birth-date>')],
      ['constraint-failure', () => profile(aor('bob'))],
    ],
  },
  {
    auid: `${oma}.access-rules`,
    name: 'access-rules',
    type: policy,
    valid: () => ruleset(rule(`<allow-read xmlns="urn:parley:access-rules" auid="${oma}.groups"/>`)),
    wrong: [['schema-validation-error', () => ruleset(rule('<allow-read xmlns="urn:parley:access-rules"/>'))]],
  },
  {
    auid: `${oma}.pres-content`,
    name: 'oma_status-icon/rcs_status_icon',
    type: 'application/vnd.oma.pres-content+xml',
    valid: () => avatar('image/png'),
    wrong: [
      ['schema-validation-error', () => avatar('image/png', '=broken=')],
      ['constraint-failure', () => avatar('text/html')],
    ],
  },
  {
    auid: 'org.parley.service-settings',
    name: 'index',
    type: 'application/vnd.parley.service-settings+xml',
    valid: () =>
      settings(
        `<reception><rule device="urn:uuid:1" contact="${aor('alice')}" media="chat" action="keep"/></reception><storage>ask</storage>` +
          '<absent>keep</absent><senders others="allow"><blocked><domain name="spam.example"/><anonymous/></blocked></senders>' +
          '<notifications><language>de-CH</language></notifications>',
      ),
    wrong: [
      ['schema-validation-error', () => settings('<storage>sometimes</storage>')],
      ['constraint-failure', () => settings(`<reception><rule contact="${aor('bob')}" action="refuse"/></reception>`)],
      ['constraint-failure', () => settings('<reception><rule media="voice" action="keep"/></reception>')],
    ],
  },
]

describe.each(usages)('$auid', ({ auid, name, type, valid, wrong }) => {
  test('takes a document that its schema and its rules allow, and returns it to its user', async () => {
    const target = of('alice', auid, name)
    const put = await alice.put(target, valid(), type)
    expect(put, put.text).toMatchObject({ status: 201 })
    expect(await alice.get(target)).toMatchObject({ status: 200, type, text: valid() })
  })

  test.each(wrong.map(([reason, content], index) => ({ reason, content, index })))(
    'refuses what is wrong with $reason ($index)',
    async ({ reason, content }) => {
      const answer = await alice.put(of('alice', auid, name), content(), type)
      expect(answer).toMatchObject({ status: 409, type: 'application/xcap-error+xml' })
      expect(answer.text).toContain(`<${reason}`)
    },
  )

  test('has no document of another name, none in the global tree, and takes no other type', async () => {
    if (!freelyNamed.has(auid)) {
      const answer = await alice.put(of('alice', auid, 'a/b/c/d'), valid(), type)
      expect(answer.text).toContain('<constraint-failure')
    }
    expect((await alice.put(`/${auid}/global/${name}`, valid(), type)).status).toBe(403)
    expect((await alice.put(of('alice', auid, name), valid(), 'text/xml')).status).toBe(415)
  })

  test('is closed to other users, but for what they tell of themselves', async () => {
    const target = of('alice', auid, name)
    const isProfile = auid === `${oma}.user-profile`
    // Bob may read the groups: the rules of the document before say so.
    const granted = auid === `${oma}.groups`
    expect([200, 403]).toContain((await bob.get(target)).status)
    if (!isProfile && !granted) expect((await bob.get(target)).status).toBe(403)
    expect((await bob.put(target, valid(), type)).status).toBe(403)
    expect((await bob.delete(target)).status).toBe(403)
  })
})

test('the capabilities tell of every application (RFC 4825 §12)', async () => {
  const { text } = await alice.get('/xcap-caps/global/index')
  const all = [...usages.map(({ auid }) => auid), 'resource-lists', `${oma}.xcap-directory`, `${oma}.search`]
  for (const auid of [...all, `${oma}.locked-user-profile`]) expect(text).toContain(`<auid>${auid}</auid>`)
})

test('two users cannot have one address for their services or groups', async () => {
  const type = 'application/vnd.oma.poc.groups+xml'
  const uri = 'sip:the-only-one@parley.test'
  expect((await alice.put(of('alice', `${oma}.groups`, 'one'), group(uri), type)).status).toBe(201)
  expect(
    (await alice.put(of('alice', `${oma}.groups`, 'one'), group(uri, '<entry uri="sip:x@y.test"/>'), type)).status,
  ).toBe(200)
  const taken = await bob.put(of('bob', `${oma}.groups`, 'one'), group(uri), type)
  expect(taken.status).toBe(409)
  expect(taken.text).toContain('<uniqueness-failure')
})

test('an address for each of a thousand services is too much', async () => {
  const services = Array.from(
    { length: 1_000 },
    (_, at) => `<service uri="sip:s${at}@parley.test">${friends}</service>`,
  )
  const body = rls('sip:x@parley.test', friends).replace(/<service.*<\/service>/, services.join(''))
  const answer = await alice.put(of('alice', 'rls-services', 'many'), body, 'application/rls-services+xml')
  expect(answer.text).toContain('more than 200 addresses')
})

describe('profiles (OMA Shared Profile XDM)', () => {
  const type = 'application/vnd.oma.user-profile+xml'

  test('a profile is read by everybody who is known here, and by nobody else', async () => {
    const target = of('bob', `${oma}.user-profile`, 'user-profile')
    expect((await bob.put(target, profile(aor('bob'), '<display-name>Bob</display-name>'), type)).status).toBe(201)
    expect((await alice.get(target)).text).toContain('Bob')
    expect((await alice.get(`${target}/~~/user-profiles/user-profile/display-name`)).text).toContain('Bob')
    expect((await exchange(server.http, 'GET', `/xcap${target}`, undefined, {})).status).toBe(401)
  })

  test('a locked profile is written by the operator, and read by its user only', async () => {
    const target = of('alice', `${oma}.locked-user-profile`, 'locked-user-profile')
    const content = profile(aor('alice'), '<freetext>gold</freetext>')
    expect((await alice.put(target, content, type)).status).toBe(403)
    expect((await operator('PUT', target, content, type)).status).toBe(201)
    expect((await alice.get(target)).text).toBe(content)
    expect((await bob.get(target)).status).toBe(403)
    expect((await alice.delete(target)).status).toBe(403)
  })

  test('the global profile is the operator’s, and everybody reads it', async () => {
    const target = `/${oma}.user-profile/global/user-profile`
    const content = profile('sip:help@parley.test', '<display-name>Help desk</display-name>')
    expect((await alice.put(target, content, type)).status).toBe(403)
    expect((await operator('PUT', target, content, type)).status).toBe(201)
    expect((await alice.get(target)).text).toBe(content)
  })

  test('a wrong token opens nothing, and the right one not what is private', async () => {
    const target = of('alice', 'resource-lists', 'index')
    const wrong = { authorization: 'Bearer not-the-secret-of-anybody' }
    expect((await exchange(server.http, 'GET', `/xcap${target}`, undefined, wrong)).status).toBe(401)
    expect((await operator('GET', target)).status).toBe(403)
  })
})

describe('access rules (OMA Shared Policy XDM)', () => {
  const rules = of.bind(undefined, 'carol', `${oma}.access-rules`, 'access-rules')
  const content = () => of('carol', `${oma}.pres-content`, 'oma_status-icon/rcs_status_icon')
  const allow = (conditions: string) =>
    ruleset(rule(`<allow-read xmlns="urn:parley:access-rules" auid="${oma}.pres-content"/>`, conditions))

  test('an owner lets others read, and stops it, from one request to the next', async () => {
    const carol = new XcapClient(server, 'carol')
    expect((await carol.put(content(), avatar('image/png'), 'application/vnd.oma.pres-content+xml')).status).toBe(201)
    expect((await bob.get(content())).status).toBe(403)
    const forBob = `<conditions><identity><one id="${aor('bob')}"/></identity></conditions>`
    expect((await carol.put(rules(), allow(forBob), policy)).status).toBe(201)
    expect((await bob.get(content())).text).toBe(avatar('image/png'))
    expect((await alice.get(content())).status).toBe(403)
    expect((await bob.delete(content())).status).toBe(403)
    const forAllButBob = `<conditions><identity><many><except id="${aor('bob')}"/></many></identity></conditions>`
    expect((await carol.put(rules(), allow(forAllButBob), policy)).status).toBe(200)
    expect((await bob.get(content())).status).toBe(403)
    expect((await alice.get(content())).status).toBe(200)
    expect((await carol.delete(rules())).status).toBe(200)
    expect((await alice.get(content())).status).toBe(403)
  })

  test('a condition that is not known, or whose time is over, grants nothing', async () => {
    const carol = new XcapClient(server, 'carol')
    for (const conditions of [
      '<conditions><sphere value="work"/></conditions>',
      '<conditions><validity><from>2001-01-01T00:00:00Z</from><until>2002-01-01T00:00:00Z</until></validity></conditions>',
      '<conditions><own xmlns="urn:example:own"/></conditions>',
    ]) {
      expect((await carol.put(rules(), allow(conditions), policy)).status).toBeLessThan(300)
      expect((await bob.get(content())).status).toBe(403)
    }
  })
})

test('the directory lists the documents of a user with their entity tags and sizes, to that user', async () => {
  const carol = new XcapClient(server, 'carol')
  const type = 'application/resource-lists+xml'
  const lists = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"/>'
  const { etag = '' } = await carol.put(of('carol', 'resource-lists', 'my list'.replace(' ', '%20')), lists, type)
  const target = of('carol', `${oma}.xcap-directory`, 'directory.xml')
  const directory = await carol.get(target)
  expect(directory).toMatchObject({ status: 200, type: `application/vnd.oma.xcap-directory+xml` })
  expect(directory.text).toContain(`etag="${etag.replaceAll('"', '&quot;')}"`)
  expect(directory.text).toContain(`size="${lists.length}"`)
  const folder = await carol.get(`${target}/~~/xcap-directory/folder%5b@auid=%22resource-lists%22%5d/entry/@uri`)
  const uri = folder.text.replace(/^\/xcap/, '')
  expect((await carol.get(uri)).text).toBe(lists)
  expect((await alice.get(target)).status).toBe(403)
  expect((await carol.put(target, '<a/>', 'application/vnd.oma.xcap-directory+xml')).status).toBe(405)
})
