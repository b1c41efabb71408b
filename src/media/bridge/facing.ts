import type { SessionDescription } from '../../protocols/sdp/session-description.ts'

/** What the server's ends towards one party have to know of it. */
export interface Facing {
  /** The offer of the party, while it is answered. */
  answering: SessionDescription | undefined
}
