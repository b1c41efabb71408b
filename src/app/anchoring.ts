import type { Config } from '../config/config.ts'
import { type BridgeNeeds, type Place, reasonToAnchor } from '../media/bridge/index.ts'
import { type MediaPolicy, strictest } from '../media/capability/index.ts'

/** Whether the media of a session go through this server (`session.mediaAnchor`). */
export function anchoring(
  { session: { mediaAnchor } }: Config,
  places: Readonly<Record<'caller' | 'callee', Place | undefined>>,
  policies: readonly MediaPolicy[],
): BridgeNeeds['anchored'] {
  if (mediaAnchor !== 'when-needed') return mediaAnchor === 'always'
  const policy = strictest(policies)
  return (offer, from) => reasonToAnchor(offer, from, { places, policy }) !== undefined
}

/** A party whose signalling comes over a WebSocket has MSRP over one, and the others do not. */
export const speaksOf = (place: Place | undefined): 'ws' | 'tcp' | undefined =>
  place && (place.transport.startsWith('ws') ? 'ws' : 'tcp')
