import { expect, onTestFinished, test } from 'vitest'
import { denials, revocations } from '../../src/protocols/floor/talk-burst.ts'
import { readRtp } from '../../src/protocols/rtp/rtp-packet.ts'
import { chatSdp } from '../support/chat-sdp.ts'
import { eventually } from '../support/eventually.ts'
import { FloorPhone } from '../support/floor-phone.ts'
import { freePort } from '../support/free-port.ts'
import type { Phone } from '../support/phone.ts'
import { awaitCalls, type PhoneDialog, PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { portOf, renew, type Speaker } from '../support/voice-phone.ts'

let sources = 100

interface Talker extends Speaker {
  readonly floor: FloorPhone
}

async function callable(server: TestServer, user: string): Promise<[Phone, FloorPhone]> {
  const phone = await server.online(user)
  awaitCalls(phone)
  const floor = await FloorPhone.open(++sources)
  onTestFinished(() => floor.close())
  return [phone, floor]
}

function talker(phone: Phone, floor: FloorPhone, dialog: PhoneDialog, sdp: string): Talker {
  floor.reach(portOf(sdp, 'application'))
  return { phone, floor, voice: floor.voice, dialog, sdp }
}

/** alice and bob in a session of half-duplex voice. */
async function establish(server: TestServer, parameters = '', withControl = true) {
  const [[alice, aliceFloor], [bob, bobFloor]] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp: aliceFloor.sdp({ parameters }) })
  const received = await ReceivedCall.next(bob)
  const answering = received.answer(bobFloor.sdp({ parameters, control: withControl }))
  const { response, dialog } = await placed.answered()
  return {
    alice: talker(alice, aliceFloor, dialog, response.text),
    bob: talker(bob, bobFloor, (await answering).dialog, received.invite.text),
  }
}

const say = ({ voice, sdp }: Speaker, word: string): void => voice.rtp.send(voice.packet(word), portOf(sdp))

async function expectHeard(listener: Speaker, word: string): Promise<void> {
  expect(readRtp((await listener.voice.rtp.receive()).packet).payload.toString()).toBe(word)
}

/** What one says who has not the floor is dropped, and so many packets have been by then. */
async function expectMuted(server: TestServer, count: number): Promise<void> {
  await eventually(async () =>
    expect(await (await fetch(`${server.http}/metrics`)).text()).toContain(
      `parley_rtp_dropped_total{reason="muted"} ${count}`,
    ),
  )
}

async function expectNothingHeld(server: TestServer): Promise<void> {
  await eventually(async () => {
    for (const name of ['sessions', 'rtp_ports', 'floors']) expect(await server.metric(`parley_${name}`)).toBe(0)
  })
}

async function hangUp(server: TestServer, { dialog }: Speaker): Promise<void> {
  expect((await dialog.bye()).status).toBe(200)
  await expectNothingHeld(server)
}

test('who asks for the floor gets it, the other hears who speaks, and the release makes it idle', async () => {
  await using server = await startServer()
  const { alice, bob } = await establish(server)
  expect([await server.metric('parley_rtp_ports'), await server.metric('parley_floors')]).toEqual([3, 1])
  await Promise.all([alice.floor.hear('idle'), bob.floor.hear('idle')])
  alice.floor.request()
  expect(await alice.floor.hear('granted')).toMatchObject({ stopTalking: 30, participants: 2 })
  expect(await bob.floor.hear('taken')).toMatchObject({ uri: alice.phone.aor, speaker: alice.voice.ssrc })
  say(alice, 'over')
  await expectHeard(bob, 'over')
  alice.floor.release()
  await Promise.all([alice.floor.hear('idle'), bob.floor.hear('idle')])
  await hangUp(server, alice)
})

test('without the floor nobody is heard; a second request is denied; then it is the turn of the other', async () => {
  await using server = await startServer()
  const { alice, bob } = await establish(server)
  await alice.floor.hear('idle')
  say(alice, 'nobody hears this')
  await expectMuted(server, 1)
  alice.floor.request()
  await bob.floor.hear('taken')
  bob.floor.request()
  expect(await bob.floor.hear('deny')).toMatchObject({ reason: denials.taken })
  say(bob, 'nor this')
  await expectMuted(server, 2)
  say(alice, 'but this')
  await expectHeard(bob, 'but this')
  alice.floor.release()
  await bob.floor.hear('idle')
  bob.floor.request()
  expect(await alice.floor.hear('taken')).toMatchObject({ uri: bob.phone.aor })
  say(bob, 'and now this')
  await expectHeard(alice, 'and now this')
  await hangUp(server, bob)
})

test('where both agreed on it a request waits, hears its position, and is granted in its turn', async () => {
  await using server = await startServer()
  const { alice, bob } = await establish(server, 'queuing=1; tb_priority=2; timestamp=1')
  for (const { sdp } of [alice, bob]) expect(sdp).toMatch(/^a=fmtp:TBCP queuing=1; tb_priority=[23]; /m)
  alice.floor.request()
  await alice.floor.hear('granted')
  bob.floor.request(2)
  expect(await bob.floor.hear('queue-status-response')).toMatchObject({ position: 1, priority: 2 })
  bob.floor.askPosition()
  expect(await bob.floor.hear('queue-status-response')).toMatchObject({ position: 1 })
  alice.floor.release()
  await bob.floor.hear('granted')
  expect(await alice.floor.hear('taken')).toMatchObject({ uri: bob.phone.aor })
  say(bob, 'my turn')
  await expectHeard(alice, 'my turn')
  await hangUp(server, alice)
})

test('who talks too long is told to stop, and then is not heard any more', async () => {
  await using server = await startServer({ settings: { 'media.floor.maxTalk': '1s' } })
  const { alice, bob } = await establish(server)
  await alice.floor.hear('idle')
  alice.floor.request()
  expect(await alice.floor.hear('granted')).toMatchObject({ stopTalking: 1 })
  const talking = setInterval(() => say(alice, 'and another thing'), 50)
  onTestFinished(() => clearInterval(talking))
  expect(await alice.floor.hear('revoke')).toMatchObject({ reason: revocations.tooLong, retryAfter: 3 })
  await bob.floor.hear('taken')
  await bob.floor.hear('idle')
  await eventually(async () =>
    expect(await (await fetch(`${server.http}/metrics`)).text()).toMatch(/reason="muted"\} [1-9]/),
  )
  clearInterval(talking)
  alice.floor.request()
  expect(await alice.floor.hear('deny')).toMatchObject({ reason: denials.retryAfter })
  await hangUp(server, bob)
})

test('a speaker who falls silent loses the floor, and the session goes on', async () => {
  await using server = await startServer({ settings: { 'media.maxSilence': '1s' } })
  const { alice, bob } = await establish(server)
  alice.floor.request()
  await bob.floor.hear('taken')
  await bob.floor.hear('idle')
  bob.floor.request()
  await bob.floor.hear('granted')
  await hangUp(server, alice)
})

test('a callee who takes no floor control hears and speaks freely', async () => {
  await using server = await startServer()
  const { alice, bob } = await establish(server, '', false)
  expect(portOf(alice.sdp, 'application')).toBe(0)
  await eventually(async () => expect(await server.metric('parley_rtp_ports')).toBe(2))
  say(alice, 'hello')
  await expectHeard(bob, 'hello')
  say(bob, 'good day')
  await expectHeard(alice, 'good day')
  await hangUp(server, alice)
})

test('a re-INVITE keeps the floor, and one without control makes voice go both ways', async () => {
  await using server = await startServer()
  const { alice, bob } = await establish(server)
  alice.floor.request()
  await bob.floor.hear('taken')
  const kept = await renew(alice, bob, alice.floor.sdp({ version: 2 }), bob.floor.sdp({ version: 2 }))
  expect(portOf(kept.answered, 'application')).toBe(portOf(alice.sdp, 'application'))
  say(alice, 'still mine')
  await expectHeard(bob, 'still mine')
  say(bob, 'not his')
  await expectMuted(server, 1)
  const without = { version: 3, control: false }
  const free = await renew(bob, alice, bob.floor.sdp(without), alice.floor.sdp(without))
  const [freeAlice, freeBob] = [
    { ...alice, sdp: free.offered },
    { ...bob, sdp: free.answered },
  ]
  say(freeBob, 'now I speak')
  await expectHeard(freeAlice, 'now I speak')
  say(freeAlice, 'and so do I')
  await expectHeard(freeBob, 'and so do I')
  await eventually(async () => expect(await server.metric('parley_floors')).toBe(0))
  await hangUp(server, alice)
})

test('a stranger does not get the floor, and noise does not end it', async () => {
  await using server = await startServer()
  const { alice, bob } = await establish(server)
  alice.floor.request()
  await bob.floor.hear('taken')
  const stranger = await FloorPhone.open(alice.voice.ssrc)
  onTestFinished(() => stranger.close())
  stranger.reach(portOf(alice.sdp, 'application'))
  stranger.release()
  stranger.voice.rtp.send(Buffer.from('noise'), portOf(bob.sdp, 'application'))
  await eventually(async () => expect(await server.metric('parley_floor_dropped_total')).toBe(2))
  say(alice, 'undisturbed')
  await expectHeard(bob, 'undisturbed')
  await hangUp(server, bob)
})

test('when no ports are left for the floor the caller gets 503, and nothing is held', async () => {
  const first = Math.min((await freePort()) & ~1, 65_000)
  await using server = await startServer({ settings: { 'media.rtpPorts': `${first}-${first + 3}` } })
  const [[alice, floor], [bob]] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const refused = await new PlacedCall(alice, bob.aor, { sdp: floor.sdp() }).final
  expect([refused.status, refused.header('Retry-After')]).toEqual([503, '5'])
  await expectNothingHeld(server)
})

test('the floor beside a chat: both go through the server', async () => {
  await using server = await startServer()
  const [[alice, aliceFloor], [bob, bobFloor]] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const sdp = (floor: FloorPhone, name: string) =>
    chatSdp({ path: `msrp://client.invalid:9/${name};tcp`, more: floor.sdp().replace(/^.*?(?=m=)/s, '') })
  const placed = new PlacedCall(alice, bob.aor, { sdp: sdp(aliceFloor, 'alice') })
  const received = await ReceivedCall.next(bob)
  const answering = received.answer(sdp(bobFloor, 'bob'))
  const { response, dialog } = await placed.answered()
  await answering
  aliceFloor.reach(portOf(response.text, 'application'))
  aliceFloor.request()
  await aliceFloor.hear('granted')
  await bobFloor.hear('taken')
  expect(await server.metric('parley_msrp_sessions')).toBe(2)
  expect((await dialog.bye()).status).toBe(200)
  await expectNothingHeld(server)
})
