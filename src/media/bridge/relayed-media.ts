import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import type { OwnMedia } from '../capability/index.ts'
import type { FloorLine } from '../floor/index.ts'
import type { RtpMedia, Side } from '../rtp/index.ts'
import type { Facing } from './facing.ts'

export interface RelayedMediaNeeds {
  /** The m= line, which the end towards the other party has as well. */
  readonly line: RtpMedia | FloorLine
  /** Whose descriptions this end gives on. */
  readonly from: Side
  /** Of the party that they go to. */
  readonly facing: Facing
}

/** One of the server's two ends of an m= line of RTP, or of the floor. Either is closed with the other: one alone is of no use. */
export class RelayedMedia implements OwnMedia {
  readonly line: RtpMedia | FloorLine
  readonly #needs: RelayedMediaNeeds

  constructor(needs: RelayedMediaNeeds) {
    this.#needs = needs
    this.line = needs.line
  }

  describe(_: MediaDescription, written: MediaDescription, session: SessionDescription): Promise<MediaDescription> {
    const { line, from, facing } = this.#needs
    return facing.answering === undefined ? line.offer(from, written, session) : line.answer(from, written, session)
  }

  close(): void {
    this.line.close()
  }
}
