import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer, type TestServer } from '../support/start-server.ts'
import { XcapClient } from '../support/xcap-client.ts'

let server: TestServer
let alice: XcapClient
beforeAll(async () => {
  server = await startServer()
  alice = new XcapClient(server, 'alice')
})
afterAll(() => server[Symbol.asyncDispose]())

const type = 'application/resource-lists+xml'
const ns = 'urn:ietf:params:xml:ns:resource-lists'
const lists = (content: string) => `<resource-lists xmlns="${ns}">${content}</resource-lists>`
const declared = (encoding: string) => `<?xml version="1.0" encoding="${encoding}"?>`
const utf16 = (text: string) => Buffer.from(text, 'utf16le')
const place = (name: string) => `/resource-lists/users/${server.aor('alice')}/${name}`

const laughs = `<!DOCTYPE lolz [<!ENTITY lol "lol">${Array.from(
  { length: 10 },
  (_, at) => `<!ENTITY lol${at} "${`&lol${at === 0 ? '' : at - 1};`.repeat(10)}">`,
).join('')}]>${lists('<list name="a"><display-name>&lol9;</display-name></list>')}`

const nasty: readonly (readonly [what: string, body: Buffer | string])[] = [
  ['a billion laughs', laughs],
  ['an external entity', `<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>${lists('&x;')}`],
  ['an external entity over HTTP', `<!DOCTYPE r [<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]>${lists('&x;')}`],
  ['a parameter entity', `<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]>${lists('')}`],
  ['an external document type', `<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd">${lists('')}`],
  ['a document type after a comment', `<!-- <r> --><!DOCTYPE r []>${lists('')}`],
  ['an entity that nobody declared', lists('&nbsp;')],
  ['UTF-16 with a byte order mark', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16(declared('UTF-16') + lists(''))])],
  ['UTF-16, big end first', Buffer.concat([Buffer.from([0xfe, 0xff]), utf16(lists('')).swap16()])],
  ['UTF-16 without a mark', utf16(lists(''))],
  ['UTF-32', Buffer.concat([Buffer.from([0, 0, 0xfe, 0xff]), Buffer.from(lists(''))])],
  ['Latin-1 that says so', Buffer.from(declared('ISO-8859-1') + lists('<!-- \u00e9 -->'), 'latin1')],
  ['Latin-1 that does not say so', Buffer.from(lists('<!-- \u00e9 -->'), 'latin1')],
  ['UTF-7 that says so', `${declared('UTF-7')}+ADw-x/+AD4-`],
  ['UTF-8 that says it is something else', declared('UTF-16') + lists('')],
  ['overlong UTF-8', Buffer.concat([Buffer.from([0xc0, 0xbc]), Buffer.from(lists('').slice(1))])],
  ['overlong UTF-8 inside', Buffer.concat([Buffer.from('<a>'), Buffer.from([0xe0, 0x80, 0xbc]), Buffer.from('</a>')])],
  ['a surrogate in UTF-8', Buffer.concat([Buffer.from('<a>'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('</a>')])],
  ['a NUL', Buffer.from(lists('\0'))],
  ['a NUL by reference', lists('<list name="&#0;"/>')],
  ['a control character by reference', lists('<list name="&#x1b;"/>')],
  ['a surrogate by reference', lists('<list name="&#xd800;"/>')],
  ['nothing', ''],
  ['spaces', ' '.repeat(100_000)],
  ['100,000 nested elements', '<list>'.repeat(100_000)],
  ['101 nested elements', lists(`${'<list>'.repeat(101)}${'</list>'.repeat(101)}`)],
  ['100,000 elements', lists('<list/>'.repeat(100_000))],
  [
    'a hundred thousand attributes',
    lists(`<list ${Array.from({ length: 80_000 }, (_, at) => `a${at}=""`).join(' ')}/>`),
  ],
  ['one attribute again and again', lists(`<list ${'name="" '.repeat(100_000)}/>`)],
  ['one opening after the other', '<'.repeat(1_000_000)],
  ['comments that do not end', '<!--'.repeat(200_000)],
  ['sections that do not end', `<a>${'<![CDATA['.repeat(100_000)}`],
  ['instructions that do not end', '<?x'.repeat(300_000)],
  ['a quote that does not end', `<a b="${'x'.repeat(1_000_000)}`],
  ['references without end', lists(`<list name="${'&'.repeat(500_000)}"/>`)],
  ['a prefix that is not bound', lists('<x:list/>')],
  [
    'XInclude',
    lists('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>').replace(
      '<resource-lists',
      '<x',
    ),
  ],
  [
    'another schema by its location',
    `<resource-lists xmlns="urn:x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x http://127.0.0.1:9/x.xsd"/>`,
  ],
]

test.each(nasty)('%s is refused, as a document, an element, an attribute and a search', async (what, body) => {
  const name = encodeURIComponent(what)
  expect((await alice.put(place(name), body, type)).status).toBe(409)
  expect((await alice.get(place(name))).status).toBe(404)
  const there = place(`there-${name}`)
  expect((await alice.put(there, lists('<list name="a"/>'), type)).status).toBe(201)
  const element = await alice.put(`${there}/~~/resource-lists/list`, body, 'application/xcap-el+xml')
  expect(element.status).toBe(409)
  const attribute = await alice.put(`${there}/~~/resource-lists/list/@name`, body, 'application/xcap-att+xml')
  if (attribute.status !== 409) expect(String(body)).not.toMatch(/[<&\0]/)
  const search = '/org.openmobilealliance.search/global?target=org.openmobilealliance.user-profile'
  expect((await alice.post(search, body, 'application/vnd.oma.search+xml')).status).toBe(409)
})

test('10 MiB are refused before they are read, whatever is in them', async () => {
  const refused = await alice.put(place('big'), lists(' '.repeat(10_485_760)), type).catch(() => ({ status: 413 }))
  expect(refused.status).toBe(413)
  expect((await alice.get(place('big'))).status).toBe(404)
})

test('a byte order mark of UTF-8 is none of the document’s business', async () => {
  const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(declared('utf-8') + lists(''))])
  expect((await alice.put(place('marked'), marked, type)).status).toBe(201)
  expect((await alice.get(`${place('marked')}/~~/resource-lists`)).text).toBe(lists(''))
})

test.each([
  ['a selector of a thousand steps', `resource-lists${'/list'.repeat(1_000)}`],
  ['an XPath function', 'resource-lists/list%5bcount(entry)=1%5d'],
  ['an XPath axis', 'resource-lists/descendant::entry'],
  ['a double slash', 'resource-lists//entry'],
  ['a parent step', 'resource-lists/..'],
  ['an expression', 'resource-lists/list%5b@name=%22a%22%20or%201=1%5d'],
  ['wrong UTF-8 in the URI', 'resource-lists/list%ff'],
  ['a selector that is too long', `resource-lists/list%5b@name=%22${'x'.repeat(9_000)}%22%5d`],
])('%s is no URI', async (_, selector) => {
  expect((await alice.put(place('selected'), lists(''), type)).status).toBeLessThan(300)
  expect([400, 414, 431]).toContain((await alice.get(`${place('selected')}/~~/${selector}`)).status)
})
