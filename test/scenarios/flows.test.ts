import { expect, test } from 'vitest'
import { startServer } from '../support/start-server.ts'

/** What a device behind a NAT says of itself: a private address that leads nowhere from here. */
const behindNat = '<sip:bob@10.99.0.7:5060>'

test.each(['udp', 'tcp'] as const)(
  'two devices with the same private contact each get their own, over %s',
  async (transport) => {
    await using server = await startServer()
    const alice = await server.phone('alice')
    const [desk, mobile] = [await server.phone('bob', { transport }), await server.phone('bob', { transport })]
    const instance = (last: number) => `;+sip.instance="<urn:uuid:00000000-0000-1000-8000-00000000000${last}>";reg-id=1`
    await desk.register({ contact: behindNat + instance(1) })
    await mobile.register({ contact: behindNat + instance(2) })
    expect((await alice.message(server.aor('bob'), 'to both')).status).toBe(200)
    await Promise.all([desk.receive('MESSAGE'), mobile.receive('MESSAGE')])
    expect([desk.received.length, mobile.received.length]).toEqual([1, 1])
  },
)

test('two users behind one NAT with the same contact are never mixed', async () => {
  await using server = await startServer()
  const [bob, carol] = [await server.phone('bob'), await server.phone('carol')]
  const alice = await server.phone('alice')
  await bob.register({ contact: '<sip:phone@10.99.0.7:5060>' })
  await carol.register({ contact: '<sip:phone@10.99.0.7:5060>' })
  await alice.message(bob.aor, 'for bob')
  await alice.message(carol.aor, 'for carol')
  expect((await bob.receive('MESSAGE')).text).toBe('for bob')
  expect((await carol.receive('MESSAGE')).text).toBe('for carol')
  expect([bob.received.length, carol.received.length]).toEqual([1, 1])
})

test('a client is answered where its request came from, whatever its Via says (RFC 3581)', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const Via = `SIP/2.0/UDP 10.99.0.7:5060;branch=z9hG4bKnat-${alice.localPort};rport`
  const response = await alice.request('OPTIONS', `sip:${server.domain}`, { headers: { Via } })
  expect(response.header('Via')).toContain(`;rport=${alice.localPort}`)
  expect(response.header('Via')).toContain(';received=127.0.0.1')
})

test('requests to a client come over the connection it registered on', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob', { transport: 'tcp' })]
  await bob.register({ contact: '<sip:bob@10.99.0.7:5060;transport=tcp>' })
  expect((await alice.message(bob.aor, 'through the NAT')).status).toBe(200)
  expect((await bob.receive('MESSAGE')).uri).toBe('sip:bob@10.99.0.7:5060;transport=tcp')
})
