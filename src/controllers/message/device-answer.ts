import type { SipResponse } from '../../protocols/sip/message.ts'

/** A final response, and whether this server made it itself. */
export interface FinalResponse {
  readonly response: SipResponse
  readonly local: boolean
}

export const isAcceptance = ({ response }: FinalResponse): boolean => response.status >= 200 && response.status < 300

/**
 * The binding leads nowhere: the device says so, or its flow is gone and nobody listens at its contact. That the proxy
 * before a device (Path) cannot be reached says nothing of the device.
 */
export function isBindingGone({ response: { status }, local }: FinalResponse, path: readonly string[]): boolean {
  if (!local) return status === 404 || status === 410 || status === 430
  return status === 430 || (status === 503 && path.length === 0)
}

/** The device cannot take any message now; anything else is about this one message, 6xx included. */
export function isAway({ response: { status }, local }: FinalResponse): boolean {
  return local || awayStatuses.has(status) || (status >= 500 && status < 600 && !onMessage.has(status))
}

const awayStatuses: ReadonlySet<number> = new Set([404, 408, 410, 430, 480, 486])
/** 501 Not Implemented, 505, 513: of a device that is there. */
const onMessage: ReadonlySet<number> = new Set([501, 505, 513])
