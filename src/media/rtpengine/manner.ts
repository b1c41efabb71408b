import type { Dictionary } from '../../protocols/bencode/bencode.ts'
import { hasAttribute } from '../../protocols/sdp/attributes.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'

/** How a party speaks on one m= line. */
export interface Manner {
  /** Such as `RTP/AVP`. */
  readonly protocol: string
  /** It looks for a way by ICE (RFC 8839). */
  readonly ice: boolean
  /** Keys are agreed on the path of the media (RFC 5764), as browsers do. */
  readonly dtls: boolean
}

/** What a browser takes, and nothing else. */
export const ofBrowsers: Manner = { protocol: 'UDP/TLS/RTP/SAVPF', ice: true, dtls: true }

export function mannerOf(media: MediaDescription, session: SessionDescription): Manner {
  return {
    protocol: media.protocol,
    ice: hasAttribute(media, 'ice-ufrag') || hasAttribute(session, 'ice-ufrag'),
    dtls: /TLS\/RTP/i.test(media.protocol),
  }
}

/**
 * What rtpengine is to make of an offer that goes to a party of that manner. Of one that is not known the plain manner is
 * taken: it is what every telephone has.
 */
export function offerFlags(from: Manner, to: Manner | undefined): Dictionary {
  const ice = { ICE: to?.ice ? 'force' : 'remove' }
  if (to?.dtls) return { ...ice, 'transport-protocol': to.protocol, SDES: ['off'], 'rtcp-mux': ['offer', 'require'] }
  if (!from.dtls) return ice
  const protocol = to?.protocol ?? 'RTP/AVP'
  return { ...ice, 'transport-protocol': protocol, DTLS: 'off', SDES: ['off'], 'rtcp-mux': ['demux'] }
}

/** The same of the answer, which goes to who made the offer: it is spoken to as it has spoken. */
export function answerFlags(to: Manner): Dictionary {
  return to.ice ? { ICE: 'force', 'rtcp-mux': ['accept'] } : { ICE: 'remove' }
}
