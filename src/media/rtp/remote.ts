import { isIP, isIPv6, SocketAddress } from 'node:net'
import { directionOf, isHeld, sends } from '../../protocols/sdp/direction.ts'
import { codecsOf, type MediaAddress, offersRtcpMux, rtcpAddress, rtpAddress } from '../../protocols/sdp/rtp-media.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'

/** What a party's description says of one RTP stream. */
export interface Remote {
  /** Undefined when it names a host, and no address: then its first packet says where it is. */
  readonly rtp: MediaAddress | undefined
  readonly rtcp: MediaAddress | undefined
  /** RTP and RTCP come on one port (RFC 5761); in an offer only a wish. */
  readonly muxed: boolean
  /** The party said that it sends: when nothing comes, it is gone. */
  readonly sends: boolean
  /** The party takes what the other one sends. */
  readonly receives: boolean
  /** RTCP of SRTP cannot be read. */
  readonly encrypted: boolean
  /** Keys are agreed on the path of the media (RFC 5764): DTLS passes. */
  readonly dtls: boolean
  /** Of the first codec, in Hz. */
  readonly clockRate: number
}

/** Reads an m= line; undefined when it is refused. */
export function remoteOf(media: MediaDescription, session: SessionDescription): Remote | undefined {
  const rtp = rtpAddress(media, session)
  if (rtp === undefined) return undefined
  return {
    rtp: plain(rtp),
    rtcp: plain(rtcpAddress(media, session)),
    muxed: offersRtcpMux(media),
    sends: sends(directionOf(media, session)),
    receives: !isHeld(media, session),
    encrypted: /SAVPF?$/i.test(media.protocol),
    dtls: /TLS\/RTP/i.test(media.protocol),
    clockRate: codecsOf(media)[0]?.clockRate ?? 8_000,
  }
}

/** What holds for a party of an offer and its answer: both must want RTCP on one port, and take what the other sends. */
export function agreed(party: Remote, other: Remote): Remote {
  return { ...party, muxed: party.muxed && other.muxed, sends: party.sends && other.receives }
}

/** The address as the socket tells it; 0.0.0.0 is a party on hold the old way (RFC 3264 §8.4), and nobody's address. */
function plain(of: MediaAddress | undefined): MediaAddress | undefined {
  if (of === undefined || !isIP(of.address) || of.address === '0.0.0.0' || of.address === '::') return undefined
  if (!isIPv6(of.address)) return of
  return { address: new SocketAddress({ address: of.address, family: 'ipv6' }).address, port: of.port }
}
