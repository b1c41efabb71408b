import { expect, onTestFinished, test, vi } from 'vitest'
import type { FloorLine } from '../../../src/media/floor/floor-line.ts'
import { FloorServer } from '../../../src/media/floor/index.ts'
import { PortPairs } from '../../../src/media/rtp/index.ts'
import { readSdp } from '../../../src/protocols/sdp/read-sdp.ts'
import type { MediaDescription, SessionDescription } from '../../../src/protocols/sdp/session-description.ts'
import { FloorPhone } from '../../support/floor-phone.ts'
import { freePort } from '../../support/free-port.ts'
import { FakeClock } from './fake-clock.ts'

const speakers = { caller: { uri: 'sip:alice@parley.test' }, callee: { uri: 'sip:bob@parley.test' } }

async function startServer(clock = new FakeClock()) {
  const first = Math.min((await freePort()) & ~1, 65_000)
  const ports = new PortPairs({ address: '127.0.0.1', first, last: first + 39 })
  const server = new FloorServer({ ports, advertise: '127.0.0.1', maxTalk: 30_000, relatchAfter: 3_000, clock })
  onTestFinished(() => server.close())
  return { server, ports, clock }
}

async function phone(ssrc: number): Promise<FloorPhone> {
  const opened = await FloorPhone.open(ssrc)
  onTestFinished(() => opened.close())
  return opened
}

const control = (session: SessionDescription) => session.media[1] as MediaDescription

/** Both have described themselves, and know where to go. */
async function agree(line: FloorLine, alice: FloorPhone, bob: FloorPhone, parameters: readonly [string, string]) {
  const [offer, answer] = [alice, bob].map((one, index) => readSdp(one.sdp({ parameters: parameters[index] ?? '' })))
  const offered = await line.offer('caller', control(offer as SessionDescription), offer as SessionDescription)
  const answered = await line.answer('callee', control(answer as SessionDescription), answer as SessionDescription)
  alice.reach(answered.port)
  bob.reach(offered.port)
  return [offered, answered].map(({ attributes }) => attributes.find(({ name }) => name === 'fmtp')?.value)
}

test('the server agrees with each party by itself', async () => {
  const { server, ports } = await startServer()
  const [alice, bob] = [await phone(1), await phone(2)]
  const line = await server.open(speakers)
  expect(await agree(line, alice, bob, ['tb_priority=2', 'queuing=1; tb_priority=3; timestamp=1'])).toEqual([
    'TBCP queuing=1; tb_priority=3; timestamp=0',
    'TBCP queuing=0; tb_priority=2; timestamp=0',
  ])
  alice.request()
  await alice.hear('granted')
  bob.request()
  expect(await bob.hear('queue-status-response')).toMatchObject({ position: 1 })
  expect([server.inUse, ports.inUse]).toEqual([1, 1])
  line.close()
  line.close()
  expect(server.inUse).toBe(0)
  await vi.waitFor(() => expect(ports.inUse).toBe(0))
})

test('who floods is held to a rate', async () => {
  const { server } = await startServer()
  const [alice, bob] = [await phone(1), await phone(2)]
  await agree(await server.open(speakers), alice, bob, ['', ''])
  for (let count = 0; count < 80; count++) alice.askPosition()
  await vi.waitFor(() => expect(server.dropped).toBe(30))
})

test('an offer that is rejected changes nothing', async () => {
  const { server } = await startServer()
  const [alice, bob, other] = [await phone(1), await phone(2), await phone(3)]
  const line = await server.open(speakers)
  await agree(line, alice, bob, ['', ''])
  const offer = readSdp(other.sdp())
  await line.offer('caller', control(offer), offer)
  line.reject()
  alice.request()
  await alice.hear('granted')
  expect(await bob.hear('taken')).toMatchObject({ uri: 'sip:alice@parley.test' })
})

test('no floor is opened while the server closes', async () => {
  const { server, ports } = await startServer()
  await server.open(speakers)
  await server.close()
  await expect(server.open(speakers)).rejects.toThrow('shutting down')
  expect(ports.inUse).toBe(0)
})
