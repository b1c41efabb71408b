import { expect, onTestFinished, test } from 'vitest'
import { RtpParty } from '../media/rtp/rtp-party.ts'
import type { Phone } from '../support/phone.ts'
import { awaitCalls, PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { startServer, type TestServer } from '../support/start-server.ts'
import { portOf } from '../support/voice-phone.ts'

const head = 'v=0\r\no=- 5 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nb=AS:4000\r\nt=0 0\r\n'

/** Voice in AMR-WB and PCMA with keys pressed, and video in H264 and VP8, at the rates that clients like to have. */
const both = ({ rtp: voice }: RtpParty, { rtp: video }: RtpParty) =>
  `${head}m=audio ${voice.port} RTP/AVP 96 8 101\r\nb=AS:128\r\na=rtpmap:96 AMR-WB/16000\r\na=fmtp:96 mode-set=0\r\n` +
  `a=rtpmap:101 telephone-event/8000\r\nm=video ${video.port} RTP/AVP 97 98\r\nb=TIAS:3000000\r\n` +
  'a=rtpmap:97 H264/90000\r\na=rtpmap:98 VP8/90000\r\n'

let sources = 0

async function party(): Promise<RtpParty> {
  const opened = await RtpParty.open(++sources)
  onTestFinished(() => opened.close())
  return opened
}

async function phones(server: TestServer): Promise<{ alice: Phone; bob: Phone; offer: string; answer: string }> {
  const [alice, bob] = [await server.phone('alice'), await server.phone('bob')]
  for (const phone of [alice, bob]) expect((await phone.register()).status).toBe(200)
  awaitCalls(bob)
  return { alice, bob, offer: both(await party(), await party()), answer: both(await party(), await party()) }
}

/** The lines from `m=` on of one kind. */
const lineOf = (sdp: string, media: string) => sdp.slice(sdp.indexOf(`m=${media} `)).split(/\r\n(?=m=)/)[0] ?? ''

test.each(['always', 'never'])(
  'codecs that are not permitted and bandwidth beyond the ceiling reach nobody, with session.mediaAnchor %s',
  async (mediaAnchor) => {
    await using server = await startServer({
      settings: {
        'session.mediaAnchor': mediaAnchor,
        'session.audioCodecs': 'amr-wb, OPUS',
        'session.videoCodecs': 'VP8',
        'session.maxAudioRate': '48',
        'session.maxVideoRate': '1000',
        'session.maxRate': '1200',
      },
    })
    const { alice, bob, offer, answer } = await phones(server)
    const placed = new PlacedCall(alice, bob.aor, { sdp: offer })
    const received = await ReceivedCall.next(bob)
    const answering = received.answer(answer)
    const { response, dialog } = await placed.answered()
    const { dialog: atBob } = await answering
    for (const sdp of [received.invite.text, response.text]) {
      expect(sdp).toMatch(/^b=AS:1200\r$/m)
      expect(sdp).not.toContain('AS:4000')
      expect(lineOf(sdp, 'audio')).toMatch(/^m=audio [1-9]\d* RTP\/AVP 96 101\r\n/)
      expect(lineOf(sdp, 'audio')).toContain('b=AS:48\r\n')
      expect(lineOf(sdp, 'video')).toMatch(/^m=video [1-9]\d* RTP\/AVP 98\r\n/)
      expect(lineOf(sdp, 'video')).toContain('b=TIAS:1000000\r\n')
      expect(sdp).not.toMatch(/PCMA|H264|:97 /)
    }
    await Promise.all([dialog.bye(), atBob.receive('BYE')])
  },
)

test('video that has no bandwidth is refused, and the voice beside it is not', async () => {
  await using server = await startServer({ settings: { 'session.maxVideoRate': '0' } })
  const { alice, bob, offer, answer } = await phones(server)
  const placed = new PlacedCall(alice, bob.aor, { sdp: offer })
  const received = await ReceivedCall.next(bob)
  expect(portOf(received.invite.text, 'video')).toBe(0)
  const answering = received.answer(answer.replace(/m=video \d+/, 'm=video 0'))
  const { response, dialog } = await placed.answered()
  const { dialog: atBob } = await answering
  expect([portOf(response.text) > 0, portOf(response.text, 'video')]).toEqual([true, 0])
  await Promise.all([dialog.bye(), atBob.receive('BYE')])
})

test('an offer without a permitted codec gets 488, says which it had, and rings nowhere', async () => {
  await using server = await startServer({ settings: { 'session.audioCodecs': 'opus', 'session.videoCodecs': 'AV1' } })
  const { alice, bob, offer } = await phones(server)
  const { status, all } = await new PlacedCall(alice, bob.aor, { sdp: offer }).final.then((response) => ({
    status: response.status,
    all: response.all('Warning').join(),
  }))
  expect(status).toBe(488)
  expect(all).toContain('305 ')
  expect(all).toMatch(/AMR-WB PCMA telephone-event/)
  expect(bob.received.filter(({ method }) => method === 'INVITE')).toHaveLength(0)
})
