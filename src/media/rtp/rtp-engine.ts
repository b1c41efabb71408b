import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import type { Side } from './side.ts'
import type { SoundTap } from './sound-tap.ts'

export type { Side }

/** What relays voice and video: the embedded relay (`RtpPlane`), or a program beside the server (rtpengine). */
export interface RtpEngine {
  /** What may be open at once; for metrics. */
  readonly use: { readonly inUse: number; readonly peak: number; readonly limit: number }
  /**
   * Takes what one m= line needs: nothing that it holds is to be had later, so that an answer cannot fail for want of it.
   * `onGone` is called once at most: a party that says it sends has gone silent, or the engine has lost the line.
   * `browsers`: the parties that take nothing but ICE and DTLS-SRTP, for an engine that can speak both to a party.
   * Throws Failure('overloaded') when there is nothing left, or when the engine does not answer; then nothing is held.
   */
  open(onGone: () => void, browsers?: readonly Side[]): Promise<RtpMedia>
  /** Ends every line; no other is opened. */
  close(): Promise<void>
}

/**
 * One m= line of a session of two through the engine. Offers come one after the other: each is answered or rejected
 * before the next, which either side may make.
 */
export interface RtpMedia {
  /**
   * What a party says of the line in an offer, as the other party is to get it: with the engine's address and port in
   * place of those of its writer (its c=, a=rtcp, ICE). `media` is the line as its writer sent it, address and ICE
   * included, less what policy took out; it is never at port 0. `session` is the whole description, for what the line
   * leaves to the session (c=, direction, ice-ufrag, fingerprint). Throws Failure when the engine cannot serve it: the
   * line is then as it was before.
   */
  offer(from: Side, media: MediaDescription, session: SessionDescription): Promise<MediaDescription>
  /** The same of the answer to it; from now on both are in force. A line that is refused is closed instead. */
  answer(from: Side, media: MediaDescription, session: SessionDescription): Promise<MediaDescription>
  /** The offer came to nothing: what was in force before it stays, or nothing. May be called without an offer. */
  reject(): void
  /** Whether RTP of that party passes (floor control); RTCP does in any case. Stays through later offers. */
  mute(side: Side, muted: boolean): void
  /**
   * When RTP of that party came last, whether it passes or not, in milliseconds of the clock; 0 for never. An engine that
   * cannot tell has no such method: a talk burst is then over with its release, or when its time is.
   */
  heardAt?(side: Side): number
  /** Gives what passes to `tap` as well; undefined: no more. An engine that cannot has no such method. */
  hear?(tap: SoundTap | undefined): void
  /** Frees all. May be called again. */
  close(): void
}
