import type { Device } from './device.ts'
import type { Medium, Settings } from './needs.ts'
import type { Absence } from './policy.ts'

/** Whom of a recipient's devices a message is for, where the recipient's settings say so. */
export interface Reach {
  /** Those that are there, and are to have it now. */
  readonly live: readonly Device[]
  /** Those that are there, and are to have it when they register the next time. */
  readonly held: readonly string[]
  /** Of a device that is not there: whether it may have it later. '' for one that is not known yet. */
  readonly mayHave: (device: string) => boolean
  /** What becomes of it when nobody takes it; undefined: what the operator says. */
  readonly absent: Absence | undefined
}

/** Of users who have not said anything, where the operator says `notify`. */
export const toBeTold = (devices: readonly Device[]): Reach => ({
  live: devices,
  held: nobody,
  mayHave: everybody,
  absent: 'notify',
})

/** `contact`: the address that the sender has used. */
export function reachOf(settings: Settings, contact: string, medium: Medium, devices: readonly Device[]): Reach {
  const { absent, differs } = settings
  if (!differs) return { live: devices, held: nobody, mayHave: everybody, absent }
  const reception = (device: string) => settings.reception(device, contact, medium)
  const held = devices.filter(({ device }) => reception(device) === 'keep').map(({ device }) => device)
  return {
    live: devices.filter(({ device }) => reception(device) === 'deliver'),
    held: [...new Set(held)],
    mayHave: (device) => reception(device) !== 'refuse',
    absent,
  }
}

const nobody: readonly string[] = []
const everybody = () => true
