import { Failure } from '../../failure.ts'
import type { Device, Medium, Settings } from './needs.ts'

/** The devices that may ring, as their user wants it. Throws Failure: 'absent' where it can be kept, 'forbidden' else. */
export function wantedDevices(
  settings: Settings | undefined,
  contact: string,
  offer: Buffer,
  devices: readonly Device[],
): readonly Device[] {
  if (settings?.differs !== true) return devices
  const media = mediaIn(offer)
  const receptions = (device: string) => media.map((medium) => settings.reception(device, contact, medium))
  const wanted = devices.filter(({ device }) => receptions(device).every((one) => one === 'deliver'))
  if (wanted.length > 0) return wanted
  const kept = ['', ...devices.map(({ device }) => device)].some((device) => !receptions(device).includes('refuse'))
  throw kept ? new Failure('absent') : new Failure('forbidden', 'the callee does not want such sessions')
}

/** What an offer is about; a chat where it does not say. */
function mediaIn(offer: Buffer): readonly Medium[] {
  const media = offer
    .toString('latin1')
    .split(/\r?\n(?=m=)/)
    .flatMap((section) => mediumOf(section) ?? [])
  return media.length === 0 ? ['chat'] : media
}

function mediumOf(section: string): Medium | undefined {
  if (section.startsWith('m=audio')) return 'voice'
  if (section.startsWith('m=video')) return 'video'
  if (!section.startsWith('m=message')) return undefined
  return /\na=file-selector:/.test(section) ? 'file' : 'chat'
}
