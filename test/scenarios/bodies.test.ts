import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { startServer } from '../support/start-server.ts'

const torture = readFileSync(join(import.meta.dirname, '../protocols/fixtures/rfc4475/mpart01.dat'))
const mpart01 = torture.subarray(torture.indexOf('\r\n\r\n') + 4)
/** An SMS on its way to a handset (3GPP TS 24.011 §7.3.1, RP-DATA). */
const rpData = Buffer.from('01030791448720003023f01a040b914487200030f300009921013153420006c8329bfd0605', 'hex')
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

const bodies: readonly (readonly [name: string, type: string, body: Buffer])[] = [
  ['mpart01 of RFC 4475', 'multipart/mixed;boundary=7a9cbec02ceef655', mpart01],
  ['an SMS RP-DATA body', 'application/vnd.3gpp.sms', rpData],
  ['emoji', 'text/plain;charset=UTF-8', Buffer.from('👩‍👩‍👧‍👦 🇳🇱 ✅')],
  ['GB2312', 'text/plain;charset=GB2312', Buffer.from('c4e3bac3cac0bde7', 'hex')],
  ['every byte there is', 'application/octet-stream', everyByte],
  ['a deflated body', 'application/octet-stream', deflateSync('squeezed')],
  ['no body', 'text/plain', Buffer.alloc(0)],
]

const ways = [
  ['udp', 'udp'],
  ['tcp', 'udp'],
  ['ws', 'tcp'],
  ['udp', 'ws'],
] as const

test.each(bodies)('%s arrives as it was sent, at once', async (_, contentType, body) => {
  await using server = await startServer()
  for (const [from, to] of ways) {
    const [alice, bob] = [
      await server.phone('alice', { transport: from }),
      await server.online('bob', { transport: to }),
    ]
    expect((await alice.message(bob.aor, body, { contentType })).status).toBe(200)
    const received = await bob.receive('MESSAGE')
    expect(received.body).toEqual(body)
    expect(received.header('Content-Type')).toBe(contentType)
    await bob.unregister()
  }
})

test.each(bodies)('%s arrives as it was sent, after it was kept', async (_, contentType, body) => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  expect((await alice.message(server.aor('bob'), body, { contentType })).status).toBe(202)
  const received = await (await server.online('bob')).receive('MESSAGE')
  expect(received.body).toEqual(body)
  expect(received.header('Content-Type')).toBe(contentType)
})

test('header fields keep their bytes: UTF-8 in a display name', async () => {
  await using server = await startServer()
  const [alice, bob] = [await server.phone('alice'), await server.online('bob')]
  const from = `"${Buffer.from('Ålice ✅').toString('latin1')}" <sip:alice@parley.test>;tag=u`
  expect((await alice.message(bob.aor, 'hello', { from })).status).toBe(200)
  expect((await bob.receive('MESSAGE')).header('From')).toBe(from)
})

test.each([
  ['deflate', deflateSync(Buffer.alloc(30_000_000))],
  ['gzip', gzipSync(Buffer.alloc(30_000_000))],
])('a %s bomb where the server must look inside does no harm', async (encoding, body) => {
  await using server = await startServer()
  const [alice, bob] = [
    await server.phone('alice', { transport: 'tcp' }),
    await server.online('bob', { transport: 'tcp' }),
  ]
  const before = process.memoryUsage().rss
  await alice.message(bob.aor, body, {
    contentType: 'message/imdn+xml',
    headers: { 'Content-Encoding': encoding },
  })
  await alice.message(bob.aor, 'still serving')
  expect((await bob.receive('MESSAGE', (message) => message.text === 'still serving')).text).toBe('still serving')
  expect(process.memoryUsage().rss - before).toBeLessThan(25_000_000)
})
