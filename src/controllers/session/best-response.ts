import { SipResponse } from '../../protocols/sip/message.ts'

/** Those of 4xx that tell the caller what to do better. */
const telling: ReadonlySet<number> = new Set([401, 407, 415, 420, 484])

/**
 * The response that stands for all of them when nobody accepted (RFC 3261 §16.7 item 6): a 6xx, else one of the lowest
 * class. The challenges of all are together in a 401 or 407 (item 7).
 */
export function bestResponse(responses: readonly SipResponse[]): SipResponse | undefined {
  let best: SipResponse | undefined
  for (const response of responses) if (best === undefined || rank(response) < rank(best)) best = response
  return best !== undefined && isChallenge(best) ? withChallenges(best, responses) : best
}

/** Those that tell only that nobody was there: what somebody said comes before them. */
const absent: ReadonlySet<number> = new Set([408, 480, 487])

/** The lower the better: 6xx, then by class; a 503 comes last, as it is about one way only. */
function rank({ status }: SipResponse): number {
  const kind = Math.floor(status / 100)
  if (kind === 6) return 0
  if (status === 503) return 1000
  return kind * 100 + (telling.has(status) ? 0 : absent.has(status) ? 2 : 1)
}

const isChallenge = ({ status }: SipResponse): boolean => status === 401 || status === 407

function withChallenges(best: SipResponse, responses: readonly SipResponse[]): SipResponse {
  const headers = best.headers.clone()
  for (const other of responses.filter((response) => response !== best && isChallenge(response))) {
    for (const name of ['WWW-Authenticate', 'Proxy-Authenticate']) {
      for (const challenge of other.headers.all(name.toLowerCase())) headers.add(name, challenge)
    }
  }
  return new SipResponse(best.status, best.reason, headers, best.body)
}
