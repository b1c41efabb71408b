import { icsi, servicesOfDevice } from '../../../protocols/cpm/services.ts'
import type { SipRequest, SipResponse } from '../../../protocols/sip/message.ts'
import type { Params } from '../../../protocols/sip/params.ts'

/** A live binding, as the registrar knows it. */
export interface Device {
  readonly owner: number
  readonly device: string
  readonly contact: string
  readonly path: readonly string[]
  readonly flow: string
  readonly regId: number
  readonly transport: string
  readonly address: string
  readonly port: number
  readonly features: Params
  /** The same as it was written. */
  readonly params: string
}

interface Sending {
  readonly final: Promise<{ readonly response: SipResponse; readonly local: boolean }>
  abandon(): void
}

export type Send = (request: SipRequest, target: { flow?: string; flowOnly?: boolean }) => Sending

/** Where a request came from. */
export interface Source {
  readonly flow: string
  readonly transport: string
  readonly address: string
  readonly port: number
}

/** Devices that say they understand what the server tells of the store; each once, over its preferred binding. */
export function storeDevices(bindings: readonly Device[]): readonly Device[] {
  const able = bindings.filter(knowsStore)
  return able.length < 2 ? able : able.filter(({ device }, at) => able.findIndex((one) => one.device === device) === at)
}

/** Asked for each message, of devices of which nearly none does: the text tells at once. */
const knowsStore = (device: Device): boolean =>
  /systemmsg/i.test(device.params) && servicesOfDevice(device.features)?.has(icsi.systemMessage) === true

/** Which of a user's devices a request came from; undefined where that cannot be told. */
export function deviceAt(bindings: readonly Device[], source: Source): string | undefined {
  const sameFlow = bindings.find(({ flow }) => flow !== '' && flow === source.flow)
  const { address, port, transport } = source
  const samePlace = (one: Device) => one.address === address && one.port === port && one.transport === transport
  return (sameFlow ?? bindings.find(samePlace))?.device
}

export const wayTo = ({ flow, regId }: Device) => (flow === '' ? {} : { flow, flowOnly: regId > 0 })

/** What fits into one MESSAGE to it: a datagram may not be larger (RFC 3428 §8). */
export const roomFor = ({ transport }: Device): number => (transport === 'udp' ? 1300 : 32_768)
