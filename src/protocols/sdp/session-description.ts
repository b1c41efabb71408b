/** A session description (RFC 8866). All text is latin1: one char is one byte, so that what nobody reads stays as it came. */
export interface SessionDescription {
  readonly origin: Origin
  readonly sessionName: string
  readonly information?: string | undefined
  readonly uri?: string | undefined
  readonly emails: readonly string[]
  readonly phones: readonly string[]
  readonly connection?: Connection | undefined
  readonly bandwidth: readonly Bandwidth[]
  readonly times: readonly Timing[]
  /** Obsolete (RFC 8866 §5.12): kept as it came. */
  readonly key?: string | undefined
  readonly attributes: readonly Attribute[]
  readonly media: readonly MediaDescription[]
}

/** One m-line and the lines that belong to it (RFC 8866 §5.14). */
export interface MediaDescription {
  /** Such as `audio`, `video`, `message`, `application`. */
  readonly media: string
  /** 0: refused, or not wanted any more (RFC 3264 §6, §8.2). */
  readonly port: number
  /** Of `port/count`: more than one port for layered media. */
  readonly portCount?: number | undefined
  /** Such as `RTP/AVP`, `TCP/MSRP`, `udp`. */
  readonly protocol: string
  readonly formats: readonly string[]
  readonly information?: string | undefined
  readonly connection?: Connection | undefined
  /** More c= lines, which only layered multicast has. */
  readonly furtherConnections?: readonly Connection[] | undefined
  readonly bandwidth: readonly Bandwidth[]
  readonly key?: string | undefined
  readonly attributes: readonly Attribute[]
}

export interface Origin {
  readonly username: string
  /** Decimal digits; up to 64 bits, so text. */
  readonly sessionId: string
  /** Decimal digits; one more on each change (RFC 3264 §8). */
  readonly version: string
  readonly networkType: string
  readonly addressType: string
  readonly address: string
}

export interface Connection {
  readonly networkType: string
  readonly addressType: string
  /** With `/ttl/count` where the line has them, as multicast does. */
  readonly address: string
}

export interface Bandwidth {
  /** Such as `AS` and `CT` (kbit/s), `TIAS`, `RR`, `RS` (bit/s). */
  readonly type: string
  readonly value: number
}

export interface Timing {
  readonly start: string
  readonly stop: string
  /** Values of r= lines. */
  readonly repeats: readonly string[]
  readonly zone?: string | undefined
}

/** `a=name` or `a=name:value`. */
export interface Attribute {
  readonly name: string
  readonly value?: string | undefined
}

/** What has attributes: the session, or one of its media. */
export interface WithAttributes {
  readonly attributes: readonly Attribute[]
}
