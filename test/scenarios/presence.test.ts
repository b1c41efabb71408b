import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HeaderFields, Phone } from '../support/phone.ts'
import { PhoneSubscription, stateOf } from '../support/phone-subscription.ts'
import type { SipText } from '../support/sip-text.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { XcapClient } from '../support/xcap-client.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const pidf = (entity: string, tuples: string, more = '') =>
  `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity="${entity}">${tuples}${more}</presence>`
const tuple = (id: string, basic = 'open', more = '') =>
  `<tuple id="${id}"><status><basic>${basic}</basic></status>${more}</tuple>`

function publish(phone: Phone, body: string | undefined, headers: HeaderFields = {}): Promise<SipText> {
  return phone.request('PUBLISH', phone.aor, {
    headers: { Event: 'presence', Expires: '600', ...headers },
    ...(body !== undefined && { body, contentType: 'application/pidf+xml' }),
  })
}

/** A server of their own for tests that leave something behind. */
async function pair(settings: Readonly<Record<string, string>> = {}) {
  const own = await startServer({ settings })
  const [alice, bob] = [await own.phone('alice'), await own.phone('bob')]
  return { own, alice, bob, [Symbol.asyncDispose]: () => own[Symbol.asyncDispose]() }
}

const allow = (...ids: string[]) => rules(ids, 'allow', '<pr:provide-services><pr:all-services/></pr:provide-services>')
const rules = (ids: readonly string[], handling: string, shows = '', conditions = '') =>
  `<?xml version="1.0"?><cp:ruleset xmlns:cp="urn:ietf:params:xml:ns:common-policy" xmlns:pr="urn:ietf:params:xml:ns:pres-rules"><cp:rule id="a"><cp:conditions>${
    ids.length === 0 ? '' : `<cp:identity>${ids.map((id) => `<cp:one id="${id}"/>`).join('')}</cp:identity>`
  }${conditions}</cp:conditions><cp:actions><pr:sub-handling>${handling}</pr:sub-handling></cp:actions><cp:transformations>${shows}</cp:transformations></cp:rule></cp:ruleset>`
const putRules = (own: TestServer, user: string, document: string) =>
  new XcapClient(own, user).put(`/pres-rules/users/${own.aor(user)}/index`, document, 'application/auth-policy+xml')

describe('PUBLISH (RFC 3903)', () => {
  test('begins, refreshes, modifies and removes a publication', async () => {
    const phone = await server.phone('carol')
    const begun = await publish(phone, pidf(phone.aor, tuple('a')))
    expect([begun.status, begun.header('Expires')]).toEqual([200, '600'])
    const first = begun.header('SIP-ETag') ?? ''
    const refreshed = await publish(phone, undefined, { 'SIP-If-Match': first })
    const second = refreshed.header('SIP-ETag') ?? ''
    expect(refreshed.status).toBe(200)
    expect(second).not.toBe(first)
    expect((await publish(phone, undefined, { 'SIP-If-Match': first })).status).toBe(412)
    const modified = await publish(phone, pidf(phone.aor, tuple('b')), { 'SIP-If-Match': second })
    expect(modified.status).toBe(200)
    const third = modified.header('SIP-ETag') ?? ''
    expect((await publish(phone, undefined, { 'SIP-If-Match': third, Expires: '0' })).status).toBe(200)
    expect((await publish(phone, undefined, { 'SIP-If-Match': third })).status).toBe(412)
  })

  test.each([
    ['no state', undefined, {}, 400],
    ['a type that is not served', pidf('sip:x@y.test', ''), { 'Content-Type': 'text/plain' }, 415],
    ['what is no PIDF', '<a/>', {}, 400],
    ['a tuple without status', pidf('sip:x@y.test', '<tuple id="a"/>'), {}, 400],
    ['a document type', '<!DOCTYPE a><presence/>', {}, 400],
    ['too brief a time', pidf('sip:x@y.test', ''), { Expires: '1' }, 423],
    ['another event', pidf('sip:x@y.test', ''), { Event: 'dialog' }, 489],
    ['an entity tag that is not known', undefined, { 'SIP-If-Match': 'nothing' }, 412],
  ] as const)('with %s is refused', async (_, body, headers, status) => {
    const phone = await server.phone('alice')
    expect((await publish(phone, body, headers)).status).toBe(status)
  })

  test('for somebody else is refused', async () => {
    const phone = await server.phone('alice')
    const response = await phone.request('PUBLISH', server.aor('bob'), {
      headers: { Event: 'presence' },
      body: pidf(server.aor('bob'), tuple('a')),
      contentType: 'application/pidf+xml',
    })
    expect(response.status).toBe(403)
  })
})

describe('presence (RFC 3856)', () => {
  test('is told to a watcher as it is published, by several devices as one', async () => {
    await using with2 = await pair()
    const { own, alice, bob } = with2
    const watching = await PhoneSubscription.begin(bob, 'presence', { resource: alice.aor })
    expect((await watching.notify()).text).toContain('<basic>closed</basic>')
    await publish(
      alice,
      pidf(alice.aor, tuple('same'), '<dm:person id="p"><r:activities><r:meal/></r:activities></dm:person>'),
    )
    const first = await watching.notify()
    expect(first.header('Content-Type')).toBe('application/pidf+xml')
    expect(first.text).toContain(`entity="${alice.aor}"`)
    expect(first.text).toContain('<r:meal/>')
    const tablet = await own.phone('alice')
    await publish(tablet, pidf(alice.aor, tuple('same', 'closed')))
    const both = await watching.notify()
    expect(both.text.match(/<tuple /g)).toHaveLength(2)
    expect(new Set(both.text.match(/<tuple [^>]*id="([^"]*)"/g)).size).toBe(2)
    expect(both.text).toContain('<r:meal/>')
  })

  test('of somebody who publishes nothing is what is registered', async () => {
    await using with2 = await pair()
    const { alice, bob } = with2
    const watching = await PhoneSubscription.begin(bob, 'presence', { resource: alice.aor })
    await watching.notify()
    const icsi = 'urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session'
    await alice.register({ params: [`+g.3gpp.icsi-ref="${icsi}"`] })
    const there = await watching.notify((notify) => notify.text.includes('<basic>open</basic>'))
    expect(there.text).toContain('org.openmobilealliance:ChatSession')
    await alice.unregister()
    await watching.notify((notify) => notify.text.includes('<basic>closed</basic>'))
  })

  test('of nobody is 404, and of oneself always to be seen', async () => {
    await using with2 = await pair({ 'presence.unruled': 'block' })
    const { own, alice, bob } = with2
    expect((await PhoneSubscription.try(bob, 'presence', { resource: own.aor('nobody') })).response.status).toBe(404)
    expect((await PhoneSubscription.try(bob, 'presence', { resource: alice.aor })).response.status).toBe(403)
    expect((await PhoneSubscription.try(alice, 'presence')).response.status).toBe(200)
  })
})

describe('who may watch (RFC 5025)', () => {
  test('rules let in, keep waiting, and throw out, at once', async () => {
    await using with2 = await pair({ 'presence.unruled': 'confirm' })
    const { own, alice, bob } = with2
    await publish(alice, pidf(alice.aor, tuple('secret')))
    const watching = await PhoneSubscription.begin(bob, 'presence', { resource: alice.aor })
    const waiting = await watching.notify()
    expect(stateOf(waiting)).toBe('pending')
    expect(waiting.text).not.toContain('secret')
    expect((await putRules(own, 'alice', allow(bob.aor))).status).toBe(201)
    const allowed = await watching.notify()
    expect(stateOf(allowed)).toBe('active')
    expect(allowed.text).toContain('secret')
    expect((await putRules(own, 'alice', rules([bob.aor], 'block'))).status).toBe(200)
    expect((await watching.notify()).header('Subscription-State')).toBe('terminated;reason=rejected')
    expect((await PhoneSubscription.try(bob, 'presence', { resource: alice.aor })).response.status).toBe(403)
  })

  test('who is blocked politely sees somebody who is away', async () => {
    await using with2 = await pair()
    const { own, alice, bob } = with2
    await publish(alice, pidf(alice.aor, tuple('secret')))
    await putRules(own, 'alice', rules([bob.aor], 'polite-block'))
    const watching = await PhoneSubscription.begin(bob, 'presence', { resource: alice.aor })
    const told = await watching.notify()
    expect(stateOf(told)).toBe('active')
    expect(told.text).toContain('<basic>closed</basic>')
    expect(told.text).not.toContain('secret')
  })

  test('a watcher sees what is provided, and no more', async () => {
    await using with2 = await pair()
    const { own, alice, bob } = with2
    const person = '<dm:person id="p"><r:activities><r:meal/></r:activities><r:mood><r:happy/></r:mood></dm:person>'
    await publish(
      alice,
      pidf(alice.aor, tuple('chat', 'open', '<contact>sip:a@x.test</contact>') + tuple('mail'), person),
    )
    const shows =
      '<pr:provide-services><pr:service-uri>sip:a@x.test</pr:service-uri></pr:provide-services>' +
      '<pr:provide-persons><pr:all-persons/></pr:provide-persons><pr:provide-mood>true</pr:provide-mood>'
    await putRules(own, 'alice', rules([bob.aor], 'allow', shows))
    const watching = await PhoneSubscription.begin(bob, 'presence', { resource: alice.aor })
    const { text } = await watching.notify()
    expect(text).toContain('id="chat"')
    expect(text).not.toContain('id="mail"')
    expect(text).toContain('<r:happy/>')
    expect(text).not.toContain('<r:meal/>')
  })

  test('the watched user learns who watches (RFC 3857)', async () => {
    await using with2 = await pair({ 'presence.unruled': 'confirm' })
    const { own, alice, bob } = with2
    const info = await PhoneSubscription.begin(alice, 'presence.winfo')
    const none = await info.notify()
    expect(none.header('Content-Type')).toBe('application/watcherinfo+xml')
    expect(none.text).not.toContain('<watcher ')
    const watching = await PhoneSubscription.begin(bob, 'presence', { resource: alice.aor })
    const pending = await info.notify((notify) => notify.text.includes('status="pending"'))
    expect(pending.text).toContain(`>${bob.aor}</watcher>`)
    await putRules(own, 'alice', allow(bob.aor))
    await info.notify((notify) => notify.text.includes('status="active"'))
    await watching.refresh(0)
    await info.notify((notify) => !notify.text.includes('<watcher '))
    expect((await PhoneSubscription.try(bob, 'presence.winfo', { resource: alice.aor })).response.status).toBe(403)
  })
})

describe('lists (RFC 4662)', () => {
  const listOf = (...uris: string[]) =>
    `<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>${uris.map((uri) => `<entry uri="${uri}"/>`).join('')}</list></resource-lists>`
  const asking = (body: string) => ({
    body,
    contentType: 'application/resource-lists+xml',
    headers: { Supported: 'eventlist', Require: 'recipient-list-subscribe', 'Content-Disposition': 'recipient-list' },
  })

  test('in the body of a SUBSCRIBE are watched as one: first the whole, then what changes (RFC 5367)', async () => {
    await using with2 = await pair()
    const { own, alice, bob } = with2
    const carol = await own.phone('carol')
    await publish(carol, pidf(carol.aor, tuple('of-carol')))
    const members = [bob.aor, carol.aor, own.aor('nobody')]
    const subscription = await PhoneSubscription.begin(alice, 'presence', {
      resource: own.aor('rls'),
      ...asking(listOf(...members)),
    })
    const whole = await subscription.notify()
    expect(whole.header('Require')).toBe('eventlist')
    expect(whole.header('Content-Type')).toMatch(/^multipart\/related;type="application\/rlmi\+xml"/)
    expect(whole.text).toContain('version="0" fullState="true"')
    for (const uri of members) expect(whole.text).toContain(`<resource uri="${uri}">`)
    expect(whole.text).toContain('id="of-carol"')
    expect(whole.text).toContain('state="terminated" reason="noresource"')
    await publish(bob, pidf(bob.aor, tuple('of-bob')))
    const changed = await subscription.notify()
    expect(changed.text).toContain('version="1" fullState="false"')
    expect(changed.text).toContain('id="of-bob"')
    expect(changed.text).not.toContain('id="of-carol"')
    await subscription.refresh()
    expect((await subscription.notify()).text).toContain('fullState="true"')
  })

  test('are not told to a watcher that does not know of lists', async () => {
    await using with2 = await pair()
    const { own, alice, bob } = with2
    const { response } = await PhoneSubscription.try(alice, 'presence', {
      resource: own.aor('rls'),
      body: listOf(bob.aor),
      contentType: 'application/resource-lists+xml',
    })
    expect(response.status).toBe(421)
  })

  test('that are empty get 200 and an empty list, not 404', async () => {
    await using with2 = await pair()
    const { own, alice } = with2
    const subscription = await PhoneSubscription.begin(alice, 'presence', {
      resource: own.aor('rls'),
      ...asking(listOf()),
    })
    expect((await subscription.notify()).text).not.toContain('<resource ')
  })

  test('of rls-services are watched by their URI, by their owner alone (RFC 4826)', async () => {
    await using with2 = await pair()
    const { own, alice, bob } = with2
    const friends = own.aor('friends-of-alice')
    const services = `<rls-services xmlns="urn:ietf:params:xml:ns:rls-services" xmlns:rl="urn:ietf:params:xml:ns:resource-lists"><service uri="${friends}"><list name="l"><rl:entry uri="${bob.aor}"/></list><packages><package>presence</package></packages></service></rls-services>`
    const put = await new XcapClient(own, 'alice').put(
      `/rls-services/users/${alice.aor}/index`,
      services,
      'application/rls-services+xml',
    )
    expect(put.status).toBe(201)
    const headers = { Supported: 'eventlist' }
    const subscription = await PhoneSubscription.begin(alice, 'presence', { resource: friends, headers })
    expect((await subscription.notify()).text).toContain(`<resource uri="${bob.aor}">`)
    expect((await PhoneSubscription.try(bob, 'presence', { resource: friends, headers })).response.status).toBe(404)
  })

  test('obey the rules of each member', async () => {
    await using with2 = await pair()
    const { own, alice, bob } = with2
    await publish(bob, pidf(bob.aor, tuple('secret')))
    await putRules(own, 'bob', rules([alice.aor], 'polite-block'))
    const subscription = await PhoneSubscription.begin(alice, 'presence', {
      resource: own.aor('rls'),
      ...asking(listOf(bob.aor)),
    })
    expect((await subscription.notify()).text).not.toContain('secret')
    await putRules(own, 'bob', allow(alice.aor))
    expect((await subscription.notify()).text).toContain('secret')
  })
})
