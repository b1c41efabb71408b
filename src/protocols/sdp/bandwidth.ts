import type { Bandwidth } from './session-description.ts'

/** Bits a second of one unit: kbit/s for AS and CT (RFC 8866 §5.8), bit/s for TIAS (RFC 3890), RS and RR (RFC 3556). */
const unit: Readonly<Record<string, number>> = { AS: 1_000, CT: 1_000, TIAS: 1, RS: 1, RR: 1 }

/** What limits the media themselves; RS and RR are about RTCP. */
const ofMedia: ReadonlySet<string> = new Set(['AS', 'CT', 'TIAS'])

/** The lowest bandwidth these lines set for the media, in bit/s; undefined when they set none. */
export function bitRate(lines: readonly Bandwidth[]): number | undefined {
  const rates = lines.filter(({ type }) => ofMedia.has(type)).map(({ type, value }) => value * (unit[type] ?? 1))
  return rates.length === 0 ? undefined : Math.min(...rates)
}

/** The lines with none above `ceiling` bit/s. What is not known stays; without a line that sets one, AS does. */
export function capped(lines: readonly Bandwidth[], ceiling: number): Bandwidth[] {
  const lowered = lines.map(({ type, value }) =>
    ofMedia.has(type) ? { type, value: Math.min(value, Math.floor(ceiling / (unit[type] ?? 1))) } : { type, value },
  )
  if (bitRate(lines) !== undefined) return lowered
  return [...lowered, { type: 'AS', value: Math.floor(ceiling / 1_000) }]
}
