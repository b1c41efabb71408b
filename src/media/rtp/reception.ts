import { MalformedRtp } from '../../protocols/rtp/malformed-rtp.ts'
import { readRtcp } from '../../protocols/rtp/read-rtcp.ts'
import type { ReportBlock, RtcpPacket } from '../../protocols/rtp/rtcp-packet.ts'

/** How a party says that it hears the other one. */
export interface Quality {
  /** 0 to 1, since its report before. */
  readonly fractionLost: number
  /** Seconds. */
  readonly jitter: number
  /** Seconds, between the server and the party; undefined when it has had no sender report yet. */
  readonly roundTrip: number | undefined
}

/** Sources of which a sender report is remembered; a party has one or two. */
const maxSources = 8

/** The sender reports that passed to a party, which its own reports are held against (RFC 3550 §6.4.1). */
export class Reception {
  /** By source: the middle 32 bits of the NTP time in its last report, and when that passed, in milliseconds. */
  readonly #passed = new Map<number, { readonly middle: number; readonly at: number }>()

  /** Takes note of RTCP that passes to the party. */
  pass(packets: readonly RtcpPacket[], now: number): void {
    for (const packet of packets) {
      if (packet.type !== 'SR') continue
      if (this.#passed.size >= maxSources && !this.#passed.has(packet.ssrc)) this.#passed.clear()
      this.#passed.set(packet.ssrc, { middle: Number((packet.ntpTime >> 16n) & 0xffffffffn), at: now })
    }
  }

  /** What the party reports in RTCP of its own. */
  qualities(packets: readonly RtcpPacket[], clockRate: number, now: number): Quality[] {
    return packets.flatMap((packet) =>
      packet.type === 'SR' || packet.type === 'RR'
        ? packet.reports.map((report) => this.#quality(report, clockRate, now))
        : [],
    )
  }

  #quality(report: ReportBlock, clockRate: number, now: number): Quality {
    const passed = this.#passed.get(report.ssrc)
    const known = passed !== undefined && report.lastReport !== 0 && passed.middle === report.lastReport
    return {
      fractionLost: report.fractionLost / 256,
      jitter: report.jitter / clockRate,
      roundTrip: known ? Math.max(0, (now - passed.at) / 1_000 - report.delay / 65_536) : undefined,
    }
  }
}

/** The packets, or none when they cannot be read: the relay passes them as they are. */
export function readQuietly(bytes: Buffer): RtcpPacket[] {
  try {
    return readRtcp(bytes)
  } catch (err) {
    if (err instanceof MalformedRtp) return []
    throw err
  }
}
