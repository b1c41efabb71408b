import { codecsOf } from '../../protocols/sdp/rtp-media.ts'
import type { MediaDescription } from '../../protocols/sdp/session-description.ts'
import type { G711 } from '../../protocols/wav/g711.ts'
import type { Side } from './side.ts'

/** What the payload types that a party sends are, as far as they can be heard. */
export type Laws = ReadonlyMap<number, G711>
export type SoundFormats = Readonly<Record<Side, Laws>>

/** Hears what passes on a line of voice, and changes nothing of it. */
export interface SoundTap {
  /** Of the packets from now on. */
  formats(formats: SoundFormats): void
  /** RTP of that party, as it came. */
  packet(from: Side, packet: Buffer): void
}

/** Those of G.711; all else, telephone events (RFC 4733) and comfort noise among it, is passed over. */
export function lawsOf(media: MediaDescription): Laws {
  const laws = new Map<number, G711>()
  for (const { payloadType, name, clockRate, channels } of codecsOf(media)) {
    const law = name.toUpperCase()
    if ((law === 'PCMU' || law === 'PCMA') && clockRate === 8000 && channels === 1) laws.set(payloadType, law)
  }
  return laws
}
