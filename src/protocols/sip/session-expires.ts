import { MalformedSip } from './malformed-sip.ts'
import { readParams } from './params.ts'

export type Refresher = 'uac' | 'uas'

/** Session-Expires (RFC 4028 §4). */
export interface SessionExpires {
  /** In seconds. */
  readonly interval: number
  readonly refresher?: Refresher
}

export function readSessionExpires(value: string): SessionExpires {
  const end = value.indexOf(';')
  const interval = readSeconds(end === -1 ? value : value.slice(0, end), 'Session-Expires')
  const refresher = end === -1 ? undefined : readParams(value, end).get('refresher')?.toLowerCase()
  return refresher === 'uac' || refresher === 'uas' ? { interval, refresher } : { interval }
}

export function writeSessionExpires({ interval, refresher }: SessionExpires): string {
  return refresher === undefined ? String(interval) : `${interval};refresher=${refresher}`
}

/** Min-SE (RFC 4028 §5), in seconds; its parameters mean nothing. */
export function readMinSE(value: string): number {
  return readSeconds(value.split(';', 1)[0] ?? '', 'Min-SE')
}

function readSeconds(text: string, name: string): number {
  const digits = text.trim()
  if (!/^[0-9]{1,9}$/.test(digits)) throw new MalformedSip(`${name} is no number of seconds`)
  return Number(digits)
}
