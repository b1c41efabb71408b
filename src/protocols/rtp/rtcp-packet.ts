/** One packet of a compound RTCP packet (RFC 3550 §6). */
export type RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye | ApplicationDefined | OtherRtcp

export interface SenderReport {
  readonly type: 'SR'
  readonly ssrc: number
  /** 64 bits: seconds since 1900 and their fraction. */
  readonly ntpTime: bigint
  readonly rtpTime: number
  readonly packets: number
  readonly octets: number
  readonly reports: readonly ReportBlock[]
  /** Extensions of a profile: as they came. */
  readonly extension: Buffer
}

export interface ReceiverReport {
  readonly type: 'RR'
  readonly ssrc: number
  readonly reports: readonly ReportBlock[]
  readonly extension: Buffer
}

/** How one source is received (RFC 3550 §6.4.1). */
export interface ReportBlock {
  readonly ssrc: number
  /** In 1/256, since the report before. */
  readonly fractionLost: number
  /** Since the beginning; duplicates make it negative. */
  readonly lost: number
  /** With the count of cycles in the upper 16 bits. */
  readonly highestSequence: number
  /** In units of the RTP timestamp. */
  readonly jitter: number
  /** The middle 32 bits of the NTP time of the last sender report; 0 when there was none. */
  readonly lastReport: number
  /** Since then, in 1/65536 s. */
  readonly delay: number
}

export interface SourceDescription {
  readonly type: 'SDES'
  readonly chunks: readonly SdesChunk[]
}

export interface SdesChunk {
  readonly ssrc: number
  readonly items: readonly SdesItem[]
}

export interface SdesItem {
  /** 1 is CNAME, 2 NAME … (RFC 3550 §6.5). */
  readonly type: number
  readonly value: Buffer
}

export interface Goodbye {
  readonly type: 'BYE'
  readonly ssrcs: readonly number[]
  readonly reason?: Buffer | undefined
}

/** RFC 3550 §6.7; such as the talk burst control of OMA PoC. */
export interface ApplicationDefined {
  readonly type: 'APP'
  readonly subtype: number
  readonly ssrc: number
  /** Four characters. */
  readonly name: string
  readonly data: Buffer
}

/** Feedback, extended reports and whatever else: as it came (RFC 4585, RFC 3611). */
export interface OtherRtcp {
  readonly type: 'other'
  readonly packetType: number
  /** The five bits after version and padding. */
  readonly count: number
  readonly body: Buffer
}
