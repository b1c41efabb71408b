import type { Goodbye, ReportBlock, RtcpPacket, SdesChunk } from './rtcp-packet.ts'

/** The bytes of a compound RTCP packet. */
export const writeRtcp = (packets: readonly RtcpPacket[]): Buffer => Buffer.concat(packets.map(writePacket))

function writePacket(packet: RtcpPacket): Buffer {
  switch (packet.type) {
    case 'SR':
      return headed(200, packet.reports.length, [senderInfo(packet), ...packet.reports.map(block), packet.extension])
    case 'RR':
      return headed(201, packet.reports.length, [words(packet.ssrc), ...packet.reports.map(block), packet.extension])
    case 'SDES':
      return headed(202, packet.chunks.length, packet.chunks.map(chunk))
    case 'BYE':
      return headed(203, packet.ssrcs.length, goodbye(packet))
    case 'APP':
      return headed(204, packet.subtype, [words(packet.ssrc), Buffer.from(packet.name, 'latin1'), packet.data])
    case 'other':
      return headed(packet.packetType, packet.count, [packet.body])
  }
}

/** With the head, and zeros up to a boundary of 32 bits. */
function headed(packetType: number, count: number, parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const head = Buffer.from([0x80 | count, packetType, 0, 0])
  head.writeUInt16BE(Math.ceil(length / 4), 2)
  return Buffer.concat([head, ...parts], 4 + 4 * Math.ceil(length / 4))
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index)
  return bytes
}

function senderInfo(report: {
  ssrc: number
  ntpTime: bigint
  rtpTime: number
  packets: number
  octets: number
}): Buffer {
  const bytes = words(report.ssrc, 0, 0, report.rtpTime, report.packets, report.octets)
  bytes.writeBigUInt64BE(report.ntpTime, 4)
  return bytes
}

function block(report: ReportBlock): Buffer {
  const { ssrc, highestSequence, jitter, lastReport, delay } = report
  const bytes = words(ssrc, 0, highestSequence, jitter, lastReport, delay)
  bytes.writeUInt8(report.fractionLost, 4)
  bytes.writeIntBE(report.lost, 5, 3)
  return bytes
}

function chunk({ ssrc, items }: SdesChunk): Buffer {
  const parts = [words(ssrc), ...items.flatMap(({ type, value }) => [Buffer.from([type, value.length]), value])]
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat(parts, (length + 4) & ~3) // at least one zero ends the items
}

function goodbye({ ssrcs, reason }: Goodbye): Buffer[] {
  return reason === undefined ? [words(...ssrcs)] : [words(...ssrcs), Buffer.from([reason.length]), reason]
}
