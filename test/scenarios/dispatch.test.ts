import { expect, test } from 'vitest'
import { startServer } from '../support/start-server.ts'

test.each(['REFER', 'UPDATE', 'INFO'])('%s outside of a dialog is answered 405 with Allow', async (method) => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const response = await alice.request(method, server.aor('bob'), { headers: { Contact: `<${alice.contact}>` } })
  expect(response.status).toBe(405)
  expect(response.header('Allow')).toContain('REGISTER, MESSAGE, OPTIONS, SUBSCRIBE, PUBLISH, INVITE, ')
})

test.each(['SUBSCRIBE', 'PUBLISH'])(
  '%s for an event that is not served is answered 489 with what is',
  async (method) => {
    await using server = await startServer()
    const alice = await server.phone('alice')
    const headers = { Event: 'weather', Contact: `<${alice.contact}>` }
    const response = await alice.request(method, alice.aor, { headers })
    expect(response.status).toBe(489)
    expect(response.header('Allow-Events')).toContain('presence')
  },
)

test('an unknown method is answered 501', async () => {
  await using server = await startServer()
  expect((await (await server.phone('alice')).request('DANCE', server.aor('bob'))).status).toBe(501)
})

test('OPTIONS to the server tells what it can do', async () => {
  await using server = await startServer()
  const response = await (await server.phone('alice')).request('OPTIONS', `sip:${server.domain}`)
  expect(response.status).toBe(200)
  expect(response.header('Allow')).toContain('MESSAGE')
  expect(response.header('Accept')).toContain('message/cpim')
})

test.each(['Require', 'Proxy-Require'])(
  '%s with an unknown option tag is answered 420 with Unsupported',
  async (name) => {
    await using server = await startServer()
    const alice = await server.phone('alice')
    const response = await alice.message(server.aor('bob'), 'magic', { headers: { [name]: 'nothingSupportsThis' } })
    expect(response.status).toBe(420)
    expect(response.header('Unsupported')?.toLowerCase()).toBe('nothingsupportsthis')
  },
)

test('a message with no hops left is answered 483', async () => {
  await using server = await startServer()
  const [alice] = [await server.phone('alice'), await server.online('bob')]
  expect((await alice.message(server.aor('bob'), 'far', { headers: { 'Max-Forwards': '0' } })).status).toBe(483)
})

test('a request that comes round in a loop is answered 482', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  await alice.message(bob.aor, 'first')
  const [own = ''] = (await bob.receive('MESSAGE')).all('Via')
  const Via = [`SIP/2.0/UDP 127.0.0.1:${alice.localPort};branch=z9hG4bKround-${Date.now()};rport`, own]
  expect((await alice.message(bob.aor, 'again', { headers: { Via } })).status).toBe(482)
})

test('a URI scheme that is not served is answered 416', async () => {
  await using server = await startServer()
  expect((await (await server.phone('alice')).message('mailto:bob@parley.test', 'mail')).status).toBe(416)
})

test('a MESSAGE inside a dialog that nobody knows is answered 481', async () => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const to = `<${server.aor('bob')}>;tag=nobody`
  expect((await alice.message(server.aor('bob'), 'in dialog', { to })).status).toBe(481)
})
