import type { Checked } from '../protocols/sip/check-request.ts'
import type { SipRequest } from '../protocols/sip/message.ts'

/**
 * Finds a request that has come to us by two ways, or gone in a circle (RFC 3261 §8.2.2.2, §16.3 step 4): the same but
 * for its Via, while the first is not answered. One with another request-URI is a spiral, and welcome. A request with a
 * single Via comes from its sender and cannot be either, so that most cost nothing here.
 */
export class MergedRequests {
  readonly #underWay = new Set<string>()

  /** The key under which the request is held now; undefined when it need not be; false when it is there already. */
  add(request: SipRequest, checked: Checked): string | undefined | false {
    if (checked.to.params.has('tag') || !hasManyVias(request)) return undefined
    const { from, callId, cseq } = checked
    const key = [from.params.get('tag'), callId, cseq.number, cseq.method, request.uri].join(' ')
    if (this.#underWay.has(key)) return false
    this.#underWay.add(key)
    return key
  }

  remove(key: string): void {
    this.#underWay.delete(key)
  }
}

function hasManyVias(request: SipRequest): boolean {
  const vias = request.headers.all('via')
  return vias.length > 1 || vias[0]?.includes(',') === true
}
