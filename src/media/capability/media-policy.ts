/** The kinds of media that a session may have, each the business of one execution module. */
export type MediaKind = 'message-session' | 'file-transfer' | 'audio' | 'video' | 'half-duplex-voice' | 'other'

/** What a user may use. Whatever is undefined is not limited. */
export interface MediaPolicy {
  readonly kinds?: ReadonlySet<MediaKind> | undefined
  /** Names of codecs, in lower case, of voice in whatever form and of video. */
  readonly audioCodecs?: ReadonlySet<string> | undefined
  readonly videoCodecs?: ReadonlySet<string> | undefined
  /** Bits a second of one m= line; 0 refuses the kind for want of bandwidth. */
  readonly bitRates?: Partial<Readonly<Record<MediaKind, number>>> | undefined
  /** Bits a second of a whole session. */
  readonly bitRate?: number | undefined
  readonly maxFileSize?: number | undefined
  readonly maxMessageSize?: number | undefined
}

/** What all of these policies permit: those of both parties of a session. */
export const strictest = (policies: readonly MediaPolicy[]): MediaPolicy => policies.reduce(stricter, {})

function stricter(one: MediaPolicy, other: MediaPolicy): MediaPolicy {
  const bitRates: Partial<Record<MediaKind, number>> = { ...one.bitRates }
  for (const [kind, rate] of Object.entries(other.bitRates ?? {}) as [MediaKind, number][]) {
    bitRates[kind] = Math.min(rate, bitRates[kind] ?? rate)
  }
  return {
    kinds: common(one.kinds, other.kinds),
    audioCodecs: common(one.audioCodecs, other.audioCodecs),
    videoCodecs: common(one.videoCodecs, other.videoCodecs),
    bitRates,
    bitRate: lower(one.bitRate, other.bitRate),
    maxFileSize: lower(one.maxFileSize, other.maxFileSize),
    maxMessageSize: lower(one.maxMessageSize, other.maxMessageSize),
  }
}

function common<Value>(one?: ReadonlySet<Value>, other?: ReadonlySet<Value>): ReadonlySet<Value> | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return new Set([...one].filter((value) => other.has(value)))
}

/** The lower of two limits, of which either may not be set. */
export function lower(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other)
}
