import type { RtpParty } from '../media/rtp/rtp-party.ts'
import type { Phone } from './phone.ts'
import { type PhoneDialog, PlacedCall, ReceivedCall, respondTo, type Said } from './phone-call.ts'

export interface VoiceSdp {
  readonly version?: number
  /** Lines of the audio. */
  readonly lines?: string
  /** Further m= lines with what belongs to them. */
  readonly more?: string
  readonly protocol?: string
}

/** The session description of a phone that hears and speaks at `voice`. */
export function voiceSdp(voice: RtpParty, { version = 1, lines = '', more = '', protocol = 'RTP/AVP' }: VoiceSdp = {}) {
  const head = `v=0\r\no=- 77 ${version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n`
  return `${head}${mediaSdp('audio', voice, protocol, 0)}${lines}${more}`
}

/** An m= line of RTP. */
export const mediaSdp = (media: string, { rtp, rtcp }: RtpParty, protocol = 'RTP/AVP', format = 34): string =>
  `m=${media} ${rtp.port} ${protocol} ${format}\r\na=rtcp:${rtcp.port}\r\n`

/** The port of an m= line; 0 when it is refused. */
export function portOf(sdp: string, media = 'audio'): number {
  return Number(new RegExp(`^m=${media} (\\d+) `, 'm').exec(sdp)?.[1] ?? Number.NaN)
}

/** A phone in a call, and the port of the server that it sends its voice to. */
export interface Speaker {
  readonly phone: Phone
  readonly voice: RtpParty
  readonly dialog: PhoneDialog
  readonly sdp: string
}

/** Places a call and answers it: both have told the other where they hear. */
export async function call(
  [alice, aliceVoice]: readonly [Phone, RtpParty],
  [bob, bobVoice]: readonly [Phone, RtpParty],
  said: VoiceSdp & { readonly headers?: Said['headers'] } = {},
): Promise<readonly [Speaker, Speaker]> {
  const placed = new PlacedCall(alice, bob.aor, { sdp: voiceSdp(aliceVoice, said), headers: said.headers ?? {} })
  const received = await ReceivedCall.next(bob)
  const answering = received.answer(voiceSdp(bobVoice, said))
  const { response, dialog } = await placed.answered()
  return [
    { phone: alice, voice: aliceVoice, dialog, sdp: response.text },
    { phone: bob, voice: bobVoice, dialog: (await answering).dialog, sdp: received.invite.text },
  ]
}

/** A re-INVITE of one and the answer of the other. */
export async function renew(
  from: Speaker,
  to: Speaker,
  offer: string,
  answer: string,
): Promise<{ readonly offered: string; readonly answered: string }> {
  const arriving = to.dialog.receive('INVITE').then(async (invite) => {
    respondTo(to.phone, invite, 200, { sdp: answer })
    await to.dialog.receive('ACK')
    return invite.text
  })
  const { status, text } = await from.dialog.reinvite({ sdp: offer })
  if (status !== 200) throw new Error(`the re-INVITE got ${status}`)
  return { offered: await arriving, answered: text }
}
