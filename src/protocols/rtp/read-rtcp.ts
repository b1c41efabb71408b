import { MalformedRtp } from './malformed-rtp.ts'
import type {
  ApplicationDefined,
  Goodbye,
  ReportBlock,
  RtcpPacket,
  SdesChunk,
  SdesItem,
  SenderReport,
} from './rtcp-packet.ts'

/** Reads all packets of a compound RTCP packet (RFC 3550 §6.1), or of one of reduced size (RFC 5506). Throws MalformedRtp. */
export function readRtcp(bytes: Buffer): RtcpPacket[] {
  const packets: RtcpPacket[] = []
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length || (bytes[at] as number) >> 6 !== 2) throw new MalformedRtp('no RTCP head of version 2')
    const end = at + 4 + 4 * bytes.readUInt16BE(at + 2)
    if (end > bytes.length) throw new MalformedRtp('a packet goes beyond the compound packet')
    packets.push(readPacket(bytes.subarray(at, end), end === bytes.length))
    at = end
  }
  if (packets.length === 0) throw new MalformedRtp('no RTCP packet')
  return packets
}

function readPacket(packet: Buffer, last: boolean): RtcpPacket {
  const first = packet[0] as number
  const count = first & 0x1f
  const body = packet.subarray(4, packet.length - ((first & 0x20) === 0 ? 0 : readPadding(packet, last)))
  const packetType = packet[1] as number
  switch (packetType) {
    case 200:
      return readSenderReport(body, count)
    case 201:
      return { type: 'RR', ssrc: word(body, 0), ...readReports(body, 4, count) }
    case 202:
      return { type: 'SDES', chunks: readChunks(body, count) }
    case 203:
      return readGoodbye(body, count)
    case 204:
      return readApplication(body, count)
    default:
      return { type: 'other', packetType, count, body }
  }
}

/** RFC 3550 §6.4.1: only the last packet of a compound one has padding. */
function readPadding(packet: Buffer, last: boolean): number {
  const padding = packet[packet.length - 1] as number
  if (!last || padding === 0 || padding % 4 !== 0 || padding > packet.length - 4)
    throw new MalformedRtp('wrong padding')
  return padding
}

/** The 32 bits at `at`. */
function word(body: Buffer, at: number): number {
  if (at + 4 > body.length) throw new MalformedRtp('a packet too short for what it holds')
  return body.readUInt32BE(at)
}

function readSenderReport(body: Buffer, count: number): SenderReport {
  if (body.length < 24) throw new MalformedRtp('a sender report without its sender')
  return {
    type: 'SR',
    ssrc: body.readUInt32BE(0),
    ntpTime: body.readBigUInt64BE(4),
    rtpTime: body.readUInt32BE(12),
    packets: body.readUInt32BE(16),
    octets: body.readUInt32BE(20),
    ...readReports(body, 24, count),
  }
}

function readReports(body: Buffer, from: number, count: number): { reports: ReportBlock[]; extension: Buffer } {
  const end = from + 24 * count
  if (end > body.length) throw new MalformedRtp('report blocks go beyond the packet')
  const reports = Array.from({ length: count }, (_, index) => readReport(body, from + 24 * index))
  return { reports, extension: body.subarray(end) }
}

function readReport(body: Buffer, at: number): ReportBlock {
  return {
    ssrc: body.readUInt32BE(at),
    fractionLost: body.readUInt8(at + 4),
    lost: body.readIntBE(at + 5, 3),
    highestSequence: body.readUInt32BE(at + 8),
    jitter: body.readUInt32BE(at + 12),
    lastReport: body.readUInt32BE(at + 16),
    delay: body.readUInt32BE(at + 20),
  }
}

function readChunks(body: Buffer, count: number): SdesChunk[] {
  const chunks: SdesChunk[] = []
  for (let at = 0; chunks.length < count; ) {
    const ssrc = word(body, at)
    const items: SdesItem[] = []
    at = readItems(body, at + 4, items)
    chunks.push({ ssrc, items })
  }
  return chunks
}

/** Items up to the zero that ends them; returns where the next chunk begins, on a boundary of 32 bits. */
function readItems(body: Buffer, from: number, items: SdesItem[]): number {
  let at = from
  for (;;) {
    const type = byte(body, at)
    if (type === 0) return (at + 4) & ~3
    const end = at + 2 + byte(body, at + 1)
    if (end > body.length) throw new MalformedRtp('an item goes beyond the packet')
    items.push({ type, value: body.subarray(at + 2, end) })
    at = end
  }
}

function byte(body: Buffer, at: number): number {
  const value = body[at]
  if (value === undefined) throw new MalformedRtp('items without an end')
  return value
}

function readGoodbye(body: Buffer, count: number): Goodbye {
  const ssrcs = Array.from({ length: count }, (_, index) => word(body, 4 * index))
  const length = body[4 * count]
  if (length === undefined) return { type: 'BYE', ssrcs }
  const start = 4 * count + 1
  if (start + length > body.length) throw new MalformedRtp('the reason goes beyond the packet')
  return { type: 'BYE', ssrcs, reason: body.subarray(start, start + length) }
}

function readApplication(body: Buffer, subtype: number): ApplicationDefined {
  const ssrc = word(body, 0)
  word(body, 4)
  return { type: 'APP', subtype, ssrc, name: body.toString('latin1', 4, 8), data: body.subarray(8) }
}
