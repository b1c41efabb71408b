import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Phone } from '../support/phone.ts'
import { PhoneSubscription, stateOf } from '../support/phone-subscription.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { XcapClient } from '../support/xcap-client.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const type = 'application/resource-lists+xml'
const list = (name: string) =>
  `<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="${name}"/></resource-lists>`
const watching = (...uris: string[]) => ({
  contentType: type,
  body: `<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>${uris
    .map((uri) => `<entry uri="${uri}"/>`)
    .join('')}</list></resource-lists>`,
})

/** A user with a client for documents. */
async function somebody(user = 'alice'): Promise<{ phone: Phone; xcap: XcapClient; tree: string }> {
  const phone = await server.phone(user)
  return { phone, xcap: new XcapClient(server, user), tree: `resource-lists/users/${server.aor(user)}` }
}
const documents = (text: string) =>
  [...text.matchAll(/<document ([^>]*)\/>/g)].map(([, attributes = '']) =>
    Object.fromEntries([...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value])),
  )

describe('a subscription (RFC 6665)', () => {
  test('is accepted, told the whole state at once, and every change after', async () => {
    const { phone, xcap, tree } = await somebody()
    const { etag: first } = await xcap.put(`/${tree}/told`, list('a'), type)
    const subscription = await PhoneSubscription.begin(phone, 'xcap-diff', watching(`${tree}/told`))
    expect(subscription.response.header('Expires')).toBe('3600')
    const whole = await subscription.notify()
    expect(whole.header('Event')).toBe('xcap-diff')
    expect(stateOf(whole)).toBe('active')
    expect(whole.header('Content-Type')).toBe('application/xcap-diff+xml')
    const unquoted = (etag = '') => etag.replaceAll('"', '')
    expect(documents(whole.text)).toEqual([{ sel: `${tree}/told`, 'new-etag': unquoted(first) }])
    const { etag: second } = await xcap.put(`/${tree}/told`, list('b'), type)
    const changed = await subscription.notify()
    expect(documents(changed.text)).toEqual([
      { sel: `${tree}/told`, 'previous-etag': unquoted(first), 'new-etag': unquoted(second) },
    ])
    await xcap.delete(`/${tree}/told`)
    expect(documents((await subscription.notify()).text)).toEqual([
      { sel: `${tree}/told`, 'previous-etag': unquoted(second) },
    ])
    const cseqs = [whole, changed].map((notify) => Number.parseInt(notify.header('CSeq') ?? '', 10))
    expect(cseqs[1]).toBeGreaterThan(cseqs[0] as number)
  })

  test('of a collection tells of what comes and goes in it, and of nothing else', async () => {
    const { phone, xcap, tree } = await somebody('bob')
    const subscription = await PhoneSubscription.begin(
      phone,
      'xcap-diff;diff-processing=aggregate',
      watching(`${tree}/`),
    )
    expect(documents((await subscription.notify()).text)).toEqual([])
    await xcap.put(`/${tree}/new`, list('a'), type)
    expect(documents((await subscription.notify()).text)).toMatchObject([{ sel: `${tree}/new` }])
    const other = await somebody('carol')
    await other.xcap.put(`/${other.tree}/new`, list('a'), type)
    await xcap.put(`/${tree}/newer`, list('a'), type)
    expect(documents((await subscription.notify()).text)).toMatchObject([{ sel: `${tree}/newer` }])
  })

  test('lasts as long as it is refreshed, and ends with a last NOTIFY', async () => {
    const { phone } = await somebody()
    const subscription = await PhoneSubscription.begin(phone, 'xcap-diff', { expires: 100 })
    expect((await subscription.notify()).header('Subscription-State')).toMatch(/^active;expires=(99|100)$/)
    const refreshed = await subscription.refresh(300)
    expect([refreshed.status, refreshed.header('Expires')]).toEqual([200, '300'])
    expect((await subscription.notify()).header('Subscription-State')).toMatch(/^active;expires=(299|300)$/)
    expect((await subscription.refresh(0)).status).toBe(200)
    expect((await subscription.notify()).header('Subscription-State')).toBe('terminated;reason=timeout')
    expect((await subscription.refresh(300)).status).toBe(481)
  })

  test('with Expires: 0 fetches the state once', async () => {
    const { phone } = await somebody()
    const subscription = await PhoneSubscription.begin(phone, 'xcap-diff', { expires: 0 })
    expect(stateOf(await subscription.notify())).toBe('terminated')
    expect((await subscription.refresh()).status).toBe(481)
  })

  test.each([
    ['too brief', { expires: 5 }, 423, 'Min-Expires'],
    ['of a package that is not served', { headers: { Event: 'weather' } }, 489, 'Allow-Events'],
    ['that takes no body of the package', { accept: 'text/html' }, 406, 'Accept'],
    ['without Contact', { headers: { Contact: undefined } }, 400, undefined],
    ['without Event', { headers: { Event: undefined } }, 489, undefined],
  ] as const)('%s is refused', async (_, options, status, header) => {
    const { phone } = await somebody()
    const { response } = await PhoneSubscription.try(phone, 'xcap-diff', options)
    expect(response.status).toBe(status)
    if (header !== undefined) expect(response.header(header)).toBeDefined()
  })

  test('to the documents of somebody else is refused', async () => {
    const { phone } = await somebody('bob')
    const { response } = await PhoneSubscription.try(phone, 'xcap-diff', { resource: server.aor('alice') })
    expect(response.status).toBe(403)
  })

  test('is refreshed in order only', async () => {
    const { phone } = await somebody()
    const subscription = await PhoneSubscription.begin(phone, 'xcap-diff')
    await subscription.notify()
    expect((await subscription.refresh(300, { CSeq: '1 SUBSCRIBE' })).status).toBe(500)
    expect((await subscription.refresh(300)).status).toBe(200)
  })

  test('has one NOTIFY under way; what changed meanwhile is told in one more', async () => {
    const { phone, xcap, tree } = await somebody()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    phone.answer = async () => {
      await held
      return 200
    }
    const subscription = await PhoneSubscription.begin(phone, 'xcap-diff', watching(`${tree}/held`))
    await subscription.notify()
    for (const name of ['a', 'b', 'c']) await xcap.put(`/${tree}/held`, list(name), type)
    expect(phone.received.filter(({ method }) => method === 'NOTIFY')).toHaveLength(1)
    release()
    expect(documents((await subscription.notify()).text)).toMatchObject([{ sel: `${tree}/held` }])
    expect(phone.received.filter(({ method }) => method === 'NOTIFY')).toHaveLength(2)
  })
})

test('subscriptions outlive the server', async () => {
  const first = await startServer()
  const phone = await first.phone('alice')
  const listen = `udp:127.0.0.1:${first.address('udp').port}`
  const subscription = await PhoneSubscription.begin(phone, 'xcap-diff', { expires: 600 })
  await subscription.notify()
  const { databaseUrl, domain } = first
  await first.app.close()
  await using second = await startServer({ databaseUrl, domain, users: [], settings: { 'sip.listen': listen } })
  const again = await subscription.notify()
  expect(stateOf(again)).toBe('active')
  const tree = `/resource-lists/users/${second.aor('alice')}`
  await new XcapClient(second, 'alice').put(`${tree}/after`, list('a'), type)
  expect(documents((await subscription.notify()).text)).toMatchObject([{ sel: `${tree.slice(1)}/after` }])
  await first[Symbol.asyncDispose]()
})

test('a change on one node is told by another', async () => {
  await using other = await startServer({ databaseUrl: server.databaseUrl, domain: server.domain, users: [] })
  const phone = await server.phone('carol')
  const subscription = await PhoneSubscription.begin(phone, 'xcap-diff')
  await subscription.notify()
  const tree = `/resource-lists/users/${server.aor('carol')}`
  await new XcapClient(other, 'carol').put(`${tree}/elsewhere`, list('a'), type)
  const told = await subscription.notify()
  expect(documents(told.text)).toMatchObject([{ sel: `${tree.slice(1)}/elsewhere` }])
})

test('a user is told of their own registrations (RFC 3680), and nobody else is', async () => {
  await using own = await startServer()
  const [phone, tablet] = [await own.phone('alice'), await own.phone('alice')]
  const subscription = await PhoneSubscription.begin(phone, 'reg')
  const none = await subscription.notify()
  expect(none.header('Content-Type')).toBe('application/reginfo+xml')
  expect(none.text).toContain('version="0" state="full"')
  expect(none.text).toContain(`aor="${phone.aor}" id="r0" state="terminated"`)
  await tablet.register()
  const one = await subscription.notify()
  expect(one.text).toContain(`<uri>${tablet.contact}</uri>`)
  expect(one.text).toContain('version="1"')
  await tablet.unregister()
  expect((await subscription.notify()).text).not.toContain(tablet.contact)
  const bob = await own.phone('bob')
  expect((await PhoneSubscription.try(bob, 'reg', { resource: phone.aor })).response.status).toBe(403)
})

describe('a subscription that is lost (spec/5)', () => {
  /** A registered phone that refuses NOTIFY. */
  async function deaf(user: string, instance: string, status = 500): Promise<Phone> {
    const phone = await server.phone(user)
    expect((await phone.register({ instance })).status).toBe(200)
    phone.answer = ({ method }) => (method === 'NOTIFY' ? status : 200)
    return phone
  }

  test.each([500, 404, 481, 302])('with %s to its NOTIFY is told to its instance, and to no other', async (status) => {
    const phone = await deaf('alice', `urn:uuid:00000000-0000-4000-8000-000000000${status}`, status)
    const other = await deaf('alice', 'urn:uuid:00000000-0000-4000-8000-0000000000ff')
    await PhoneSubscription.begin(phone, 'xcap-diff')
    const told = await phone.receive('MESSAGE')
    expect(told.header('Content-Type')).toMatch(/^multipart\/mixed/)
    expect(told.text).toContain('<event>xcap-diff</event>')
    expect(told.text).toContain(`status="${status}"`)
    expect(told.text).toContain('Please subscribe again')
    expect(other.received.filter(({ method }) => method === 'MESSAGE')).toHaveLength(0)
    await phone.unregister()
    await other.unregister()
  })

  test('too often signs the device out, and a new registration counts anew', async () => {
    await using strict = await startServer({ settings: { 'subscriptions.recovery.threshold': '1' } })
    const phone = await strict.phone('alice')
    const registered = async () => (await phone.register({ headers: { Contact: undefined } })).header('Contact')
    const instance = 'urn:uuid:00000000-0000-4000-8000-000000000001'
    phone.answer = ({ method }) => (method === 'NOTIFY' ? 500 : 200)
    await phone.register({ instance, headers: { 'Call-ID': 'first-registration' } })
    await PhoneSubscription.begin(phone, 'xcap-diff')
    await phone.receive('MESSAGE')
    expect(await registered()).toBeDefined()
    await PhoneSubscription.begin(phone, 'xcap-diff')
    await expect.poll(registered).toBeUndefined()
    await phone.register({ instance, headers: { 'Call-ID': 'second-registration' } })
    await PhoneSubscription.begin(phone, 'xcap-diff')
    await phone.receive('MESSAGE')
    expect(await registered()).toBeDefined()
  })

  test('at the threshold raises an alarm: in the list, in metrics, and to whoever asked for it', async () => {
    const posts: string[] = []
    const hook = createServer((request, response) => {
      request.on('data', (piece) => posts.push(String(piece)))
      request.on('end', () => response.end())
    })
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve))
    const { port } = hook.address() as AddressInfo
    const token = 'a-token-for-the-tests'
    await using strict = await startServer({
      settings: {
        'subscriptions.recovery.threshold': '0',
        'subscriptions.recovery.onThreshold': 'bar',
        'alarms.webhook': `http://127.0.0.1:${port}/`,
        'admin.token': token,
      },
    })
    const phone = await strict.phone('alice')
    await phone.register()
    phone.answer = ({ method }) => (method === 'NOTIFY' ? 500 : 200)
    await PhoneSubscription.begin(phone, 'xcap-diff')
    const headers = { authorization: `Bearer ${token}` }
    const alarms = async () =>
      ((await (await fetch(`${strict.http}/admin/v1/alarms`, { headers })).json()) as { alarms: object[] }).alarms
    await expect.poll(alarms).toMatchObject([{ kind: 'subscriptions-lost', subject: phone.aor, times: 1 }])
    expect(await strict.metric('parley_alarms_total')).toBe(1)
    await expect.poll(() => posts.join('')).toContain(phone.aor)
    const refused = await phone.register()
    expect([refused.status, Number(refused.header('Retry-After')) > 0]).toEqual([503, true])
    const cleared = await fetch(`${strict.http}/admin/v1/alarms?subject=${phone.aor}`, { method: 'DELETE', headers })
    expect(await cleared.json()).toEqual({ removed: 1 })
    expect(await alarms()).toEqual([])
    await new Promise((resolve) => hook.close(resolve))
  })

  test('may go alone, without the registration', async () => {
    const settings = { 'subscriptions.recovery.threshold': '0', 'subscriptions.recovery.onThreshold': 'drop' }
    await using lenient = await startServer({ settings })
    const phone = await lenient.phone('alice')
    await phone.register()
    phone.answer = ({ method }) => (method === 'NOTIFY' ? 500 : 200)
    const subscription = await PhoneSubscription.begin(phone, 'xcap-diff')
    await expect.poll(() => lenient.metric('parley_alarms_total')).toBe(1)
    expect((await subscription.refresh()).status).toBe(481)
    expect((await phone.register({ headers: { Contact: undefined } })).header('Contact')).toBeDefined()
    expect(phone.received.filter(({ method }) => method === 'MESSAGE')).toHaveLength(0)
  })

  test('with Retry-After is tried once more', async () => {
    const phone = await server.phone('bob')
    let refusals = 1
    phone.answer = ({ method }) =>
      method === 'NOTIFY' && refusals-- > 0 ? { status: 503, headers: { 'Retry-After': '0' } } : 200
    const subscription = await PhoneSubscription.begin(phone, 'xcap-diff')
    await subscription.notify()
    expect(stateOf(await subscription.notify())).toBe('active')
    expect((await subscription.refresh()).status).toBe(200)
  })
})
