import { expect, onTestFinished, test } from 'vitest'
import { isInstalled } from '../interop/is-installed.ts'
import { RtpParty } from '../media/rtp/rtp-party.ts'
import { historyOf } from '../support/history.ts'
import { PlacedCall, ReceivedCall } from '../support/phone-call.ts'
import { referIn } from '../support/refer.ts'
import { RtpengineProcess } from '../support/rtpengine.ts'
import { callable } from '../support/sessions.ts'
import { startServer } from '../support/start-server.ts'

test.skipIf(!isInstalled('rtpengine'))('voice through rtpengine is not recorded, and the REFER says so', async () => {
  await using rtpengine = await RtpengineProcess.start()
  await using server = await startServer({
    settings: { 'media.rtp': 'rtpengine', 'media.rtpengine': `127.0.0.1:${rtpengine.port}` },
  })
  const voice = await RtpParty.open(1)
  onTestFinished(() => voice.close())
  const sdp =
    'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n' +
    `m=audio ${voice.rtp.port} RTP/AVP 0\r\na=rtcp:${voice.rtcp.port}\r\n`
  const [alice, bob] = [await callable(server, 'alice'), await callable(server, 'bob')]
  const placed = new PlacedCall(alice, bob.aor, { sdp })
  const received = await ReceivedCall.next(bob)
  const answering = received.answer(sdp)
  const { dialog } = await placed.answered()
  const { dialog: atBob } = await answering
  const { response } = await referIn(dialog, '<sip:storage@parley.test;method=INVITE>')
  expect([response.status, response.header('Warning')]).toEqual([488, expect.stringContaining('cannot be recorded')])
  const bye = atBob.receive('BYE')
  expect((await dialog.bye()).status).toBe(200)
  await bye
  expect(await historyOf(server, 'alice')).toEqual([])
})
