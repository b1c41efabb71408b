import { attribute, hasAttribute, withAttribute, withoutAttributes } from './attributes.ts'
import type { MediaDescription, SessionDescription, WithAttributes } from './session-description.ts'

/** Which way media go, seen from the one who wrote the description (RFC 8866 §6.7). */
export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive'

const directions = ['sendrecv', 'sendonly', 'recvonly', 'inactive'] as const

/** The direction of `media`: its own, else that of its session, else both ways. */
export function directionOf(media: WithAttributes, session?: WithAttributes): Direction {
  const own = directions.find((direction) => hasAttribute(media, direction))
  return own ?? (session && directions.find((direction) => hasAttribute(session, direction))) ?? 'sendrecv'
}

/** A copy of `media` with this direction; what is the default is not written unless the attribute was there. */
export function withDirection<Of extends WithAttributes>(of: Of, direction: Direction): Of {
  const present = directions.find((one) => attribute(of, one) !== undefined)
  if (present === direction || (present === undefined && direction === 'sendrecv')) return of
  if (present === undefined) return withAttribute(of, direction)
  const attributes = of.attributes.map((one) => (one.name === present ? { name: direction } : one))
  return { ...of, attributes }
}

export const sends = (direction: Direction): boolean => direction === 'sendrecv' || direction === 'sendonly'
export const receives = (direction: Direction): boolean => direction === 'sendrecv' || direction === 'recvonly'

function directionFor(send: boolean, receive: boolean): Direction {
  if (send) return receive ? 'sendrecv' : 'sendonly'
  return receive ? 'recvonly' : 'inactive'
}

/** The answer to `offered` of one who would like `wanted` (RFC 3264 §6.1): never more than the offer takes. */
export function answerDirection(offered: Direction, wanted: Direction = 'sendrecv'): Direction {
  return directionFor(sends(wanted) && receives(offered), receives(wanted) && sends(offered))
}

/** The direction seen from the other end. */
export const mirrored = (direction: Direction): Direction => directionFor(receives(direction), sends(direction))

/** What a party writes that puts the other one on hold (RFC 3264 §8.4). */
export const onHold = (direction: Direction): Direction => directionFor(sends(direction), false)

/** Whether the writer put its peer on hold: it takes nothing, or has the address 0.0.0.0 of RFC 2543 (RFC 3264 §8.4). */
export function isHeld(media: MediaDescription, session: SessionDescription): boolean {
  const connection = media.connection ?? session.connection
  return !receives(directionOf(media, session)) || connection?.address === '0.0.0.0'
}

/** A copy of the description that puts the peer on hold: all its media, each with a direction of its own. */
export function held(session: SessionDescription): SessionDescription {
  const media = session.media.map((one) =>
    one.port === 0 ? one : withDirection(one, onHold(directionOf(one, session))),
  )
  return { ...withoutAttributes(session, ...directions), media }
}
