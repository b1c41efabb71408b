import type { Origin } from '../../protocols/sdp/session-description.ts'
import { Selection } from '../capability/index.ts'
import { MsrpEnd } from './msrp-end.ts'

/** What a device said last, as if the one that takes its place had: its o= is another, its m= lines have to fit. */
export function asSaidBy(origin: Origin, last: Selection): Selection {
  return new Selection({ ...last.received, origin }, last.description, linesOf(last))
}

/** Without the ends of message sessions, which belong to connections of the device that leaves. */
export function withoutMsrpEnds(last: Selection): Selection {
  const lines = linesOf(last).map((line) => (line.own instanceof MsrpEnd ? { ...line, own: undefined } : line))
  return new Selection(last.received, last.description, lines)
}

/** Frees those of `last` that are not used again. */
export function freeMsrpEnds(last: Selection | undefined, { held }: Selection): void {
  for (const own of last?.held ?? []) if (own instanceof MsrpEnd && !held.includes(own)) own.close()
}

const linesOf = (last: Selection) => last.media.map((line, index) => ({ ...line, own: last.heldFor(index) }))
