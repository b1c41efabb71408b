import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildClient } from '../../src/app/client.ts'
import { Schemas } from '../../src/enablers/xdm/xcap/schemas.ts'
import { readMultipart } from '../../src/protocols/mime/multipart.ts'
import { readSubscriptionFailure } from '../../src/protocols/subscription-failure/subscription-failure.ts'
import { eventually } from '../support/eventually.ts'
import type { Phone } from '../support/phone.ts'
import { PhoneSubscription, stateOf } from '../support/phone-subscription.ts'
import type { SipText } from '../support/sip-text.ts'
import { type PhoneChoice, startServer, type TestServer } from '../support/start-server.ts'
import { XcapClient } from '../support/xcap-client.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ settings: { 'subscriptions.recovery.threshold': '2' } })
})
afterAll(() => server[Symbol.asyncDispose]())

const instanceOf = (number: number) => `urn:uuid:00000000-0000-4000-8000-00000000000${number}`

async function registered(user: string, number: number, choice: PhoneChoice = {}): Promise<Phone> {
  const phone = await server.phone(user, choice)
  expect((await phone.register({ instance: instanceOf(number) })).status).toBe(200)
  return phone
}

const refusing = (status: number) => (request: SipText) => (request.method === 'NOTIFY' ? status : 200)
const messagesTo = (phone: Phone) => phone.received.filter(({ method }) => method === 'MESSAGE')
const failureIn = (message: SipText) =>
  readSubscriptionFailure(message.header('Content-Type') ?? '', message.body) ?? expect.fail('no failure in it')
const bindingsOf = async (phone: Phone) =>
  (await phone.register({ headers: { Contact: undefined } })).all('Contact').join()
let names = 0
/** Something changes that subscriptions to xcap-diff are told of. */
async function change(user: string): Promise<void> {
  const path = `/resource-lists/users/${server.aor(user)}/list-${++names}`
  const list = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list/></resource-lists>'
  expect((await new XcapClient(server, user).put(path, list, 'application/resource-lists+xml')).status).toBe(201)
}

test('with no answer to its NOTIFY (timer F) is told to its instance', async () => {
  const phone = await registered('alice', 1)
  phone.answer = ({ method }) => (method === 'NOTIFY' ? 'silence' : 200)
  const subscription = await PhoneSubscription.begin(phone, 'xcap-diff')
  const told = await phone.receive('MESSAGE', () => true, 50_000)
  expect(failureIn(told)).toMatchObject({ package: 'xcap-diff', resource: phone.aor, status: 408, answered: false })
  expect((await subscription.refresh()).status).toBe(481)
  await phone.unregister()
}, 60_000)

test('is told in a body that its schema allows, and that people can read', async () => {
  const phone = await registered('alice', 2)
  phone.answer = refusing(486)
  const began = Date.now()
  await PhoneSubscription.begin(phone, 'reg')
  const told = await phone.receive('MESSAGE')
  const [text, xml] = readMultipart(told.body, told.header('Content-Type') ?? '')
  expect(text?.body.toString()).toMatch(/subscription to reg of sip:alice@.* 486.*subscribe again/)
  const schemas = new Schemas()
  expect(() => schemas.check('subscription-failure.xsd', xml?.body ?? Buffer.alloc(0))).not.toThrow()
  const spoilt = Buffer.from((xml?.body.toString() ?? '').replace('status="486"', 'status="many"'))
  expect(() => schemas.check('subscription-failure.xsd', spoilt)).toThrow('schema-validation-error')
  schemas.close()
  const { at, ...failure } = failureIn(told)
  expect(failure).toEqual({ package: 'reg', resource: phone.aor, status: 486, answered: true })
  expect(at).toBeGreaterThanOrEqual(began)
  await phone.unregister()
})

test('below the threshold is made again, and the device stays signed in', async () => {
  const phone = await registered('bob', 3)
  for (const _ of [1, 2]) {
    phone.answer = refusing(500)
    await PhoneSubscription.begin(phone, 'xcap-diff')
    await phone.receive('MESSAGE')
    phone.answer = () => 200
    const again = await PhoneSubscription.begin(phone, 'xcap-diff')
    expect(stateOf(await again.notify())).toBe('active')
    await change('bob')
    await again.notify()
    await again.refresh(0)
    await again.notify()
  }
  expect(await bindingsOf(phone)).toContain(phone.contact)
  await phone.unregister()
})

test('is counted for each device by itself: one is signed out, another one is not', async () => {
  const [deaf, well] = [await registered('carol', 4), await registered('carol', 5)]
  deaf.answer = refusing(500)
  const subscription = await PhoneSubscription.begin(well, 'xcap-diff')
  await subscription.notify()
  for (const _ of [1, 2]) {
    await PhoneSubscription.begin(deaf, 'xcap-diff')
    await deaf.receive('MESSAGE')
  }
  await PhoneSubscription.begin(deaf, 'xcap-diff')
  await expect.poll(() => bindingsOf(well)).not.toContain(deaf.contact)
  expect(await bindingsOf(well)).toContain(well.contact)
  expect([messagesTo(deaf).length, messagesTo(well).length]).toEqual([2, 0])
  await change('carol')
  await subscription.notify()
  well.answer = refusing(500)
  await change('carol')
  await well.receive('MESSAGE')
  await well.unregister()
})

test('because its connection is gone takes no message, and none is kept', async () => {
  const phone = await registered('bob', 6, { transport: 'tcp' })
  const { callId, response } = await PhoneSubscription.begin(phone, 'xcap-diff')
  await phone.receive('NOTIFY')
  phone.close()
  await change('bob')
  const left = `select id from subscriptions where dialog ->> 'callId' = '${callId}'`
  await eventually(async () => expect(await server.query(left)).toHaveLength(0))
  const back = await registered('bob', 6, { transport: 'tcp' })
  expect(stateOf(await (await PhoneSubscription.begin(back, 'xcap-diff')).notify())).toBe('active')
  const old = await back.request('SUBSCRIBE', back.aor, {
    to: response.header('To') ?? '',
    headers: { 'Call-ID': callId, Event: 'xcap-diff', Contact: `<${back.contact}>` },
  })
  expect(old.status).toBe(481)
  expect(messagesTo(back)).toHaveLength(0)
  expect(await server.query('select * from deferred')).toEqual([])
  await back.unregister()
})

describe('our client library', () => {
  async function clientOf(user: string) {
    const { address, port } = server.address('tcp')
    const client = buildClient({
      aor: server.aor(user),
      password: `${user}-secret`,
      server: `sip:${address}:${port};transport=tcp`,
    })
    await client.start()
    return { client, [Symbol.asyncDispose]: () => client.close() }
  }
  const publish = (phone: Phone, word: string) =>
    phone.request('PUBLISH', phone.aor, {
      headers: { Event: 'presence', Expires: '600' },
      contentType: 'application/pidf+xml',
      body: `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${phone.aor}"><tuple id="${word}"><status><basic>open</basic></status></tuple></presence>`,
    })

  test('is told of presence, and no more once it has stopped', async () => {
    await using own = await clientOf('alice')
    const bob = await server.phone('bob')
    const bodies: string[] = []
    const states: string[] = []
    const { status, stop } = await own.client.subscribe({
      event: 'presence',
      resource: bob.aor,
      onNotified: ({ body, state }) => {
        bodies.push(body.toString())
        states.push(state)
      },
    })
    expect(status).toBe(200)
    await publish(bob, 'first-word')
    await eventually(() => expect(bodies.at(-1)).toContain('first-word'))
    await stop()
    const rows = `select id from subscriptions where subscriber = '${server.aor('alice')}' and package = 'presence'`
    await eventually(async () => expect(await server.query(rows)).toHaveLength(0))
  })

  test('subscribes again when it is told that its subscription was lost', async () => {
    await using own = await clientOf('alice')
    expect((await own.client.register()).status).toBe(200)
    const carol = await server.phone('carol')
    let bodies = 0
    let faults = 1
    const { status } = await own.client.subscribe({
      event: 'presence',
      resource: carol.aor,
      onNotified: () => {
        bodies++
        if (faults-- > 0) throw new Error('a fault in the client')
      },
    })
    expect(status).toBe(200)
    await eventually(() => expect(bodies).toBeGreaterThan(1))
    const before = bodies
    await publish(carol, 'later-word')
    await eventually(() => expect(bodies).toBeGreaterThan(before))
  })

  test('hears why there is no more to come', async () => {
    await using own = await clientOf('alice')
    const refused = await own.client.subscribe({ event: 'presence', resource: server.aor('nobody'), onNotified() {} })
    expect(refused.status).toBe(404)
    const bob = await server.phone('bob')
    let reason = ''
    await own.client.subscribe({
      event: 'presence',
      resource: bob.aor,
      onNotified() {},
      onEnded: (why) => {
        reason = why
      },
    })
    const rules =
      '<ruleset xmlns="urn:ietf:params:xml:ns:common-policy"><rule id="a"><conditions/><actions><sub-handling xmlns="urn:ietf:params:xml:ns:pres-rules">block</sub-handling></actions></rule></ruleset>'
    const path = `/pres-rules/users/${bob.aor}/index`
    expect((await new XcapClient(server, 'bob').put(path, rules, 'application/auth-policy+xml')).status).toBe(201)
    await eventually(() => expect(reason).toBe('rejected'))
  })
})
