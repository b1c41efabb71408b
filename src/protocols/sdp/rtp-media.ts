import { fmtp, rtcp, rtpmap } from './attribute-values.ts'
import { attribute, attributes, hasAttribute } from './attributes.ts'
import type { MediaDescription, SessionDescription } from './session-description.ts'

/** One payload type of an m= line. */
export interface Codec {
  readonly payloadType: number
  /** As written; names compare without regard to case. */
  readonly name: string
  readonly clockRate: number
  readonly channels: number
  readonly parameters: string | undefined
}

/** Attributes by which one end is reached: where its RTCP goes (RFC 3605), and how ICE finds a way to it (RFC 8839). */
export const rtpAttributes = [
  'rtcp',
  'candidate',
  'remote-candidates',
  'end-of-candidates',
  'ice-ufrag',
  'ice-pwd',
  'ice-options',
  'ice-pacing',
  'ice-mismatch',
]

/** Where media go. */
export interface MediaAddress {
  readonly address: string
  readonly port: number
}

/** Static payload types that are in use (RFC 3551 §6): what they are without an a=rtpmap. */
const staticTypes: ReadonlyMap<number, string> = new Map([
  [0, 'PCMU/8000'],
  [3, 'GSM/8000'],
  [4, 'G723/8000'],
  [5, 'DVI4/8000'],
  [6, 'DVI4/16000'],
  [7, 'LPC/8000'],
  [8, 'PCMA/8000'],
  [9, 'G722/8000'],
  [10, 'L16/44100/2'],
  [11, 'L16/44100'],
  [12, 'QCELP/8000'],
  [13, 'CN/8000'],
  [14, 'MPA/90000'],
  [15, 'G728/8000'],
  [16, 'DVI4/11025'],
  [17, 'DVI4/22050'],
  [18, 'G729/8000'],
  [25, 'CelB/90000'],
  [26, 'JPEG/90000'],
  [28, 'nv/90000'],
  [31, 'H261/90000'],
  [32, 'MPV/90000'],
  [33, 'MP2T/90000'],
  [34, 'H263/90000'],
])

/** Whether this m= line is RTP of any profile (RTP/AVP, RTP/SAVPF, UDP/TLS/RTP/SAVPF and their like). */
export const isRtp = (media: MediaDescription): boolean => /(?:^|\/)RTP\//i.test(media.protocol)

/** The codecs of an RTP m= line, in its order of preference; a dynamic payload type that nothing maps is left out. */
export function codecsOf(media: MediaDescription): Codec[] {
  const mapped = new Map(staticTypes)
  for (const value of attributes(media, 'rtpmap')) {
    const [, payloadType, name, clockRate, channels] = rtpmap.exec(value) ?? []
    if (clockRate !== undefined)
      mapped.set(Number(payloadType), `${name}/${clockRate}${channels ? `/${channels}` : ''}`)
  }
  const parameters = new Map<string, string>()
  for (const value of attributes(media, 'fmtp')) {
    const [, format = '', text = ''] = fmtp.exec(value) ?? []
    parameters.set(format, text)
  }
  return media.formats.flatMap((format) => {
    const [name, clockRate, channels = '1'] = mapped.get(Number(format))?.split('/') ?? []
    if (name === undefined) return []
    const payloadType = Number(format)
    return {
      payloadType,
      name,
      clockRate: Number(clockRate),
      channels: Number(channels),
      parameters: parameters.get(format),
    }
  })
}

const ofFormat: ReadonlySet<string> = new Set(['rtpmap', 'fmtp', 'rtcp-fb'])

/** A copy of `media` with those formats only for which `keep` says so, and without the attributes of the others. */
export function withFormats(media: MediaDescription, keep: (format: string) => boolean): MediaDescription {
  const formats = media.formats.filter(keep)
  if (formats.length === media.formats.length) return media
  const gone = new Set(media.formats.filter((format) => !keep(format)))
  const attributes = media.attributes.filter(
    ({ name, value = '' }) => !(ofFormat.has(name) && gone.has(value.split(' ', 1)[0] as string)),
  )
  return { ...media, formats, attributes }
}

/** Where RTP goes; undefined when the m= line is refused or has no address. */
export function rtpAddress(media: MediaDescription, session: SessionDescription): MediaAddress | undefined {
  const connection = media.connection ?? session.connection
  if (connection === undefined || media.port === 0) return undefined
  return { address: connection.address.split('/')[0] as string, port: media.port }
}

/** Where RTCP goes: a=rtcp (RFC 3605), else the port of RTP if both share it (`muxed`, RFC 5761), else the next one. */
export function rtcpAddress(
  media: MediaDescription,
  session: SessionDescription,
  muxed = false,
): MediaAddress | undefined {
  const rtp = rtpAddress(media, session)
  if (rtp === undefined || muxed) return rtp
  const [, port, , , address = rtp.address] = rtcp.exec(attribute(media, 'rtcp') ?? '') ?? []
  return port === undefined ? { address: rtp.address, port: rtp.port + 1 } : { address, port: Number(port) }
}

/** Whether its writer can take RTP and RTCP on one port (RFC 5761 §5.1.1). */
export const offersRtcpMux = (media: MediaDescription): boolean => hasAttribute(media, 'rtcp-mux')
