import { codecsOf, isRtp, rtpAttributes, withFormats } from '../../protocols/sdp/rtp-media.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import type { ExecutionModule, Verdict } from './execution-module.ts'
import type { MediaKind, MediaPolicy } from './media-policy.ts'
import { incompatibleFormat, incompatibleTransport, multicastNotAvailable } from './warnings.ts'

/** Full duplex voice and video: RTP. */
export const audioVideo: ExecutionModule = {
  takes: (media) => media.media === 'audio' || media.media === 'video',
  kindOf: (media) => media.media as MediaKind,
  judge: judgeRtp,
  ownAttributes: rtpAttributes,
}

/** What helps another codec and is no use alone; permitted wherever one is that it can help. */
const helpers: ReadonlySet<string> = new Set(['telephone-event', 'cn', 'red', 'ulpfec', 'flexfec', 'flexfec-03', 'rtx'])

export function judgeRtp(media: MediaDescription, session: SessionDescription, policy: MediaPolicy): Verdict {
  if (!isRtp(media)) return { warning: incompatibleTransport(media.media, media.protocol) }
  const address = (media.connection ?? session.connection)?.address ?? ''
  if (address.includes('/')) return { warning: multicastNotAvailable(address) }
  const permitted = permittedFormats(media, media.media === 'video' ? policy.videoCodecs : policy.audioCodecs)
  if (permitted === undefined) return { warning: incompatibleFormat(media.media, namesOf(media)) }
  return { media: withFormats(media, (format) => permitted.has(format)) }
}

/** The payload types that stay; undefined when none does that carries media. */
function permittedFormats(media: MediaDescription, names?: ReadonlySet<string>): ReadonlySet<string> | undefined {
  if (names === undefined) return new Set(media.formats)
  const codecs = codecsOf(media)
  const carriers = codecs.filter(({ name }) => names.has(name.toLowerCase()))
  if (carriers.every(({ name }) => helpers.has(name.toLowerCase()))) return undefined
  const permitted = new Set(carriers.map(({ payloadType }) => String(payloadType)))
  for (const { payloadType, name, parameters = '' } of codecs) {
    // RFC 4588 §8.6: a retransmission format is for the payload type in its apt parameter.
    const apt = /(?:^|;)\s*apt=(\d+)/i.exec(parameters)?.[1]
    if (helpers.has(name.toLowerCase()) && (apt === undefined || permitted.has(apt))) permitted.add(String(payloadType))
  }
  return permitted
}

function namesOf(media: MediaDescription): string {
  const codecs = codecsOf(media)
  return codecs.length === 0 ? media.formats.join(' ') : codecs.map(({ name }) => name).join(' ')
}
