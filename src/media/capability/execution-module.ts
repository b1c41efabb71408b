import type { Warning } from '../../failure.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import type { MediaKind, MediaPolicy } from './media-policy.ts'

/** What becomes of one m= line: its description as policy leaves it, or why it is refused. */
export type Verdict = { readonly media: MediaDescription } | { readonly warning: Warning }

/** Works out its part of a session: the m= lines of its kind. */
export interface ExecutionModule {
  /** Whether this m= line is its business; the selection module asks the modules in their order. */
  takes(media: MediaDescription, session: SessionDescription): boolean
  kindOf(media: MediaDescription): MediaKind
  judge(media: MediaDescription, session: SessionDescription, policy: MediaPolicy): Verdict
  /** Attributes that say how the writer's own end is reached; the server's own take their place when it anchors. */
  readonly ownAttributes: readonly string[]
}
