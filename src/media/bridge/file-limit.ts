import { attribute } from '../../protocols/sdp/attributes.ts'
import { directionOf } from '../../protocols/sdp/direction.ts'
import { readFileSelector } from '../../protocols/sdp/file-selector.ts'
import { readMsrpMedia } from '../../protocols/sdp/msrp-media.ts'
import type { MediaDescription } from '../../protocols/sdp/session-description.ts'

/** What message/cpim and the like may put around a file. */
const wrappingBytes = 64 * 1024

/**
 * Bytes that may come for the file of an m= line: as many as its sender has said, and never more than `permitted`. The
 * offer is that of the sender where it pushes the file, of the receiver where it pulls it (RFC 5547 §8.2, §8.3).
 */
export function fileLimit(offered: MediaDescription, answered: MediaDescription, permitted = Infinity): number {
  const pulled = directionOf(offered) === 'recvonly'
  const [sender, receiver] = pulled ? [answered, offered] : [offered, answered]
  const said = saidOf(sender) ?? saidOf(receiver) ?? Infinity
  return Math.min(said, permitted) + (isWrapped(offered) || isWrapped(answered) ? wrappingBytes : 0)
}

/** A part of a file has no bytes beyond its last one (RFC 5547 §6, file-range). */
function saidOf(media: MediaDescription): number | undefined {
  const size = readFileSelector(attribute(media, 'file-selector') ?? '')?.size
  const stop = Number(/-(\d+)$/.exec(attribute(media, 'file-range') ?? '')?.[1] ?? Infinity)
  return size === undefined && stop === Infinity ? undefined : Math.min(size ?? Infinity, stop)
}

const isWrapped = (media: MediaDescription): boolean =>
  readMsrpMedia(media).acceptTypes.some((type) => /^(?:\*$|message\/|multipart\/)/i.test(type))
