import { deflateSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { PhoneSubscription, stateOf } from '../support/phone-subscription.ts'
import { askingFor, listOf, pidf, publish, putRules, rules, tuple } from '../support/presence.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { XcapClient } from '../support/xcap-client.ts'

async function three(settings: Readonly<Record<string, string>> = {}) {
  const server = await startServer({ settings })
  const [alice, bob, carol] = [await server.phone('alice'), await server.phone('bob'), await server.phone('carol')]
  return { server, alice, bob, carol, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

/** The resources of a list, each with its state and reason. */
const resourcesIn = (text: string) =>
  [...text.matchAll(/<resource uri="([^"]*)"><instance id="1" state="(\w+)"(?: reason="(\w+)")?/g)].map(
    ([, uri, state, reason]) => [uri, state, reason].filter((one) => one !== undefined).join(' '),
  )
const anonymous = { headers: { Privacy: 'id' } }

const putList = (server: TestServer, user: string, auid: string, name: string, content: string, type: string) =>
  new XcapClient(server, user).put(`/${auid}/users/${server.aor(user)}/${name}`, content, type)

describe('members of a list (RFC 4662)', () => {
  test('who are refused, or wait, are seen as soon as the rules let the watcher in', async () => {
    await using all = await three()
    const { server, alice, bob, carol } = all
    await publish(bob, pidf(bob.aor, tuple('of-bob')))
    await publish(carol, pidf(carol.aor, tuple('of-carol')))
    await putRules(server, 'bob', rules([alice.aor], 'block'))
    await putRules(server, 'carol', rules([alice.aor], 'confirm'))
    const subscription = await PhoneSubscription.begin(alice, 'presence', askingFor(server, bob.aor, carol.aor))
    const first = await subscription.notify()
    expect(resourcesIn(first.text)).toEqual([`${bob.aor} terminated rejected`, `${carol.aor} pending`])
    await putRules(server, 'bob', rules([alice.aor], 'allow'))
    const second = await subscription.notify()
    expect(resourcesIn(second.text)).toEqual([`${bob.aor} active`])
    expect(second.text).toContain('of-bob')
    await putRules(server, 'carol', rules([alice.aor], 'allow'))
    expect((await subscription.notify()).text).toContain('of-carol')
    await putRules(server, 'bob', rules([alice.aor], 'block'))
    const last = await subscription.notify()
    expect(resourcesIn(last.text)).toEqual([`${bob.aor} terminated rejected`])
    expect(last.text).not.toContain('of-bob')
  })

  test('are named as the list names them', async () => {
    await using all = await three()
    const { server, alice, bob } = all
    const written = `sip:%62ob@${server.domain.toUpperCase()};transport=tcp`
    const subscription = await PhoneSubscription.begin(alice, 'presence', askingFor(server, written))
    expect(resourcesIn((await subscription.notify()).text)).toEqual([`${written} active`])
    await publish(bob, pidf(bob.aor, tuple('of-bob')))
    const changed = await subscription.notify()
    expect(changed.text).toContain('of-bob')
    const [, cid] = /cid="([^"]+)"/.exec(changed.text) ?? []
    expect(changed.text).toMatch(new RegExp(`Content-Id: <${cid}>`, 'i'))
  })

  test('come and go as the list that they are in changes, without another SUBSCRIBE', async () => {
    await using all = await three()
    const { server, alice, bob, carol } = all
    const lists = 'application/resource-lists+xml'
    await putList(server, 'alice', 'resource-lists', 'index', listOf(bob.aor), lists)
    const friends = server.aor('friends-of-alice')
    const reference = `http://xcap.${server.domain}/xcap/resource-lists/users/${alice.aor}/index/~~/resource-lists/list%5b@name=%22l%22%5d`
    const service = `<rls-services xmlns="urn:ietf:params:xml:ns:rls-services"><service uri="${friends}"><resource-list>${reference}</resource-list><packages><package>presence</package></packages></service></rls-services>`
    const put = await putList(server, 'alice', 'rls-services', 'index', service, 'application/rls-services+xml')
    expect(put.status, put.text).toBe(201)
    const headers = { Supported: 'eventlist' }
    const subscription = await PhoneSubscription.begin(alice, 'presence', { resource: friends, headers })
    expect(resourcesIn((await subscription.notify()).text)).toEqual([`${bob.aor} active`])
    await putList(server, 'alice', 'resource-lists', 'index', listOf(bob.aor, carol.aor), lists)
    const more = await subscription.notify()
    expect(more.text).toContain('fullState="true"')
    expect(resourcesIn(more.text)).toEqual([`${bob.aor} active`, `${carol.aor} active`])
    await publish(carol, pidf(carol.aor, tuple('of-carol')))
    expect((await subscription.notify()).text).toContain('of-carol')
    await putList(server, 'alice', 'resource-lists', 'index', listOf(carol.aor), lists)
    expect(resourcesIn((await subscription.notify()).text)).toEqual([`${carol.aor} active`])
    await putList(
      server,
      'alice',
      'rls-services',
      'index',
      service.replace('presence<', 'conference<'),
      'application/rls-services+xml',
    )
    expect(stateOf(await subscription.notify())).toBe('terminated')
    expect((await PhoneSubscription.try(alice, 'presence', { resource: friends, headers })).response.status).toBe(489)
  })

  test('may come in a body that is deflated', async () => {
    await using all = await three()
    const { server, alice, bob } = all
    const asked = askingFor(server, bob.aor)
    const subscription = await PhoneSubscription.begin(alice, 'presence', {
      ...asked,
      body: deflateSync(asked.body),
      headers: { ...asked.headers, 'Content-Encoding': 'deflate' },
    })
    expect(resourcesIn((await subscription.notify()).text)).toEqual([`${bob.aor} active`])
  })

  test('are so many and no more', async () => {
    await using all = await three({ 'presence.listMembers': '2' })
    const { server, alice, bob, carol } = all
    const ask = async (...uris: string[]) =>
      (await PhoneSubscription.try(alice, 'presence', askingFor(server, ...uris))).response.status
    expect(await ask(bob.aor, carol.aor)).toBe(200)
    expect(await ask(alice.aor, bob.aor, carol.aor)).toBeGreaterThanOrEqual(400)
  })
})

describe('who watches (RFC 3857, RFC 3858)', () => {
  test('through a list, and on another node, waits and is let in as anybody else', async () => {
    await using all = await three({ 'presence.unruled': 'confirm' })
    const { server, alice, bob } = all
    await using other = await startServer({
      databaseUrl: server.databaseUrl,
      domain: server.domain,
      users: [],
      settings: { 'presence.unruled': 'confirm' },
    })
    const info = await PhoneSubscription.begin(alice, 'presence.winfo')
    await info.notify()
    const subscription = await PhoneSubscription.begin(bob, 'presence', askingFor(server, alice.aor))
    await subscription.notify()
    const listed = await info.notify((notify) => notify.text.includes('status="pending"'))
    expect(listed.text).toContain(`>${bob.aor}</watcher>`)
    const far = await other.phone('carol')
    const watching = await PhoneSubscription.begin(far, 'presence', { resource: alice.aor })
    expect(stateOf(await watching.notify())).toBe('pending')
    const both = await info.notify((notify) => notify.text.includes(far.aor))
    expect(both.text.match(/status="pending"/g)).toHaveLength(2)
    await putRules(server, 'alice', rules([bob.aor, far.aor], 'allow'))
    await info.notify((notify) => (notify.text.match(/status="active"/g) ?? []).length === 2)
    expect(stateOf(await watching.notify())).toBe('active')
    expect(resourcesIn((await subscription.notify()).text)).toEqual([`${alice.aor} active`])
    await watching.refresh(0)
    await subscription.refresh(0)
    const none = await info.notify((notify) => !notify.text.includes('<watcher '))
    const versions = [listed, both, none].map(({ text }) => Number(/version="(\d+)"/.exec(text)?.[1]))
    expect(versions).toEqual([...versions].sort((one, two) => one - two))
  })

  test('without a name is one of nobody: rules about identities do not let them in, and nobody learns who it is', async () => {
    await using all = await three()
    const { server, alice, bob } = all
    await publish(alice, pidf(alice.aor, tuple('secret')))
    const info = await PhoneSubscription.begin(alice, 'presence.winfo')
    await info.notify()
    const open = await PhoneSubscription.begin(bob, 'presence', { resource: alice.aor, headers: { Privacy: 'id' } })
    expect((await open.notify()).text).toContain('secret')
    const told = await info.notify()
    expect(told.text).toContain('sip:anonymous@anonymous.invalid</watcher>')
    expect(told.text).not.toContain(bob.aor)
    await putRules(server, 'alice', rules([bob.aor], 'allow'))
    expect(stateOf(await open.notify())).toBe('terminated')
    const hidden = await PhoneSubscription.try(bob, 'presence', { resource: alice.aor, headers: anonymous.headers })
    expect(hidden.response.status).toBe(403)
    expect((await PhoneSubscription.try(bob, 'presence', { resource: alice.aor })).response.status).toBe(200)
  })
})

describe('a flood of subscriptions', () => {
  test('of one user, in many requests at once, ends at what one user may have', async () => {
    await using all = await three({ 'subscriptions.ofUser': '10' })
    const { server, alice, bob, carol } = all
    await PhoneSubscription.try(bob, 'presence', { resource: alice.aor, expires: 0 })
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => PhoneSubscription.try(bob, 'presence', { resource: alice.aor })),
    )
    const statuses = answers.map(({ response }) => response.status)
    // The one above may still be there.
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(10)
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(9)
    expect(statuses.filter((status) => status !== 200).every((status) => status === 403)).toBe(true)
    expect((await PhoneSubscription.try(carol, 'presence', { resource: alice.aor })).response.status).toBe(200)
    const accepted = answers.filter(({ response }) => response.status === 200)
    for (const subscription of accepted) await subscription.refresh(0)
    await expect.poll(() => server.metric('parley_subscriptions')).toBe(1)
    expect((await PhoneSubscription.try(bob, 'presence', { resource: alice.aor })).response.status).toBe(200)
  })

  test('of all ends at what the server has room for', async () => {
    await using all = await three({ 'subscriptions.most': '5' })
    const { alice, bob } = all
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => PhoneSubscription.try(bob, 'presence', { resource: alice.aor })),
    )
    expect(answers.filter(({ response }) => response.status === 200)).toHaveLength(5)
    const refused = answers.find(({ response }) => response.status !== 200)
    expect([refused?.response.status, Number(refused?.response.header('Retry-After')) > 0]).toEqual([503, true])
  })
})

test('a watcher is shown no element that the rules do not name (RFC 5025 §3.3.2)', async () => {
  await using all = await three()
  const { server, alice, bob } = all
  const more =
    '<x:mind xmlns:x="urn:x-test">plans</x:mind><x:shoes xmlns:x="urn:x-test">brown</x:shoes>' +
    '<r:user-input last-input="2026-11-22T10:00:00Z" idle-threshold="600">idle</r:user-input><r:mood><r:happy/></r:mood>'
  const place =
    '<status><basic>open</basic><g:geopriv xmlns:g="urn:ietf:params:xml:ns:pidf:geopriv10">here</g:geopriv></status>'
  await publish(alice, pidf(alice.aor, `<tuple id="t">${place}${more}<contact>sip:here@x.test</contact></tuple>`))
  const shows =
    '<pr:provide-services><pr:all-services/></pr:provide-services><pr:provide-user-input>thresholds</pr:provide-user-input>' +
    '<pr:provide-unknown-attribute ns="urn:x-test" name="shoes">true</pr:provide-unknown-attribute>'
  await putRules(server, 'alice', rules([bob.aor], 'allow', shows))
  const { text } = await (await PhoneSubscription.begin(bob, 'presence', { resource: alice.aor })).notify()
  expect(text).toContain('<basic>open</basic>')
  expect(text).toContain('sip:here@x.test')
  expect(text).toContain('brown')
  expect(text).toContain('idle-threshold="600"')
  for (const hidden of ['plans', 'last-input', 'happy', 'geopriv']) expect(text).not.toContain(hidden)
})
