import { hasAttribute } from './attributes.ts'
import { answerDirection, directionOf } from './direction.ts'
import type {
  Attribute,
  Bandwidth,
  Connection,
  MediaDescription,
  Origin,
  SessionDescription,
} from './session-description.ts'
import { sdpText } from './write-sdp.ts'

export interface AnswerOptions {
  readonly origin: Origin
  readonly connection?: Connection | undefined
  readonly bandwidth?: readonly Bandwidth[]
  readonly attributes?: readonly Attribute[]
  /** One for each m= line of the offer, in its order; undefined is refused. */
  readonly media: readonly (MediaDescription | undefined)[]
}

/** The answer to an offer (RFC 3264 §6): as many m= lines, in its order, those refused with port 0; its t= lines. */
export function answerTo(offer: SessionDescription, answer: AnswerOptions): SessionDescription {
  if (answer.media.length !== offer.media.length) throw new RangeError('an answer has the m= lines of its offer')
  return {
    origin: answer.origin,
    sessionName: '-',
    emails: [],
    phones: [],
    connection: answer.connection,
    bandwidth: answer.bandwidth ?? [],
    times: offer.times,
    attributes: answer.attributes ?? [],
    media: offer.media.map((offered, index) => answer.media[index] ?? refused(offered)),
  }
}

/** `media` with port 0: refused in an answer, not wanted any more in an offer. Formats stay: the grammar wants one. */
export function refused(media: MediaDescription): MediaDescription {
  const { media: type, protocol, formats, connection } = media
  return { media: type, port: 0, protocol, formats, connection, bandwidth: [], attributes: [] }
}

/** Why `answer` is none to `offer` (RFC 3264 §6); undefined when it is one. */
export function faultOfAnswer(offer: SessionDescription, answer: SessionDescription): string | undefined {
  if (answer.media.length !== offer.media.length) return `${answer.media.length} m= lines for ${offer.media.length}`
  for (const [index, offered] of offer.media.entries()) {
    const fault = faultOfMedia(offered, offer, answer.media[index] as MediaDescription, answer)
    if (fault !== undefined) return `m= line ${index + 1}: ${fault}`
  }
  return undefined
}

function faultOfMedia(
  offered: MediaDescription,
  offer: SessionDescription,
  answered: MediaDescription,
  answer: SessionDescription,
): string | undefined {
  if (answered.media !== offered.media) return `${answered.media} for ${offered.media}`
  if (answered.port === 0) return undefined
  // RFC 9143 §6: a bundle-only m= line is offered with port 0.
  if (offered.port === 0 && !hasAttribute(offered, 'bundle-only')) return 'was not offered'
  if (answered.protocol.toLowerCase() !== offered.protocol.toLowerCase()) return 'another protocol'
  const [wanted, given] = [directionOf(offered, offer), directionOf(answered, answer)]
  if (answerDirection(wanted, given) !== given) return `${given} for ${wanted}`
  return undefined
}

/** Why `next` may not follow `before` from the same party in one session (RFC 3264 §8); undefined when it may. */
export function faultOfNext(before: SessionDescription, next: SessionDescription): string | undefined {
  if (next.media.length < before.media.length) return 'fewer m= lines than before'
  const changed = before.media.findIndex(({ media, port }, index) => {
    const after = next.media[index] as MediaDescription
    return port !== 0 && after.port !== 0 && after.media !== media
  })
  if (changed !== -1) return `m= line ${changed + 1}: another kind of media`
  if (before.origin.sessionId !== next.origin.sessionId) return 'another session id in o='
  return undefined
}

/** `next` with the o= of `before`: its version one higher if anything else changed, the same if not (RFC 3264 §8). */
export function following(before: SessionDescription, next: SessionDescription): SessionDescription {
  const same = { ...next, origin: before.origin }
  if (sdpText(same) === sdpText(before)) return same
  const version = String(BigInt.asUintN(63, BigInt(before.origin.version) + 1n))
  return { ...next, origin: { ...before.origin, version } }
}
