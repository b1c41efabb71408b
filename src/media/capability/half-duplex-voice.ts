import { rtpAttributes } from '../../protocols/sdp/rtp-media.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import { isTalkBurstControl } from '../../protocols/sdp/talk-burst-media.ts'
import { judgeRtp } from './audio-video.ts'
import type { ExecutionModule, Verdict } from './execution-module.ts'
import type { MediaPolicy } from './media-policy.ts'
import { miscellaneous } from './warnings.ts'

/** Voice of which one at a time speaks: audio beside the talk burst control of OMA PoC (`m=application … udp TBCP`). */
export const halfDuplexVoice: ExecutionModule = {
  takes: (media, session) => isTalkBurstControl(media) || (media.media === 'audio' && controlOf(session) !== undefined),
  kindOf: () => 'half-duplex-voice',
  judge: (media, session, policy) =>
    isTalkBurstControl(media) ? judgeControl(media, session, policy) : judgeRtp(media, session, policy),
  ownAttributes: rtpAttributes,
}

/** One that is refused controls nothing. */
const controlOf = (session: SessionDescription): MediaDescription | undefined =>
  session.media.find((media) => media.port !== 0 && isTalkBurstControl(media))

/** A floor is no use without the voice that it is for. */
function judgeControl(media: MediaDescription, session: SessionDescription, policy: MediaPolicy): Verdict {
  const voice = session.media.filter((one) => one.media === 'audio' && one.port !== 0)
  if (voice.length === 0) return { warning: miscellaneous('TBCP without audio') }
  const verdicts = voice.map((one) => judgeRtp(one, session, policy))
  return verdicts.some((verdict) => 'media' in verdict) ? { media } : (verdicts[0] as Verdict)
}
