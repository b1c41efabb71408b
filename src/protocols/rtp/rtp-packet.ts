import { MalformedRtp } from './malformed-rtp.ts'

/** An RTP packet (RFC 3550 §5.1). */
export interface RtpPacket {
  readonly marker: boolean
  readonly payloadType: number
  readonly sequence: number
  readonly timestamp: number
  readonly ssrc: number
  readonly csrcs: readonly number[]
  readonly extension?: RtpExtension | undefined
  readonly payload: Buffer
  /** Bytes of padding at the end, the count among them. */
  readonly padding: number
}

/** A header extension (RFC 3550 §5.3.1, RFC 8285). */
export interface RtpExtension {
  readonly profile: number
  /** A multiple of 4 bytes. */
  readonly data: Buffer
}

const headBytes = 12

/** Whether bytes on a port of media begin as RTP or RTCP of version 2 do; STUN and DTLS begin otherwise (RFC 7983 §7). */
export const isRtpOrRtcp = (bytes: Buffer): boolean => bytes.length >= 8 && (bytes[0] as number) >> 6 === 2

/** Whether bytes that begin as RTP or RTCP are RTCP: packet types 192 to 223 (RFC 5761 §4). */
export const isRtcp = (bytes: Buffer): boolean => ((bytes[1] as number) & 0xe0) === 0xc0

/** Whether the fixed head of an RTP packet is there; `ssrcOf` and its like may then be asked. */
export const hasRtpHead = (bytes: Buffer): boolean => bytes.length >= headBytes && (bytes[0] as number) >> 6 === 2

export const payloadTypeOf = (bytes: Buffer): number => (bytes[1] as number) & 0x7f
export const sequenceOf = (bytes: Buffer): number => bytes.readUInt16BE(2)
export const ssrcOf = (bytes: Buffer): number => bytes.readUInt32BE(8)

/** Reads an RTP packet; its parts are views of `bytes`. Throws MalformedRtp. */
export function readRtp(bytes: Buffer): RtpPacket {
  if (!hasRtpHead(bytes)) throw new MalformedRtp('no RTP head of version 2')
  const first = bytes[0] as number
  const csrcsEnd = headBytes + 4 * (first & 0x0f)
  if (csrcsEnd > bytes.length) throw new MalformedRtp('contributing sources go beyond the packet')
  const extension = (first & 0x10) === 0 ? undefined : readExtension(bytes, csrcsEnd)
  const start = csrcsEnd + (extension === undefined ? 0 : 4 + extension.data.length)
  const padding = (first & 0x20) === 0 ? 0 : readPadding(bytes, start)
  return {
    marker: (bytes[1] as number) >> 7 === 1,
    payloadType: payloadTypeOf(bytes),
    sequence: sequenceOf(bytes),
    timestamp: bytes.readUInt32BE(4),
    ssrc: ssrcOf(bytes),
    csrcs: Array.from({ length: first & 0x0f }, (_, index) => bytes.readUInt32BE(headBytes + 4 * index)),
    extension,
    payload: bytes.subarray(start, bytes.length - padding),
    padding,
  }
}

function readExtension(bytes: Buffer, at: number): RtpExtension {
  if (at + 4 > bytes.length) throw new MalformedRtp('a header extension without its head')
  const end = at + 4 + 4 * bytes.readUInt16BE(at + 2)
  if (end > bytes.length) throw new MalformedRtp('the header extension goes beyond the packet')
  return { profile: bytes.readUInt16BE(at), data: bytes.subarray(at + 4, end) }
}

function readPadding(bytes: Buffer, start: number): number {
  const count = bytes[bytes.length - 1] as number
  if (count === 0 || start + count > bytes.length) throw new MalformedRtp('padding goes beyond the packet')
  return count
}

export function writeRtp(packet: RtpPacket): Buffer {
  const { csrcs, extension, payload, padding } = packet
  const extensionBytes = extension === undefined ? 0 : 4 + extension.data.length
  const start = headBytes + 4 * csrcs.length + extensionBytes
  const bytes = Buffer.alloc(start + payload.length + padding)
  bytes[0] = 0x80 | (padding > 0 ? 0x20 : 0) | (extension === undefined ? 0 : 0x10) | csrcs.length
  bytes[1] = (packet.marker ? 0x80 : 0) | packet.payloadType
  bytes.writeUInt16BE(packet.sequence, 2)
  bytes.writeUInt32BE(packet.timestamp, 4)
  bytes.writeUInt32BE(packet.ssrc, 8)
  for (const [index, csrc] of csrcs.entries()) bytes.writeUInt32BE(csrc, headBytes + 4 * index)
  if (extension !== undefined) {
    bytes.writeUInt16BE(extension.profile, start - extensionBytes)
    bytes.writeUInt16BE(extension.data.length / 4, start - extensionBytes + 2)
    extension.data.copy(bytes, start - extension.data.length)
  }
  payload.copy(bytes, start)
  if (padding > 0) bytes[bytes.length - 1] = padding
  return bytes
}
