import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { certificate, renewed } from '../support/certificate.ts'
import { eventually } from '../support/eventually.ts'
import { startServer } from '../support/start-server.ts'
import type { WireTransport } from '../support/wire.ts'

const transports: readonly WireTransport[] = ['udp', 'tcp', 'tls', 'ws', 'wss']

test.each(transports)('alice and bob write to each other over %s', async (transport) => {
  await using server = await startServer()
  const [alice, bob] = [await server.online('alice', { transport }), await server.online('bob', { transport })]
  expect((await alice.message(bob.aor, 'hello bob')).status).toBe(200)
  expect((await bob.receive('MESSAGE')).text).toBe('hello bob')
  expect((await bob.message(alice.aor, 'hello alice')).status).toBe(200)
  expect((await alice.receive('MESSAGE')).text).toBe('hello alice')
})

test('a message crosses from one transport to another, every way', async () => {
  await using server = await startServer()
  const bobs = await Promise.all(transports.map((transport) => server.online('bob', { transport })))
  for (const transport of transports) {
    const alice = await server.phone('alice', { transport })
    expect((await alice.message(server.aor('bob'), `over ${transport}`)).status).toBe(200)
    for (const bob of bobs) expect((await bob.receive('MESSAGE')).text).toBe(`over ${transport}`)
  }
})

test('IPv6 serves as IPv4 does', async () => {
  await using server = await startServer({ settings: { 'sip.listen': 'udp:[::1]:0,tcp:[::1]:0' } })
  const [alice, bob] = [await server.online('alice'), await server.online('bob', { transport: 'tcp' })]
  expect((await alice.message(bob.aor, 'over IPv6')).status).toBe(200)
  expect((await bob.receive('MESSAGE')).text).toBe('over IPv6')
  expect((await bob.message(alice.aor, 'and back')).status).toBe(200)
  expect((await alice.receive('MESSAGE')).text).toBe('and back')
})

test.each(['tcp', 'tls', 'ws'] as const)(
  'a double CRLF over %s is answered with one (RFC 5626 §4.4.1)',
  async (transport) => {
    await using server = await startServer()
    const bob = await server.online('bob', { transport })
    bob.raw('\r\n\r\n')
    await eventually(() => expect(bob.pongs).toBe(1))
    expect((await bob.register()).status).toBe(200)
  },
)

test('a STUN binding request on the SIP port is answered with the address it came from', async () => {
  await using server = await startServer()
  const bob = await server.online('bob')
  const request = Buffer.from('000100002112a442000102030405060708090a0b', 'hex')
  bob.raw(request)
  await eventually(() => expect(bob.others).toHaveLength(1))
  const response = bob.others[0] ?? Buffer.alloc(0)
  expect(response.readUInt16BE(0)).toBe(0x0101)
  expect(response.subarray(4, 20)).toEqual(request.subarray(4, 20))
  expect(xorMappedPort(response)).toBe(bob.localPort)
  expect((await bob.register()).status).toBe(200)
})

test('a message too large for a datagram goes over TCP to a client that listens there', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice', { transport: 'tcp' }), await server.online('bob')]
  const long = 'x'.repeat(5_000)
  expect((await alice.message(bob.aor, long)).status).toBe(200) // bob has UDP only: the fall-back (RFC 3261 §18.1.1)
  expect((await bob.receive('MESSAGE')).text).toBe(long)
})

test('on reload a new certificate is taken, and connections stay', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'parley-tls-'))
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await copyFile(certificate.cert, cert)
  await copyFile(certificate.key, key)
  await using server = await startServer({ settings: { 'sip.tls.cert': cert, 'sip.tls.key': key } })
  const bob = await server.online('bob', { transport: 'tls' })
  expect(await nameOfCertificate(server.address('tls').port)).toBe('localhost')
  await copyFile(renewed.cert, cert)
  await copyFile(renewed.key, key)
  await server.app.reload()
  expect(await nameOfCertificate(server.address('tls').port)).toBe('renewed')
  expect((await bob.register()).status).toBe(200)
  await rm(folder, { recursive: true })
})

async function nameOfCertificate(port: number): Promise<string> {
  const ca = [readFileSync(certificate.cert), readFileSync(renewed.cert)]
  const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost' })
  await once(socket, 'secureConnect')
  const name = socket.getPeerCertificate().subject.CN
  socket.destroy()
  return String(name)
}

/** XOR-MAPPED-ADDRESS (RFC 5389 §15.2), which is the first attribute or follows others. */
function xorMappedPort(response: Buffer): number | undefined {
  for (let at = 20; at + 8 <= response.length; at += 4 + Math.ceil(response.readUInt16BE(at + 2) / 4) * 4) {
    if (response.readUInt16BE(at) === 0x0020) return response.readUInt16BE(at + 6) ^ 0x2112
  }
  return undefined
}
