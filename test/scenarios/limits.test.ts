import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startServer } from '../support/start-server.ts'

test('a body over message.maxBytes is answered 513', async () => {
  await using server = await startServer({ settings: { 'message.maxBytes': '2000' } })
  const [alice, bob] = [
    await server.phone('alice', { transport: 'tcp' }),
    await server.online('bob', { transport: 'tcp' }),
  ]
  expect((await alice.message(bob.aor, 'x'.repeat(2_001))).status).toBe(513)
  expect((await alice.message(bob.aor, 'x'.repeat(2_000))).status).toBe(200)
})

test('more requests a second than allowed are answered 503 once, and then not at all', async () => {
  await using server = await startServer({ settings: { 'sip.limits.requestsPerSecond': '5' } })
  const alice = await server.phone('alice', { transport: 'tcp' })
  const statuses: number[] = []
  const ask = async () => statuses.push((await alice.request('OPTIONS', `sip:${server.domain}`)).status)
  for (let count = 0; count < 50; count++) ask().catch(() => {}) // most get no answer, until the phone is closed
  await eventually(() => expect(statuses).toContain(503))
  expect(statuses.filter((status) => status === 200).length).toBeLessThan(25)
})

test('the requests of a trusted peer are not limited', async () => {
  const settings = { 'sip.limits.requestsPerSecond': '5', 'sip.trustedPeers': '127.0.0.1' }
  await using server = await startServer({ settings })
  const peer = await server.phone('alice', { transport: 'tcp' })
  const asked = Array.from({ length: 50 }, () => peer.request('OPTIONS', `sip:${server.domain}`))
  const answers = await Promise.all(asked)
  expect(new Set(answers.map((response) => response.status))).toEqual(new Set([200]))
})

test('more connections from one source than allowed are closed', async () => {
  await using server = await startServer({ settings: { 'sip.limits.connectionsPerSource': '2' } })
  const first = await server.online('bob', { transport: 'tcp' })
  await server.online('bob', { transport: 'tcp' })
  const third = await server.phone('bob', { transport: 'tcp' })
  await third.disconnected
  expect((await first.register()).status).toBe(200)
})

test('a connection on which nothing comes is closed', async () => {
  await using server = await startServer({ settings: { 'sip.limits.halfOpenSeconds': '1' } })
  await (await server.phone('bob', { transport: 'tcp' })).disconnected
})

test('a message with too many header fields is refused', async () => {
  await using server = await startServer({ settings: { 'sip.limits.headers': '40' } })
  const alice = await server.phone('alice')
  const many = Array.from({ length: 60 }, (_, at) => `value ${at}`)
  const refused = await alice.request('OPTIONS', `sip:${server.domain}`, { headers: { 'X-Many': many } })
  expect(refused.status).toBeGreaterThanOrEqual(400)
  expect((await alice.request('OPTIONS', `sip:${server.domain}`)).status).toBe(200)
})

test('over the queue limit new messages get 503 with Retry-After, and what was accepted is finished', async () => {
  await using server = await startServer({ settings: { 'message.maxQueue': '3', 'message.deliverWithin': '2s' } })
  const [alice, bob] = [await server.phone('alice', { transport: 'tcp' }), await server.online('bob')]
  await alice.message(server.aor('carol'), 'brings the challenge')
  bob.answer = () => 'silence'
  const sent = Array.from({ length: 20 }, (_, at) => alice.message(bob.aor, `number ${at}`))
  const responses = await Promise.all(sent)
  const refused = responses.filter((response) => response.status === 503)
  expect(refused.length).toBeGreaterThan(0)
  for (const response of refused) expect(Number(response.header('Retry-After'))).toBeGreaterThan(0)
  const accepted = responses.filter((response) => response.status === 202).length
  expect(accepted + refused.length).toBe(20)
  bob.answer = () => 200
  const before = new Set(bob.received.map((message) => message.text))
  expect(before.size).toBe(accepted)
})
