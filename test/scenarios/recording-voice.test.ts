import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { writeRtp } from '../../src/protocols/rtp/rtp-packet.ts'
import { RtpParty } from '../media/rtp/rtp-party.ts'
import { eventually } from '../support/eventually.ts'
import { bytesOf, historyOf, setSettings } from '../support/history.ts'
import type { Phone } from '../support/phone.ts'
import { PlacedCall, ReceivedCall, type Said } from '../support/phone-call.ts'
import { referIn } from '../support/refer.ts'
import { callable, expectNothingHeld } from '../support/sessions.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { portOf, type Speaker } from '../support/voice-phone.ts'

const storage = 'sip:storage@parley.test'
let sources = 100

/** A description of G.711, with telephone events beside it. */
const sdpOf = ({ rtp, rtcp }: RtpParty, more = ''): string =>
  'v=0\r\no=- 77 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n' +
  `m=audio ${rtp.port} RTP/AVP 0 8 101\r\na=rtcp:${rtcp.port}\r\na=rtpmap:101 telephone-event/8000\r\n${more}`

async function openVoice(): Promise<RtpParty> {
  const voice = await RtpParty.open(++sources)
  onTestFinished(() => voice.close())
  return voice
}

async function call(
  [alice, bob]: readonly [Phone, Phone],
  said: { readonly headers?: Said['headers']; readonly more?: string } = {},
): Promise<readonly [Speaker, Speaker]> {
  const [near, far] = [await openVoice(), await openVoice()]
  const placed = new PlacedCall(alice, bob.aor, { sdp: sdpOf(near, said.more), headers: said.headers ?? {} })
  const received = await ReceivedCall.next(bob)
  const answering = received.answer(sdpOf(far))
  const { response, dialog } = await placed.answered()
  return [
    { phone: alice, voice: near, dialog, sdp: response.text },
    { phone: bob, voice: far, dialog: (await answering).dialog, sdp: received.invite.text },
  ]
}

const both = async (server: TestServer) => [await callable(server, 'alice'), await callable(server, 'bob')] as const

/** 20 ms of one code of one payload type. */
const soundOf = ({ voice }: Speaker, payloadType: number, code: number, number: number): Buffer =>
  writeRtp({
    ...{ marker: false, payloadType, sequence: number, timestamp: 160 * number, ssrc: voice.ssrc, csrcs: [] },
    ...{ payload: Buffer.alloc(160, code), padding: 0 },
  })

/** One says that, and the other hears it. */
async function speak(from: Speaker, to: Speaker, payloadType: number, code: number, number: number): Promise<void> {
  from.voice.rtp.send(soundOf(from, payloadType, code, number), portOf(from.sdp))
  await to.voice.rtp.receive()
}

const callsOf = (server: TestServer, user: string) => historyOf(server, user, 'call')
const statusesOf = async (server: TestServer, user: string) =>
  (await callsOf(server, user)).map(({ attributes }) => attributes['Call-Status']?.[0])

async function hangUp([alice, bob]: readonly [Speaker, Speaker]): Promise<void> {
  const bye = bob.dialog.receive('BYE')
  expect((await alice.dialog.bye()).status).toBe(200)
  await bye
}

/** The samples of each channel that are not silence, each value once. */
function heardIn(wav: Buffer): readonly [number[], number[]] {
  const channels: [Set<number>, Set<number>] = [new Set(), new Set()]
  for (let at = 44; at < wav.length; at += 4) {
    for (const channel of [0, 1] as const) channels[channel].add(wav.readInt16LE(at + 2 * channel))
  }
  return [[...channels[0]].filter(Boolean), [...channels[1]].filter(Boolean)]
}

test('a REFER records what both say as WAV, each in a channel, and the call is in the history of who asked', async () => {
  await using server = await startServer()
  const [alice, bob] = await call(await both(server))
  await speak(alice, bob, 0, 0x00, 1)
  expect((await referIn(alice.dialog, `<${storage};method=INVITE>`)).response.status).toBe(202)
  expect(await server.metric('parley_recordings')).toBe(1)
  for (let number = 2; number < 6; number++) {
    await speak(alice, bob, 0, 0x80, number)
    await speak(bob, alice, 8, 0xaa, number)
  }
  // Telephone events and what is no RTP of the call are passed over.
  await speak(alice, bob, 101, 0x22, 6)
  await hangUp([alice, bob])
  await eventually(async () => {
    const [object] = await callsOf(server, 'alice')
    expect([object?.contentType, object?.attributes['Call-Status']]).toEqual(['audio/wav', ['answered']])
  })
  const [object] = await callsOf(server, 'alice')
  const wav = await bytesOf(server, object?.id ?? '')
  expect([wav.toString('latin1', 0, 4), wav.readUInt32LE(40)]).toEqual(['RIFF', wav.length - 44])
  expect(heardIn(wav)).toEqual([[32124], [32256]])
  expect(object?.attributes).toMatchObject({ From: [server.aor('alice')], 'Call-Duration': [expect.any(String)] })
  expect(await historyOf(server, 'bob')).toEqual([])
  await expectNothingHeld(server)
  await eventually(async () => expect(await server.metric('parley_recordings')).toBe(0))
  expect(await server.metric('parley_recordings_peak')).toBe(1)
})

test.each([
  ['a header field of the INVITE', { headers: { 'Parley-Store': 'yes' } }],
  ['its session description', { more: 'a=recordpref:on\r\n' }],
])('before the call %s asks for its sound', async (_, said) => {
  await using server = await startServer({ settings: { 'storage.default': 'ask' } })
  const [alice, bob] = await call(await both(server), said)
  await eventually(async () => expect(await server.metric('parley_recordings')).toBe(1))
  await speak(bob, alice, 0, 0x80, 1)
  await hangUp([alice, bob])
  await eventually(async () => expect((await callsOf(server, 'alice'))[0]?.contentType).toBe('audio/wav'))
  const [object] = await callsOf(server, 'alice')
  expect(heardIn(await bytesOf(server, object?.id ?? ''))).toEqual([[], [32124]])
  expect(await callsOf(server, 'bob')).toEqual([])
})

test('with storage.voice=always both have the call, without its sound', async () => {
  await using server = await startServer({ settings: { 'storage.voice': 'always' } })
  const speakers = await call(await both(server))
  await eventually(async () => expect(await statusesOf(server, 'bob')).toEqual(['answered']))
  expect(await server.metric('parley_recordings')).toBe(0)
  await hangUp(speakers)
  await eventually(async () => {
    const [object] = await callsOf(server, 'bob')
    expect(object?.attributes['Session-End']).toBeDefined()
  })
  const [[ofAlice], [ofBob]] = [await callsOf(server, 'alice'), await callsOf(server, 'bob')]
  expect([ofAlice?.direction, ofBob?.direction, ofBob?.contentType]).toEqual(['out', 'in', null])
})

test('a call that nobody takes is missed by one and unanswered for the other; one that is declined says so', async () => {
  await using server = await startServer({ settings: { 'storage.voice': 'always' } })
  const [alice, bob] = await both(server)
  const sdp = sdpOf(await openVoice())
  const placed = new PlacedCall(alice, bob.aor, { sdp })
  const received = await ReceivedCall.next(bob)
  received.respond(180)
  await placed.ringing
  expect((await placed.cancel()).status).toBe(200)
  await received.cancelled()
  await eventually(async () => expect(await statusesOf(server, 'bob')).toEqual(['missed']))
  const again = new PlacedCall(alice, bob.aor, { sdp })
  const second = await ReceivedCall.next(bob)
  second.respond(486)
  expect((await again.final).status).toBe(486)
  const absent = await new PlacedCall(alice, server.aor('carol'), { sdp }).final
  expect(absent.status).toBe(480)
  await eventually(async () => {
    expect(await statusesOf(server, 'alice')).toEqual(['unanswered', 'declined', 'unanswered'])
    expect([await statusesOf(server, 'bob'), await statusesOf(server, 'carol')]).toEqual([
      ['missed', 'declined'],
      ['missed'],
    ])
  })
})

test('who calls anonymously is anonymous in the history of the other as well', async () => {
  await using server = await startServer({ settings: { 'storage.voice': 'always' } })
  const [alice, bob] = await both(server)
  const sdp = sdpOf(await openVoice())
  const placed = new PlacedCall(alice, bob.aor, { sdp, headers: { Privacy: 'id' } })
  const received = await ReceivedCall.next(bob)
  received.respond(486)
  await placed.final
  await eventually(async () => expect(await statusesOf(server, 'bob')).toEqual(['declined']))
  const [object] = await callsOf(server, 'bob')
  expect([object?.peer, JSON.stringify(object?.attributes).includes('alice')]).toEqual([
    'sip:anonymous@anonymous.invalid',
    false,
  ])
})

test('there are no more recordings than may be, and both a stop and a peer that is gone free one', async () => {
  await using server = await startServer({
    settings: { 'storage.maxRecordings': '1', 'media.maxSilence': '1s' },
  })
  const [alice, bob] = await call(await both(server))
  expect((await referIn(alice.dialog, `<${storage};method=INVITE>`)).response.status).toBe(202)
  const { response } = await referIn(bob.dialog, `<${storage};method=INVITE>`)
  expect([response.status, response.header('Retry-After')]).toEqual([503, '60'])
  expect((await referIn(alice.dialog, `<${storage};method=BYE>`)).response.status).toBe(202)
  expect(await server.metric('parley_recordings')).toBe(0)
  expect((await referIn(bob.dialog, `<${storage};method=INVITE>`)).response.status).toBe(202)
  // Nobody says anything any more: both are gone.
  await Promise.all([alice.dialog.receive('BYE'), bob.dialog.receive('BYE')])
  await eventually(async () => expect(await server.metric('parley_recordings')).toBe(0))
  await eventually(async () => expect((await callsOf(server, 'bob'))[0]?.contentType).toBe('audio/wav'))
  await expectNothingHeld(server)
})

test('what comes after storage.maxSound is left out', async () => {
  await using server = await startServer({ settings: { 'storage.maxSound': '1s' } })
  const [alice, bob] = await call(await both(server))
  await referIn(alice.dialog, `<${storage};method=INVITE>`)
  await speak(alice, bob, 0, 0x80, 1)
  const begun = Date.now()
  await eventually(async () => expect(Date.now() - begun).toBeGreaterThan(1_100))
  await speak(alice, bob, 0, 0x00, 2)
  await hangUp([alice, bob])
  await eventually(async () => expect((await callsOf(server, 'alice'))[0]?.contentType).toBe('audio/wav'))
  const [object] = await callsOf(server, 'alice')
  const wav = await bytesOf(server, object?.id ?? '')
  expect([wav.length, heardIn(wav)]).toEqual([44 + 32_000, [[32124], []]])
})

test('what cannot be heard is not recorded: another codec, or keys', async () => {
  await using server = await startServer()
  const phones = await both(server)
  const [near, far] = [await openVoice(), await openVoice()]
  for (const change of [
    (sdp: string) => sdp.replace('RTP/AVP 0 8 101', 'RTP/AVP 18 101'),
    (sdp: string) => sdp.replace('RTP/AVP', 'RTP/SAVP'),
  ]) {
    const placed = new PlacedCall(phones[0], phones[1].aor, { sdp: change(sdpOf(near)) })
    const received = await ReceivedCall.next(phones[1])
    const answering = received.answer(change(sdpOf(far)))
    const { dialog } = await placed.answered()
    const { dialog: atBob } = await answering
    const { response } = await referIn(dialog, `<${storage};method=INVITE>`)
    expect([response.status, response.header('Warning')]).toEqual([488, expect.stringContaining('G.711')])
    const bye = atBob.receive('BYE')
    await dialog.bye()
    await bye
  }
  expect(await historyOf(server, 'alice')).toEqual([])
})

test('a rule about a partner and a medium decides: this call is kept, that one is not', async () => {
  await using server = await startServer()
  const rules = `<storage-rules><rule media="voice" action="always"><sender uri="${server.aor('bob')}"/></rule></storage-rules>`
  expect(await setSettings(server, 'alice', rules)).toBe(201)
  const alice = await callable(server, 'alice')
  for (const user of ['carol', 'bob']) await hangUp(await call([alice, await callable(server, user)]))
  await eventually(async () => expect(await statusesOf(server, 'alice')).toEqual(['answered']))
  expect((await callsOf(server, 'alice'))[0]?.peer).toBe(server.aor('bob'))
})

test('nothing of the sound stays on the disk', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'parley-recording-'))
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
  await using server = await startServer({ settings: { 'data.dir': dataDir } })
  const [alice, bob] = await call(await both(server))
  await referIn(alice.dialog, `<${storage};method=INVITE>`)
  await speak(alice, bob, 0, 0x80, 1)
  const folder = join(dataDir, 'recordings')
  await eventually(async () => expect(await readdir(folder)).toHaveLength(1))
  await hangUp([alice, bob])
  await eventually(async () => expect(await readdir(folder)).toEqual([]))
})
