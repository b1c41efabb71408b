import type { Params } from '../../protocols/sip/params.ts'
import type { Target } from './sending.ts'

/** A live binding, as the registrar knows it. */
export interface Device {
  readonly owner: number
  readonly key: string
  /** The instance, else the contact URI. Two bindings of one instance are two ways to one device (RFC 5626). */
  readonly device: string
  readonly contact: string
  readonly path: readonly string[]
  /** Empty where the contact, or the path, leads there by itself. */
  readonly flow: string
  /** Above 0: the client keeps its flow open itself, and is reached over no other way (RFC 5626 §5.3). */
  readonly regId: number
  /** What its registration came over, such as `udp`. */
  readonly transport: string
  readonly features: Params
}

export function wayTo({ flow, regId }: Device, receivedUri?: string): Target {
  const passed = receivedUri === undefined ? {} : { receivedUri }
  return flow === '' ? passed : { flow, flowOnly: regId > 0, ...passed }
}
