import type { SipResponse } from '../../protocols/sip/message.ts'

/** Those of 4xx that tell the caller what to do better. */
const telling: ReadonlySet<number> = new Set([401, 407, 415, 420, 484])

/** The response that stands for all of them when nobody accepted (RFC 3261 §16.7 item 6). */
export function bestResponse(responses: readonly SipResponse[]): SipResponse | undefined {
  let best: SipResponse | undefined
  for (const response of responses) if (best === undefined || rank(response) < rank(best)) best = response
  return best
}

/** The lower the better: 6xx, then by class; a 503 comes last, as it is about one way only. */
function rank({ status }: SipResponse): number {
  const kind = Math.floor(status / 100)
  if (kind === 6) return 0
  if (status === 503) return 1000
  return kind * 100 + (telling.has(status) ? 0 : 1)
}
