import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { PhoneSubscription } from '../support/phone-subscription.ts'
import { etagOf, person, pidf, publish, tuple } from '../support/presence.ts'
import { startServer } from '../support/start-server.ts'

const count = (text: string, pattern: RegExp) => text.match(pattern)?.length ?? 0

test('of two changes of one publication at the same time exactly one is made (RFC 3903 §6)', async () => {
  await using server = await startServer()
  await using other = await startServer({ databaseUrl: server.databaseUrl, domain: server.domain, users: [] })
  const phones = [await server.phone('alice'), await server.phone('alice'), await other.phone('alice')]
  // Nobody is to lose time with a challenge below.
  for (const phone of phones) await publish(phone, undefined, { 'SIP-If-Match': 'none' })
  const [first] = phones
  if (first === undefined) throw new Error('no phone')
  let etag = etagOf(await publish(first, pidf(first.aor, tuple('a'))))
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(
      phones.map((phone, index) =>
        publish(phone, pidf(phone.aor, tuple(`round-${round}-${index}`)), { 'SIP-If-Match': etag }),
      ),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412])
    etag = etagOf(answers.find(({ status }) => status === 200) ?? answers[0] ?? expect.fail())
  }
  const removals = await Promise.all(
    phones.map((phone) => publish(phone, undefined, { 'SIP-If-Match': etag, Expires: '0' })),
  )
  expect(removals.map(({ status }) => status).sort()).toEqual([200, 412, 412])
})

test('of what several devices publish at the same time nothing is lost', async () => {
  await using server = await startServer()
  const devices = await Promise.all(Array.from({ length: 10 }, () => server.phone('alice')))
  await Promise.all(devices.map((phone, index) => publish(phone, pidf(phone.aor, tuple(`device-${index}`)))))
  const bob = await server.phone('bob')
  const watching = await PhoneSubscription.begin(bob, 'presence', { resource: server.aor('alice') })
  expect(count((await watching.notify()).text, /<tuple [^>]*id="device-\d"/g)).toBe(10)
})

test('what expires is told to those who watch', async () => {
  await using server = await startServer({ settings: { 'subscriptions.minExpires': '1' } })
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  expect(etagOf(await publish(alice, pidf(alice.aor, tuple('brief')), { Expires: '2' }))).not.toBe('')
  const watching = await PhoneSubscription.begin(bob, 'presence', { resource: alice.aor })
  expect((await watching.notify()).text).toContain('id="brief"')
  const after = await watching.notify()
  expect(after.text).not.toContain('id="brief"')
  expect(after.text).toContain('<basic>closed</basic>')
  expect(await server.query('select * from publications')).toEqual([])
})

test('a refresh changes no state: nobody is told, and it does not count as the newest', async () => {
  await using server = await startServer()
  const [desk, pocket, bob] = [await server.phone('alice'), await server.phone('alice'), await server.phone('bob')]
  const etag = etagOf(await publish(desk, pidf(desk.aor, tuple('desk'), person('meal'))))
  await publish(pocket, pidf(pocket.aor, tuple('pocket'), person('travel')))
  const watching = await PhoneSubscription.begin(bob, 'presence', { resource: desk.aor })
  expect((await watching.notify()).text).toContain('<r:travel/>')
  const refreshed = await publish(desk, undefined, { 'SIP-If-Match': etag })
  expect(refreshed.status).toBe(200)
  await publish(desk, pidf(desk.aor, tuple('desk')), { 'SIP-If-Match': etagOf(refreshed) })
  const changed = await watching.notify()
  expect(changed.header('CSeq')).toBe('2 NOTIFY')
  expect(changed.text).toContain('<r:travel/>')
  expect(changed.text).not.toContain('<r:meal/>')
})

test.each([
  ['deflate', 'deflate', deflateSync],
  ['deflate without its head', 'deflate', deflateRawSync],
  ['gzip', 'gzip', gzipSync],
])('a body that is encoded (%s) is read', async (_, encoding, encode) => {
  await using server = await startServer()
  const alice = await server.phone('alice')
  const headers = { 'Content-Encoding': encoding }
  const publishing = (body: Buffer) => publish(alice, body, headers)
  expect((await publishing(encode(Buffer.from(pidf(alice.aor, tuple('small')))))).status).toBe(200)
  const watching = await PhoneSubscription.begin(alice, 'presence')
  expect((await watching.notify()).text).toContain('id="small"')
  const bomb = encode(Buffer.from(pidf(alice.aor, tuple('a', 'open', `<note>${' '.repeat(5_000_000)}</note>`))))
  expect((await publishing(bomb)).status).toBe(415)
  expect((await publishing(Buffer.from('no such thing'))).status).toBe(415)
  expect((await publish(alice, 'x', { 'Content-Encoding': 'br' })).status).toBe(415)
})

test('one user has so many publications and no more', async () => {
  await using server = await startServer({ settings: { 'presence.publications': '3' } })
  const phone = await server.phone('alice')
  const statuses: number[] = []
  for (let number = 0; number < 5; number++) statuses.push((await publish(phone, pidf(phone.aor, tuple('a')))).status)
  expect(statuses).toEqual([200, 200, 200, 403, 403])
  expect((await publish(phone, undefined, { Event: undefined })).status).toBe(489)
})
