import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { fingerprintOf } from '../../src/media/msrp/fingerprint.ts'
import { wholeMessages } from '../../src/media/msrp/index.ts'
import { renewed } from '../support/certificate.ts'
import { eventually } from '../support/eventually.ts'
import { nothingOpen, Rig, tls } from './msrp-rig.ts'

afterEach(nothingOpen)

const other = { cert: readFileSync(renewed.cert), key: readFileSync(renewed.key) }
const hello = { contentType: 'text/plain', body: Buffer.from('hello') }

test('the active end connects to the passive one, over TCP', async () => {
  await using here = await Rig.start()
  await using there = await Rig.start()
  const [active, passive] = [here.session(), there.session()]
  const got: string[] = []
  passive.receive(wholeMessages(100, (_, body) => got.push(body.toString()) && 200))
  await passive.connect({ path: [active.path], setup: 'passive' })
  await active.connect({ path: [passive.path], setup: 'active' })
  expect(await active.send(hello)).toMatchObject({ code: 200 })
  expect(got).toEqual(['hello'])
})

test('sessions with the same peer share a connection, which closes with the last of them', async () => {
  await using here = await Rig.start()
  await using there = await Rig.start()
  const pairs = Array.from({ length: 3 }, () => ({ active: here.session(), passive: there.session() }))
  for (const { active, passive } of pairs) {
    passive.receive(wholeMessages(100, () => 200))
    await passive.connect({ path: [active.path], setup: 'passive' })
  }
  await Promise.all(pairs.map(({ active, passive }) => active.connect({ path: [passive.path], setup: 'active' })))
  for (const { active } of pairs) expect(await active.send(hello)).toMatchObject({ code: 200 })
  expect(here.plane.connections).toMatchObject({ inUse: 1, peak: 1 })
  const gone = Promise.all(pairs.map(({ passive }) => new Promise<void>((resolve) => (passive.onLost = resolve))))
  for (const { active } of pairs) active.close()
  await gone
  await eventually(() => expect(here.plane.connections.inUse).toBe(0))
})

test('the m= and c= lines go before the path (RFC 6714)', async () => {
  await using here = await Rig.start()
  await using there = await Rig.start()
  const [active, passive] = [here.session(), there.session()]
  passive.receive(wholeMessages(100, () => 200))
  await passive.connect({ path: [active.path], setup: 'passive' })
  const path = [`msrp://nowhere.invalid:1/${passive.id};tcp`]
  await active.connect({ path, setup: 'active', address: { host: '127.0.0.1', port: there.port() } })
  expect(await active.send(hello)).toMatchObject({ code: 200 })
})

test('over TLS each end checks the fingerprint of the other', async () => {
  await using here = await Rig.start()
  await using there = await Rig.start()
  const kind = { secure: true, transport: 'tcp' } as const
  const [active, passive] = [here.plane.open(kind), there.plane.open(kind)]
  passive.receive(wholeMessages(100, () => 200))
  const fingerprints = [fingerprintOf(other.cert), fingerprintOf(tls.cert)]
  expect(here.plane.fingerprint).toEqual(fingerprints[1])
  await passive.connect({ path: [active.path], setup: 'passive', fingerprints })
  await active.connect({ path: [passive.path], setup: 'active', fingerprints })
  expect(await active.send(hello)).toMatchObject({ code: 200 })
})

test('a peer with another certificate than announced is not connected to', async () => {
  await using here = await Rig.start()
  await using there = await Rig.start()
  const kind = { secure: true, transport: 'tcp' } as const
  const [active, passive] = [here.plane.open(kind), there.plane.open(kind)]
  const fingerprints = [fingerprintOf(other.cert)]
  const connecting = active.connect({ path: [passive.path], setup: 'active', fingerprints })
  await expect(connecting).rejects.toMatchObject({ condition: 'unreachable' })
  const unnamed = active.connect({ path: [passive.path], setup: 'active' })
  await expect(unnamed).rejects.toMatchObject({ condition: 'unreachable' }) // no authority vouches for it
})

test.each([
  ['another certificate than announced', other, '403 Forbidden'],
  ['no certificate', {}, '403 Forbidden'],
  ['the announced certificate', tls, '200 OK'],
])('a client with %s is answered %s', async (_, shown, answer) => {
  await using rig = await Rig.start()
  const session = rig.plane.open({ secure: true, transport: 'tcp' })
  await using client = await rig.client({ transport: 'tls', ...shown })
  await session.connect({ path: [client.path], setup: 'passive', fingerprints: [fingerprintOf(tls.cert)] })
  client.send({ to: session.path })
  expect((await client.receive()).what).toBe(answer)
})

test('a client that came before its fingerprint was known is let go when it is another one', async () => {
  await using rig = await Rig.start()
  const session = rig.plane.open({ secure: true, transport: 'tcp' })
  await using client = await rig.client({ transport: 'tls', ...other })
  client.send({ to: session.path })
  await client.receive()
  await session.connect({ path: [client.path], setup: 'passive', fingerprints: [fingerprintOf(tls.cert)] })
  await client.closed
  expect(rig.dropped).toEqual(['certificate'])
})

test('a session that is to be secure is not for a connection that is not', async () => {
  await using rig = await Rig.start()
  const session = rig.plane.open({ secure: true, transport: 'tcp' })
  await using client = await rig.client()
  await session.connect({ path: [client.path], setup: 'passive' })
  client.send({ to: session.path })
  expect((await client.receive()).what).toBe('403 Forbidden')
})

test('a peer that is not there is unreachable', async () => {
  await using rig = await Rig.start()
  const active = { setup: 'active' } as const
  const session = rig.session()
  const nobody = session.connect({ path: ['msrp://127.0.0.1:1/x;tcp'], ...active })
  await expect(nobody).rejects.toMatchObject({ condition: 'unreachable' })
  const webSocket = session.connect({ path: ['msrp://127.0.0.1:1/x;ws'], ...active })
  await expect(webSocket).rejects.toMatchObject({ condition: 'unreachable' })
  await expect(session.connect({ path: ['sip:bob@x'], ...active })).rejects.toMatchObject({ condition: 'malformed' })
})
