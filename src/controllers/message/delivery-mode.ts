import { icsi, servicesOfDevice } from '../../protocols/cpm/services.ts'
import type { Device } from './device.ts'

/**
 * How a device gets a message that came in a session. `session`: it has said that it has sessions. `either`: it says
 * nothing of services, as plain SIP clients do, and is asked for a session first. `pager`: it has pager messages only.
 */
export type DeliveryMode = 'session' | 'either' | 'pager'

const inSessions = [icsi.largeMessage, icsi.deferred, icsi.session]

export function deliveryMode({ features }: Pick<Device, 'features'>): DeliveryMode {
  const services = servicesOfDevice(features)
  if (services === undefined) return 'either'
  return inSessions.some((service) => services.has(service)) ? 'session' : 'pager'
}

/** The answers to an INVITE by which a device tells that it has no such sessions. */
const noSessions: ReadonlySet<number> = new Set([405, 415, 488, 501])

export const refusesSessions = (status: number): boolean => noSessions.has(status)

/** Where a message becomes large (features 1.2), and what a datagram carries in one piece (RFC 3428 §8). */
const pagerBytes = 1300

/** Whether a body fits into a pager message to that device: over a connection it may be as large as any that a user sends. */
export function fitsPagerMode(body: Buffer, { transport }: Pick<Device, 'transport'>, maxBytes: number): boolean {
  return body.length <= (transport === 'udp' ? Math.min(pagerBytes, maxBytes) : maxBytes)
}
