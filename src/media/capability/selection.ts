import type { Warning } from '../../failure.ts'
import type { MediaDescription, SessionDescription } from '../../protocols/sdp/session-description.ts'
import type { MediaKind } from './media-policy.ts'
import type { OwnMedia } from './own-media.ts'

/** One m= line, and what became of it. */
export interface SelectedMedia {
  readonly kind: MediaKind
  /** As its writer sent it. */
  readonly received: MediaDescription
  /** Why it was refused; undefined when it was not, or its writer had it at port 0. */
  readonly refusal?: Warning | undefined
  /** The server's end towards the other party; undefined end to end. */
  readonly own?: OwnMedia | undefined
}

/** What was made of a session description, and what is held for it. */
export class Selection {
  /** As its writer sent it. */
  readonly received: SessionDescription
  /** As it goes on to the other party. */
  readonly description: SessionDescription
  /** Nothing was changed: the bytes may pass as they came. */
  readonly untouched: boolean
  /** In the order of the m= lines. */
  readonly media: readonly SelectedMedia[]
  readonly #freed = new Set<OwnMedia>()
  readonly #before: ReadonlySet<OwnMedia>

  constructor(
    received: SessionDescription,
    description: SessionDescription,
    media: readonly SelectedMedia[],
    before?: Selection,
  ) {
    this.received = received
    this.description = description
    this.untouched = description === received
    this.media = media
    this.#before = new Set(before?.held)
  }

  /** Why each refused m= line was. */
  get warnings(): readonly Warning[] {
    return this.media.flatMap(({ refusal }) => refusal ?? [])
  }

  /** What is held for the m= lines of this description. */
  get held(): readonly OwnMedia[] {
    return this.media.flatMap((_, index) => this.heldFor(index) ?? [])
  }

  /** The end that is held for an m= line. */
  heldFor(index: number): OwnMedia | undefined {
    const own = this.media[index]?.own
    return own === undefined || this.#freed.has(own) ? undefined : own
  }

  /** The answer refused that m= line: its end is of no use. */
  free(index: number): void {
    const own = this.heldFor(index)
    if (own === undefined) return
    this.#freed.add(own)
    own.close()
  }

  /** The description came into force: what only the one before it held is freed. */
  commit(): void {
    const held = new Set(this.held)
    for (const own of this.#before) if (!held.has(own)) own.close()
  }

  /** The description did not come into force: what it added is freed, what the one before it held stays. */
  rollBack(): void {
    for (const own of this.held) if (!this.#before.has(own)) own.close()
  }

  /** The session is over: all that is held is freed. Of a change under way, `commit` or `rollBack` comes first. */
  close(): void {
    for (const own of this.held) own.close()
  }
}
