import { expect, test } from 'vitest'
import { startServer } from '../support/start-server.ts'

const trusting = { 'sip.trustedPeers': '127.0.0.1' }

test.each([
  ['From', { from: '<sip:carol@parley.test>' }],
  ['P-Preferred-Identity', { headers: { 'P-Preferred-Identity': '<sip:carol@parley.test>' } }],
])('a %s that is not one of the sender is answered 403', async (_, options) => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  expect((await alice.message(bob.aor, 'I am carol', options)).status).toBe(403)
})

test.each(['<tel:+15550001>', '<sip:+15550001@parley.test;user=phone>', '"Al" <sip:alice@parley.test>'])(
  'alice may write as %s',
  async (from) => {
    await using server = await startServer()
    const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
    expect((await alice.message(bob.aor, 'me', { from })).status).toBe(200)
    expect((await bob.receive('MESSAGE')).header('From')).toContain(from)
  },
)

test('an anonymous sender stays anonymous to the recipient', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  const from = '"Anonymous" <sip:anonymous@anonymous.invalid>'
  expect((await alice.message(bob.aor, 'guess who', { from, headers: { Privacy: 'id' } })).status).toBe(200)
  const received = await bob.receive('MESSAGE')
  expect(received.header('From')).toContain('<sip:anonymous@anonymous.invalid>')
  expect(received.header('P-Asserted-Identity')).toBeUndefined()
  expect(received.headers.flat().join('\n')).not.toContain('sip:alice@parley.test')
})

test('P-Asserted-Identity of a client that is no peer is removed', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  const headers = { 'P-Asserted-Identity': '<sip:carol@parley.test>' }
  expect((await alice.message(bob.aor, 'trust me', { headers })).status).toBe(200)
  expect((await bob.receive('MESSAGE')).all('P-Asserted-Identity').join()).not.toContain('carol')
})

test('a trusted peer speaks for whom it asserts, without a challenge', async () => {
  await using server = await startServer({ settings: trusting })
  const [peer, bob] = [await server.phone('alice'), await server.online('bob')]
  const options = {
    authenticate: false,
    from: '<sip:dave@other.test>',
    headers: { 'P-Asserted-Identity': '<sip:dave@other.test>' },
  }
  expect((await peer.message(bob.aor, 'from afar', options)).status).toBe(200)
  expect((await bob.receive('MESSAGE')).header('From')).toContain('<sip:dave@other.test>')
})

test('a trusted peer that asserts nothing is believed in From only with sip.trustFrom', async () => {
  const options = { authenticate: false, from: '<sip:dave@other.test>' }
  await using wary = await startServer({ settings: trusting })
  await wary.online('bob')
  expect((await (await wary.phone('alice')).message(wary.aor('bob'), 'hello', options)).status).not.toBe(200)
  await using trustful = await startServer({ settings: { ...trusting, 'sip.trustFrom': 'true' } })
  const bob = await trustful.online('bob')
  expect((await (await trustful.phone('alice')).message(bob.aor, 'hello', options)).status).toBe(200)
  expect((await bob.receive('MESSAGE')).header('From')).toContain('<sip:dave@other.test>')
})

test('a sender from a foreign host that is no peer is answered 403', async () => {
  await using server = await startServer()
  const stranger = await server.phone('alice')
  const sent = await stranger.message(server.aor('bob'), 'spam', { from: '<sip:dave@other.test>', authenticate: false })
  expect(sent.status).toBe(403)
})
