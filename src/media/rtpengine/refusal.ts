import { Failure } from '../../failure.ts'
import type { Dictionary } from '../../protocols/bencode/bencode.ts'

const retryAfter = 5

/** What a reply that is not `ok` means. Its reasons are words: those that blame the description are the party's. */
export function failureOf(reply: Dictionary): Failure {
  const reason = String(reply['error-reason'] ?? reply.message ?? `result ${reply.result}`)
  if (/SDP|codec|media/i.test(reason)) {
    return new Failure('not-acceptable', reason, { warnings: [{ code: 399, text: reason }] })
  }
  return new Failure('overloaded', `rtpengine: ${reason}`, { retryAfter })
}
