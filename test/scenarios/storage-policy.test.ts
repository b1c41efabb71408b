import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { saidTo, setSettings } from '../support/history.ts'
import type { Phone } from '../support/phone.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

const asking = { headers: { 'Parley-Store': 'yes' } }

describe('what a user has said', () => {
  let server: TestServer
  let alice: Phone
  let bob: Phone
  let carol: Phone
  let number = 0
  /** A text of its own for each message. */
  let text: string
  beforeAll(async () => {
    server = await startServer({ settings: { 'storage.default': 'ask' } })
    alice = await server.online('alice')
    bob = await server.online('bob')
    carol = await server.online('carol')
  })
  beforeEach(() => {
    text = `message ${++number}`
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const has = async (user: string) => (await saidTo(server, user)).includes(text)
  const rules = (content: string) => `<storage-rules>${content}</storage-rules>`

  test('who has said nothing has what they ask for, and the other has not', async () => {
    expect((await alice.message(bob.aor, text)).status).toBe(200)
    expect([await has('alice'), await has('bob')]).toEqual([false, false])
    expect((await alice.message(bob.aor, text, asking)).status).toBe(200)
    expect([await has('alice'), await has('bob')]).toEqual([true, false])
  })

  test('another value of the header field asks for nothing', async () => {
    await alice.message(bob.aor, text, { headers: { 'Parley-Store': 'no' } })
    expect(await has('alice')).toBe(false)
  })

  test('a rule about a partner counts under all addresses of the partner, and for nobody else', async () => {
    const rule = '<rule action="always"><sender uri="tel:+15550001"/></rule>'
    expect(await setSettings(server, 'bob', rules(rule))).toBeLessThan(300)
    await alice.message(bob.aor, text)
    expect([await has('bob'), await has('alice')]).toEqual([true, false])
    text = `message ${++number}`
    await carol.message(bob.aor, text)
    expect(await has('bob')).toBe(false)
    text = `message ${++number}`
    await bob.message(alice.aor, text)
    expect(await has('bob')).toBe(true)
  })

  test('a rule about a domain, the first one that fits, and what stands in for the rest', async () => {
    const said =
      '<storage>always</storage>' +
      rules(
        `<rule action="never"><sender uri="${carol.aor}"/></rule><rule action="ask"><domain name="parley.test"/></rule>`,
      )
    expect(await setSettings(server, 'bob', said)).toBeLessThan(300)
    await carol.message(bob.aor, text)
    await bob.message(carol.aor, text, asking)
    expect(await has('bob')).toBe(false)
    await alice.message(bob.aor, text)
    expect(await has('bob')).toBe(false)
    await bob.message(alice.aor, text, asking)
    expect(await has('bob')).toBe(true)
  })

  test('a rule about another medium says nothing of messages', async () => {
    const said = `<storage>always</storage>${rules('<rule media="chat" action="never"/>')}`
    expect(await setSettings(server, 'bob', said)).toBeLessThan(300)
    await alice.message(bob.aor, text)
    expect(await has('bob')).toBe(true)
  })

  test.each([
    '<rule action="sometimes"/>',
    '<rule media="fax" action="always"/>',
    '<rule><sender uri="sip:a@b"/></rule>',
    '<rule action="always"><anonymous/></rule>',
    '<rule action="always"/>'.repeat(101),
  ])('a document with %s is refused', async (rule) => {
    expect(await setSettings(server, 'alice', rules(rule.slice(0, 4000)))).toBe(409)
  })
})

test.each([
  ['always', '<storage>never</storage>', {}, true],
  ['never', '<storage>always</storage>', asking, false],
  ['ask', '<storage>always</storage>', {}, false],
  ['ask', '<storage>never</storage>', asking, true],
  ['user', '<storage>always</storage>', {}, true],
] as const)(
  'with storage.message=%s, and a user who has said %s, the operator decides',
  async (policy, said, how, kept) => {
    await using server = await startServer({ settings: { 'storage.message': policy } })
    const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
    expect(await setSettings(server, 'alice', said)).toBe(201)
    expect((await alice.message(bob.aor, 'decided', how)).status).toBe(200)
    expect(await saidTo(server, 'alice')).toEqual(kept ? ['decided'] : [])
  },
)

test('deleting my copy leaves yours', async () => {
  await using server = await startServer({ settings: { 'storage.default': 'always' } })
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  await alice.message(bob.aor, 'ours')
  await eventually(async () => expect(await saidTo(server, 'bob')).toEqual(['ours']))
  await server.query(`delete from messages where owner = (select id from subscribers where username = 'alice')`)
  expect([await saidTo(server, 'alice'), await saidTo(server, 'bob')]).toEqual([[], ['ours']])
})
