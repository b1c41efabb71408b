import type {
  Connection,
  MediaDescription,
  Origin,
  SessionDescription,
} from '../../protocols/sdp/session-description.ts'
import type { MediaKind } from './media-policy.ts'

/** The server's own end of one m= line, held for a session: an MSRP path, a pair of ports. */
export interface OwnMedia {
  /**
   * `media` with the server's own address, port and attributes; those of its writer are taken out already. `written` is
   * the same with them, in the description `session`. Throws Failure when it cannot be had any more.
   */
  describe(
    media: MediaDescription,
    written: MediaDescription,
    session: SessionDescription,
  ): MediaDescription | Promise<MediaDescription>
  /** Frees it. Called once. */
  close(): void
}

export interface OwnMediaRequest {
  readonly kind: MediaKind
  /** The place of the m= line in the description. */
  readonly index: number
  /** The m= line as its writer sent it, and the description it is part of. */
  readonly media: MediaDescription
  readonly session: SessionDescription
}

/** How the server puts itself between the parties. */
export interface Anchor {
  /** The server's o= for the party that the description goes to. */
  readonly origin: Origin
  readonly connection: Connection
  /**
   * Allocates the server's own end of an m= line, towards the party that the description goes to; undefined when it has
   * none for such media. Throws Failure('overloaded') when a pool is full.
   */
  ownMedia(request: OwnMediaRequest): OwnMedia | undefined | Promise<OwnMedia | undefined>
}
